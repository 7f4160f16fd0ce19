"""Taking proven digests to a target: what a target is, when it may be changed, and what was done to it."""
