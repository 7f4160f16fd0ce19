"""Alembic's environment: the connection comes from `servicekit.migrate`, the tables from the models."""

from alembic import context

from audit.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
