"""What the services' tests share; not a service, and in no image.

postgresql.py  a PostgreSQL server of the tests' own
tokens.py      keys, and users' tokens signed with them
example.py     a small service of the tests' own
contracts.py   holds what is published to the schemas
examples.py    examples made of a schema
events.py      tasks, events, deliveries, and a publisher that keeps what it was given
services.py    the services, as their folders tell
settings.py    settings of a service on SQLite or on PostgreSQL, with a migrated database
"""
