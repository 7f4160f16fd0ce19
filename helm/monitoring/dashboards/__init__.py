"""Grafana's dashboards: a Python file each, and the JSON that `./nox -s dashboards` writes of it beside it.

panels.py has the words that they are written in, __main__.py writes and compares.
"""
