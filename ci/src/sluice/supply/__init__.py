"""How components are obtained: `catalog.toml` says what, `resolve.py` decides how, a file a recipe does it."""
