"""Changes that a gate has to let through: it must not merely notice that something changed."""

from dataclasses import replace

from bench.gate_mutants.bench import GOOD
from bench.gate_mutants.faults import Change, Edit

_KIT = "services/servicekit/src/servicekit"
_RECORDER = "services/audit/src/audit/recorder.py"

HARMLESS = (
    Change(
        "a-comment",
        "a comment is worded anew",
        (
            Edit(
                "services/backend/src/backend/store.py",
                "for a single task that is quicker",
                "for one task it is quicker",
            ),
        ),
    ),
    Change(
        "a-private-name",
        "a private function has another name",
        (
            Edit(_RECORDER, "        entry = _entry(event)\n", "        entry = _entry_of(event)\n"),
            Edit(_RECORDER, "def _entry(event: Event[Any])", "def _entry_of(event: Event[Any])"),
        ),
    ),
    Change(
        "a-log-line",
        "a line at INFO is worded anew",
        (Edit(f"{_KIT}/app.py", '_log.info("stopped")', '_log.info("the service has stopped")'),),
    ),
    Change(
        "more-replicas",
        "the backend has two replicas",
        (Edit("helm/backend/values.yaml", "  maxReplicas: 3\n", "  minReplicas: 2\n  maxReplicas: 3\n"),),
    ),
    Change(
        "a-metrics-help",
        "a metric is explained anew",
        (
            Edit(
                "services/backend/src/backend/metrics.py",
                "Tasks created, those of a series included.",
                "Tasks created, also by a series.",
            ),
        ),
    ),
    Change(
        "more-memory",
        "services may take 32 MiB more",
        (Edit("helm/lib/values.yaml", 'limits: {cpu: "1", memory: 256Mi}', 'limits: {cpu: "1", memory: 288Mi}'),),
    ),
    Change(
        "smaller-batches",
        "the outbox publishes 40 events at a time instead of 50",
        (Edit(f"{_KIT}/outbox.py", "_BATCH = 50\n", "_BATCH = 40\n"),),
    ),
    Change(
        "an-answers-words",
        "an error is told in other words",
        (Edit("services/backend/src/backend/store.py", '"There is no such task."', '"No such task exists."'),),
    ),
)


def healthy(count: int) -> list[Change]:
    """Return so many healthy releases, each with a name of its own; every kind before any comes again."""
    kinds = (GOOD, *HARMLESS)
    rounds = [divmod(number, len(kinds)) for number in range(count)]
    return [
        kinds[kind] if turn == 0 else replace(kinds[kind], name=f"{kinds[kind].name}-{turn + 1}")
        for turn, kind in rounds
    ]
