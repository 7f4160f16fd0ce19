"""The smallest service there is: one route, no database, no events."""
