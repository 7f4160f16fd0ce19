"""Charts, through Helm's own command."""
