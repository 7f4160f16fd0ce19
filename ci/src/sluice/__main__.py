"""`python -m sluice`."""

from sluice.entrypoints.cli import main

main()
