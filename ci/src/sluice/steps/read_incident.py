"""The folder of a run → a timeline: what its evidence and its files of failed tests tell, with nobody to ask."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from sluice.domain import Evidence, Measurement, load
from sluice.incident.model import SCHEMA, Burnt, Happening, Incident, Missing, in_order
from sluice.incident.spikes import FEWEST_LINES, MINUTE, spikes
from sluice.incident.window import Window
from sluice.masking import Mask, masked
from sluice.steps.bundle import FOLDER, moment
from sluice.steps.incident_events import event_happenings, events_of
from sluice.steps.moved import spans

_ALERT = re.compile(r"(?P<state>\w+) +(?P<name>\S+)  (?P<times>\d[\d:; to]*?)(?:  (?P<labels>.*))?")
_TIMES = re.compile(r"(\d\d:\d\d:\d\d) to (\d\d:\d\d:\d\d)")
_LOG_LINE = re.compile(r"(?P<at>\S+Z) (?P<level>WARNING|ERROR|CRITICAL) +(?P<whose>\S+): ")
_EARLY_SECONDS = 3600.0  # what was seen of the time before a run began is of this hour at most
_DAY = 86_400.0
_JOINED_SECONDS = 60.0
_METHOD = (
    "All of it is of the run's folder: evidence.json, and what was gathered of failed tests.",
    f"Log spikes: minutes with at least {FEWEST_LINES} lines of WARNING and worse of one container, in the files of"
    " failed tests, which have no hour before to compare with.",
)
_NOT_KEPT = (
    Missing("promotions (the ledger)", "a run's folder has none; --target asks a target's"),
    Missing("times without a failed test", "logs, alerts and events are gathered around failed tests only"),
)


def read_run(folder: Path) -> Evidence:
    """Return a run's evidence. Raises EvidenceError where there is none, or it is not whole."""
    return load(Evidence, folder / "evidence.json")


def read_incident(folder: Path, evidence: Evidence, when: Window, *, now: float, mask: Mask) -> Incident:
    """Return what happened in a run, with every text masked. Reads its files and asks nobody."""
    found: list[Happening] = []
    missing = list(_NOT_KEPT)
    found += _tests_and_steps(evidence)
    for one in evidence.measurements:
        found += _measured(one)
    for name, read in (("events", _events), ("alerts", _alerts), ("warnings", _spikes)):
        texts = list(_texts(folder, name))
        found += read(texts, evidence.started)
        if not texts:
            missing.append(Missing(f"{name} around failed tests", f"the run has no such file below {FOLDER}/"))
    if facts := evidence.monitoring:
        starts = [at for at in facts.starts if at > facts.window_started]
        found += [Happening(at, "restart", "Prometheus was started", "Prometheus") for at in starts]
    missing += [Missing("what the run's files leave out", line) for line in evidence.cut]
    told = [("run", evidence.run_id), ("revision", evidence.revision), ("from", moment(when.start))]
    told += [("to", moment(when.end)), *(("what broke the run", line) for line in evidence.failures)]
    made = Incident(
        schema=SCHEMA,
        of=f"run {evidence.run_id}",
        start=when.start,
        end=when.end,
        drafted=now,
        timeline=in_order([one for one in found if when.has(one.at)]),
        burnt=tuple(_burnt(evidence.measurements)),
        facts=tuple(told),
        missing=tuple(missing),
        method=_METHOD,
    )
    return masked(made, mask)


def _texts(folder: Path, name: str) -> Iterator[str]:
    """The files of that name, of the whole run and of each failed test."""
    for path in sorted((folder / FOLDER).rglob(f"{name}.*")):
        if path.suffix in (".txt", ".log") and "logs" not in path.relative_to(folder / FOLDER).parts:
            yield path.read_text(encoding="utf-8", errors="replace")


def _tests_and_steps(evidence: Evidence) -> Iterator[Happening]:
    yield Happening(evidence.started, "run", "the run begins", evidence.run_id)
    yield Happening(evidence.ended, "run", "the run is over", evidence.run_id)
    for test in evidence.tests:
        if test.failed:
            again = "; again: " + ", ".join(one.outcome for one in test.attempts) if test.attempts else ""
            message = test.message.strip().partition("\n")[0]
            yield Happening(
                test.started, "test", f"{test.outcome}{again}", test.id, test.started + test.seconds, message
            )
    for suite in dict.fromkeys(test.suite for test in evidence.tests):
        ran = [(test.started, test.started + test.seconds) for test in evidence.tests if test.suite == suite]
        begun, over = min(begun for begun, _ in ran), max(over for _, over in ran)
        yield Happening(begun, "run", "its tests run", f"suite {suite}", over)
    for step in evidence.steps:
        if step.outcome != "done":
            over = step.started + step.seconds
            yield Happening(over, "run", f"the step ended {step.outcome}", step.name, None, step.detail)


