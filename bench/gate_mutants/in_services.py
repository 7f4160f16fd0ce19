"""Mutants of the services' code: what a reviewer could overlook."""

from bench.gate_mutants.faults import Change, Edit

_KIT = "services/servicekit/src/servicekit"
_STORE = "services/backend/src/backend/store.py"
_OUTBOX = f"{_KIT}/outbox.py"
_SUBSCRIPTIONS = f"{_KIT}/subscriptions.py"
_AUDIT = "services/audit/src/audit"
_SYNC = "services/sync/src/sync"
# A store that can sleep.
_STORE_SLEEPS = Edit(_STORE, "from sqlalchemy import select\n", "import anyio\nfrom sqlalchemy import select\n")
# A fault that whoever creates a task may meet.
_ANY_TEST = "::"

_SPEED = (
    Change(
        "slow-queries",
        "storing a task takes 1.2 s longer",
        (
            _STORE_SLEEPS,
            Edit(_STORE, "        session.add(task)\n", "        session.add(task)\n        await anyio.sleep(1.2)\n"),
        ),
        ("objective p95-latency",),
    ),
    Change(
        "slower-reads",
        "reading one task takes 0.3 s longer: less than any bound, more than ever before",
        (
            _STORE_SLEEPS,
            Edit(_STORE, "    # With its tags in one", "    await anyio.sleep(0.3)\n    # With its tags in one"),
        ),
        ("latency",),
        unseen="slower than earlier releases, and within the bounds, is a warning: no target takes it"
        ' unless it says accept = "warn"',
    ),
    Change(
        "outbox-asleep",
        "the outbox is not woken by a commit and looks every 8 s",
        (
            Edit(_OUTBOX, "        self._wake.set()\n", "        return\n"),
            Edit(_OUTBOX, "_POLL_SECONDS = 1.0\n", "_POLL_SECONDS = 8.0\n"),
        ),
        ("objective event-delay",),
    ),
    Change(
        "memory-leak",
        "each request leaves 200 kB in memory",
        (
            Edit(f"{_KIT}/observe.py", "\n\nclass Observe", "\n_KEPT: list[bytes] = []\n\n\nclass Observe"),
            Edit(
                f"{_KIT}/observe.py",
                "            route = route_template(scope)\n",
                "            route = route_template(scope)\n            _KEPT.append(200_000 * b'x')\n",
            ),
        ),
        ("objective memory", "objective restarts"),
    ),
)

_ANSWERS = (
    Change(
        "errors-2-percent",
        "2 % of the tasks are not created but answered with 503, and nothing is logged",
        (
            Edit(_STORE, "import uuid\nfrom coll", "import itertools\nimport uuid\nfrom coll"),
            Edit(_STORE, "\n\nclass TaskStore", "\n_ASKED = itertools.count()\n\n\nclass TaskStore"),
            Edit(
                _STORE,
                "        await settle(task, dict(content))\n",
                "        await settle(task, dict(content))\n"
                "        if next(_ASKED) % 50 == 49:\n"
                "            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, 'Try again later.', kind='busy')\n",
            ),
        ),
        (_ANY_TEST, "objective error-ratio"),
    ),
    Change(
        "owner-check",
        "whoever knows a task's id may read and change it",
        (Edit(_STORE, "Task.id == task_id, Task.owner == owner)", "Task.id == task_id)"),),
        ("test_a_user_neither_sees_nor_changes_the_tasks_of_another",),
    ),
    Change(
        "others-changes",
        "sync shows a user the changes of others",
        (
            Edit(
                f"{_SYNC}/store.py",
                '.where(Change.owner == bindparam("owner"), Change.sequence >',
                '.where(bindparam("owner") != "", Change.sequence >',
            ),
        ),
        ("services/test_sync.py", "websocket/test_changes.py"),
    ),
    Change(
        "wrong-status",
        "a deletion is answered with 200 instead of 204",
        (
            Edit(
                "services/backend/src/backend/routes.py",
                '"/{task_id}", status_code=HTTPStatus.NO_CONTENT',
                '"/{task_id}", status_code=HTTPStatus.OK',
            ),
        ),
        ("test_a_deleted_task_is_gone",),
    ),
    Change(
        "time-zone",
        "recurring tasks are reckoned in UTC: they move by an hour when clocks change",
        (
            Edit(
                f"{_KIT}/recurrence.py",
                "place = _parse(rule), zone_of(zone)\n",
                "place = _parse(rule), zone_of('UTC')\n",
            ),
        ),
        ("events/test_recurrence.py",),
    ),
    Change(
        "shutdown-abrupt",
        "on SIGTERM a service ends at once, whatever it is serving",
        (
            Edit(f"{_KIT}/server.py", "import asyncio\nimport signal\n", "import asyncio\nimport os\nimport signal\n"),
            Edit(f"{_KIT}/server.py", "self._loop.call_soon_threadsafe(self._drain)", "os._exit(0)"),
        ),
        ("services/test_leaving.py", "upgrade/"),
    ),
    Change(
        "ready-always",
        "readiness says yes, whatever the database does",
        (
            Edit(
                f"{_KIT}/health.py",
                "failed = [name for name, outcome in report.items() if outcome != _OK]",
                "failed: list[str] = []",
            ),
        ),
        ("services/test_leaving.py",),
    ),
)

