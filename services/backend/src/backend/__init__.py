"""The tasks API; `service.py` builds it, `routes.py` lists what it answers."""