def _measured(one: Measurement) -> Iterator[Happening]:
    """Of what the gate measured: log lines that should not be there, and rises of the count of restarts."""
    for series in one.series:
        if one.kind == "logql":
            points = [(at, value) for at, value in series.points if value > 0]  # NaN is not above 0
            for begun, over in spans(points, _JOINED_SECONDS / 2):
                most = max(value for at, value in points if begun <= at <= over)
                told = f"up to {most:g} {one.unit} in a point of its plot"
                yield Happening(begun, "log spike", told, f"objective {one.objective}", over)
        elif one.kind == "promql" and "restarts_total" in one.query:
            for (_, before), (at, after) in pairwise(series.points):
                if after > before:
                    told = f"{after - before:g} containers started again"
                    yield Happening(at, "restart", told, f"objective {one.objective}")


def _burnt(measurements: Sequence[Measurement]) -> Iterator[Burnt]:
    """What was left of the budgets at the end, as the gate measured it."""
    for one in measurements:
        if one.kind == "slo" and "period_error_budget_remaining" in one.query:
            for name, value in zip(one.names, one.values, strict=False):
                labels = dict(word.split("=", 1) for word in name.split() if "=" in word)
                yield Burnt(labels.get("service", "?"), labels.get("slo", "?"), None, None, None, value)


def _events(texts: Sequence[str], _: float) -> list[Happening]:
    return event_happenings((event for text in texts for event in events_of(text)), Window(float("-inf"), float("inf")))


def _alerts(texts: Sequence[str], started: float) -> list[Happening]:
    """Alerts of the files: of each those times that overlap are one, since windows of tests do."""
    times: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for told in (one for text in texts for line in text.splitlines() if (one := _ALERT.fullmatch(line.strip()))):
        known = times.setdefault((told["state"], told["name"], told["labels"] or ""), [])
        known += [(_on_day(begun, started), _on_day(over, started)) for begun, over in _TIMES.findall(told["times"])]
    found = []
    for (state, name, labels), seen in times.items():
        joined: list[tuple[float, float]] = []
        for begun, over in sorted(seen):
            if joined and begun - joined[-1][1] <= _JOINED_SECONDS:
                joined[-1] = (joined[-1][0], max(joined[-1][1], over))
            else:
                joined.append((begun, over))
        word = "fires" if state == "firing" else f"is {state}"
        found += [Happening(begun, "alert", f"{name} {word}", labels, over) for begun, over in joined]
    return found


def _on_day(clock: str, started: float) -> float:
    """A time of day in UTC as the first one that is not long before the run began."""
    midnight = datetime.fromtimestamp(started, UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    hours, minutes, seconds = map(int, clock.split(":"))
    at = midnight + 3600 * hours + 60 * minutes + seconds
    return at + _DAY if at < started - _EARLY_SECONDS else at


def _spikes(texts: Sequence[str], _: float) -> list[Happening]:
    """Minutes with many lines, by container and level; a line that several tests' files have counts once."""
    lines = {one for text in texts for one in text.splitlines()}
    counts: Counter[tuple[str, str, float]] = Counter()
    for line in (one for one in map(_LOG_LINE.match, lines) if one):
        try:
            at = datetime.fromisoformat(line["at"]).timestamp()
        except ValueError:
            continue
        counts[line["whose"], line["level"], at // MINUTE * MINUTE + MINUTE] += 1
    found = []
    for whose, level in sorted({(whose, level) for whose, level, _ in counts}):
        points = sorted((at, float(count)) for (of, kind, at), count in counts.items() if (of, kind) == (whose, level))
        for spike in spikes(points, start=float("-inf"), usual=0.0):
            told = f"{spike.lines} lines of level {level}, up to {spike.highest} a minute"
            found.append(Happening(spike.start, "log spike", told, whose, spike.end))
    return found
