"""The cluster: kind's own command, our configuration, and the mark that tells our clusters from others."""
