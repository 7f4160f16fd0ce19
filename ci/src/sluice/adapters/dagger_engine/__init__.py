"""The Dagger engine: containers that Sluice's own commands run in, a Docker engine beside them, images built by it.

Modules that dagger_module.py imports need nothing but `dagger`; builder.py runs inside the toolbox, with everything.
"""
