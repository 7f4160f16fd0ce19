"""Alembic's scripts; `servicekit.migrate` runs them."""
