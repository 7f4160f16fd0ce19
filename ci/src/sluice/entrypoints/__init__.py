"""How Sluice is called: `cli.py` by people, nox and CI; `dagger_module.py` by Dagger."""
