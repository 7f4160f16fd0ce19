"""Two regions, one of which is active: what is known of them, when a switch is refused, and what one came to. Pure."""
