"""A release can be rolled back: the code of the revision before goes on working on the schema of the next one.

While a release rolls out both run on the new schema, and after `helm rollback` the old one does for good: the schema is
never taken back. So a migration only adds what old code need not name: no table or column goes, none is asked for.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect

from servicekit.migrate import upgrade
from testkit.services import FOLDERS, find

Schema = dict[str, dict[str, Any]]


def revisions(scripts: Path) -> list[str]:
    """Every revision, oldest first."""
    config = Config()
    config.set_main_option("script_location", str(scripts))
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]


STEPS = [
    pytest.param(find(folder).migrations, before, after, id=f"{find(folder).name}-{after}")
    for folder in FOLDERS
    if find(folder).migrations.is_dir()
    for known in [revisions(find(folder).migrations)]
    for before, after in itertools.pairwise(known)
]


def schema(connection: Connection) -> Schema:
    """The columns of each table, by name."""
    found = inspect(connection)
    return {table: {one["name"]: one for one in found.get_columns(table)} for table in found.get_table_names()}


def in_the_way(before: Schema, after: Schema) -> list[str]:
    """What code that knows the schema before would fail on."""
    found = []
    for table, columns in before.items():
        there = after.get(table, {})
        found += [f"{table}.{name} is gone" for name in columns if name not in there]
        for name, column in there.items():
            required = not column["nullable"] and column["default"] is None and not column.get("primary_key")
            if required and (name not in columns or columns[name]["nullable"]):
                found.append(f"{table}.{name} has to be given")
            elif name in columns and str(columns[name]["type"]) != str(column["type"]):
                found.append(f"{table}.{name} is {column['type']} instead of {columns[name]['type']}")
    return found


def test_there_is_a_step_to_look_at() -> None:
    assert STEPS


@pytest.mark.parametrize(("scripts", "before", "after"), STEPS)
def test_the_code_of_before_goes_on_working(scripts: Path, before: str, after: str) -> None:
    with create_engine("sqlite://").connect() as connection:
        upgrade(connection, scripts, before)
        old = schema(connection)
        upgrade(connection, scripts, after)
        assert in_the_way(old, schema(connection)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE tasks DROP COLUMN title", ["tasks.title is gone"]),
        ("DROP TABLE tasks", ["tasks.id is gone", "tasks.title is gone", "tasks.note is gone"]),
        ("ALTER TABLE tasks ADD COLUMN owner TEXT NOT NULL", ["tasks.owner has to be given"]),
        ("ALTER TABLE tasks ADD COLUMN owner TEXT NOT NULL DEFAULT ''", []),
        ("ALTER TABLE tasks ADD COLUMN owner TEXT", []),
        ("CREATE TABLE more (id INTEGER PRIMARY KEY, name TEXT NOT NULL)", []),
    ],
)
def test_what_old_code_would_fail_on_is_told(change: str, said: list[str]) -> None:
    with create_engine("sqlite://").connect() as connection:
        connection.execute(sa.text("CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT NOT NULL, note TEXT)"))
        before = schema(connection)
        connection.execute(sa.text(change))
        assert in_the_way(before, schema(connection)) == said
