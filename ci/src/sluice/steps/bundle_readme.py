"""The first page of a failed test's bundle: what failed, where to look, how to run it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sluice.domain import TestResult
from sluice.masking import beginning
from sluice.steps.bundle import moment
from sluice.steps.chosen_metrics import Question
from sluice.steps.moved import Move, move_text

_MESSAGE_LINES, _MESSAGE_CHARS = 25, 3_000
_LINE_CHARS = 600
_IDS = 10
_TRACE_LINES = 14


@dataclass
class Found:
    """What a bundle holds: `files` by name with what each is about, most telling lines, and what is missing."""

    start: float
    end: float
    files: list[tuple[str, str]] = field(default_factory=list)
    telling: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    moves: list[tuple[Question, Move]] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def replay(test: TestResult, run_id: str) -> tuple[str, str]:
    """The commands that run a test's suite again, and the test alone on a cluster that was kept."""
    context = f".sluice/runs/{run_id}/suites-context.json"
    alone = f"SLUICE_E2E_CONTEXT={context} PYTHONPATH=ci/src .sluice/venv-*/bin/python -m pytest -c pyproject.toml"
    return f"./nox -s e2e -- --reuse --suite {test.suite}", f"{alone} '{test.id}'"


def index(failures: Sequence[str], failed: Sequence[TestResult], folders: Mapping[str, str], *, run_id: str) -> str:
    """The first page of a failed run, plain text: what broke it, and each failed test with its folder."""
    lines = [f"Run {run_id} failed: {len(failures)} failures of the run itself, {len(failed)} failed tests."]
    lines += _part("WHAT BROKE THE RUN", failures)
    if failed:
        lines += ["", "FAILED TESTS, in the order in which they ran"]
    for test in sorted(failed, key=lambda test: test.started):
        # A pytest message begins with what was expected; one line of it is enough here.
        lines += [f"  {test.id}", f"    {_first(test.message)}"]
        folder = folders.get(test.id)
        lines += [f"    read {folder}/README.txt" if folder else "    no folder of its own: there were too many"]
        lines += [f"    again: {replay(test, run_id)[0]}"]
    lines += [
        "",
        "THE CLUSTER AS THE RUN ENDED (where there was one to ask)",
        "  summary.txt    what is not ready, and why",
        "  pods.txt, events.txt, logs/<namespace>/<pod>/<container>.log",
        "",
        "../cut.txt says what was left out; ../report.html shows the run, ../suites.log what pytest printed.",
        "",
    ]
    return "\n".join(lines)


def readme(test: TestResult, found: Found, *, run_id: str) -> str:
    """The page, plain text."""
    suite, alone = replay(test, run_id)
    said = test.message.strip() or "pytest said nothing"
    lines = [
        f"{test.id}",
        f"{test.outcome} after {test.seconds:g} s, {moment(test.started)} to {moment(test.started + test.seconds)}",
        f"what follows is of {moment(found.start)} to {moment(found.end)}",
        "",
        "WHAT FAILED (whole: failure.txt)",
        *_indented(_shortened(said)),
        "",
        "WHERE TO LOOK",
        *(f"  {name:<14} {about}" for name, about in found.files),
    ]
    lines += _part(
        "What was logged about its own requests, the worst first lines:", [_folded(text) for text in found.telling]
    )
    lines += _part("What was WARNING or worse in that time, in all pods, by kind:", found.kinds)
    lines += _part("Alerts:", found.alerts[:12])
    lines += _part("Warnings of Kubernetes, and what it stopped:", found.warnings)
    moved = [f"{question.title}: {move_text(move, question)}  {move.labels}" for question, move in found.moves]
    lines += _part("What moved most (all: metrics.txt):", moved[:24])
    lines += ["", "ITS REQUESTS AND TRACES", *_ids("request ids", test.request_ids), *_ids("trace ids", test.trace_ids)]
    lines += ["", "RUN IT AGAIN", f"  {suite}", f"  alone, on the cluster that --keep or --reuse left: {alone}"]
    lines += _part("NOT TO BE HAD", found.missing)
    lines += ["", "What was cut for want of room is in cut.txt of the run's folder.", ""]
    return "\n".join(lines)


def _folded(text: str) -> str:
    """A line with its traceback: where it begins, and its end, where the cause stands."""
    lines = text.splitlines()
    if len(lines) <= _TRACE_LINES:
        return text
    return "\n".join([*lines[:3], f"    [{len(lines) - _TRACE_LINES} lines more]", *lines[3 - _TRACE_LINES :]])


def _first(text: str) -> str:
    return beginning(text.strip().partition("\n")[0], _LINE_CHARS)


def _shortened(text: str) -> list[str]:
    lines = beginning(text, _MESSAGE_CHARS).splitlines()
    kept = lines[:_MESSAGE_LINES]
    return kept + (["[cut]"] if len(kept) < len(lines) else [])


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _part(title: str, lines: Sequence[str]) -> list[str]:
    whole = [beginning(one, _LINE_CHARS) for line in lines for one in line.splitlines()]
    return ["", title, *_indented(whole)] if whole else []


def _ids(what: str, ids: Sequence[str]) -> list[str]:
    if not ids:
        return [f"  no {what} were noted"]
    more = f" … and {len(ids) - _IDS} more, in evidence.json" if len(ids) > _IDS else ""
    return [f"  {what}: {' '.join(ids[:_IDS])}{more}"]