_EVENTS = (
    Change(
        "lost-events",
        "the outbox drops one event of 20",
        (
            Edit(
                _OUTBOX,
                "                    break\n                try:\n",
                "                    break\n"
                "                if row.id % 20 == 0:\n"
                "                    done.append(row.id)\n"
                "                    continue\n"
                "                try:\n",
            ),
        ),
        (_ANY_TEST,),
    ),
    Change(
        "doubled-events",
        "an event that is delivered again is handled again",
        (Edit(f"{_KIT}/inbox.py", "return result.rowcount == 1", "return result.rowcount >= 0"),),
        ("events/",),
    ),
    Change(
        "broken-subscription",
        "services ask for events on a route that they do not have",
        (Edit(_SUBSCRIPTIONS, '"route": f"/events/{topic}"', '"route": f"/event/{topic}"'),),
        ("events/", "objective event-delay"),
    ),
    Change(
        "reminders-unheard",
        "notification no longer subscribes to reminders",
        (
            Edit(
                "services/notification/src/notification/consumer.py",
                "            subscriptions.on(kind, self.on_event)\n",
                '            if kind.topic == "tasks":\n                subscriptions.on(kind, self.on_event)\n',
            ),
        ),
        ("test_a_reminder_that_is_due_is_delivered",),
    ),
    Change(
        "dead-letters-unused",
        "what no consumer can use is dropped without a dead letter",
        (
            Edit(
                _SUBSCRIPTIONS,
                "                if await first_time(session, self._tables, event_id):\n"
                "                    await self._outbox.add(session, DEAD_LETTER, event)\n",
                "                await first_time(session, self._tables, event_id)\n",
            ),
        ),
        ("events/test_dead_letters.py",),
    ),
    Change(
        "websocket-order",
        "changes that a client missed, and those that came together, are sent newest first",
        (
            Edit(
                f"{_SYNC}/sockets.py",
                "        for change in changes:\n            await connection.send_change",
                "        for change in reversed(changes):\n            await connection.send_change",
            ),
            Edit(
                f"{_SYNC}/hub.py",
                "        for change in changes:\n            message = message_of(change)",
                "        for change in reversed(changes):\n            message = message_of(change)",
            ),
        ),
        ("websocket/",),
    ),
    Change(
        "migration-missing",
        "a migration forgets the tables of events",
        (
            Edit(
                "services/backend/src/backend/migrations/versions/0002_series_and_events.py",
                "    create_event_tables(op)\n",
                "",
            ),
        ),
        ("api/",),
    ),
    Change(
        "audit-hash",
        "an entry's hash leaves out what the task became: it can be changed later",
        (Edit(f"{_AUDIT}/chain.py", '        "after": entry.after,\n', ""),),
        ("services/test_audit.py",),
    ),
    Change(
        "audit-unchecked",
        "nobody walks along the audit chain any more",
        (Edit(f"{_AUDIT}/service.py", "            checking(database, own, settings.verify_seconds),\n", ""),),
        ("services/test_audit.py",),
    ),
)

MUTANTS = (*_SPEED, *_ANSWERS, *_EVENTS)
