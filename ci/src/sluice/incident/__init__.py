"""What happened in a stretch of time, drafted for the page that people write after an incident; pure."""
