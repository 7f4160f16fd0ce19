"""For each failed test: a folder from which somebody who was not there can tell what happened.

failure/tests/<slug>/README.txt     what failed, where to look, how to run it again: read this first
                     failure.txt    all that pytest has to say of it
                     requests.log   every line that names one of its requests, traces or users
                     warnings.log   every line of WARNING and worse in its time, of all pods, deleted ones too
                     metrics.txt    the metrics that moved, before and after
                     alerts.txt  events.txt  pods.txt  kafka.txt  dapr.txt
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from sluice.domain import SuiteResults, TestResult
from sluice.masking import masker
from sluice.ports import Inspection, LogLine, Logs, Metrics
from sluice.steps import log_text
from sluice.steps.bundle import FOLDER, Bundle, cause
from sluice.steps.bundle_readme import Found, index, readme
from sluice.steps.chosen_metrics import ALERTS, LAG, LOADED, QUESTIONS, Question
from sluice.steps.cluster_now import ClusterNow
from sluice.steps.cluster_text import event_line, pod_text, sidecar_text, telling
from sluice.steps.moved import alert_lines, moves, table

# Around a test's own time: what led to it, and what came of it in other services and in the next scrape.
BEFORE_SECONDS, AFTER_SECONDS = 15.0, 30.0
_LINES = 2_000
_IDS_A_QUERY = 40
_POINTS = 60
_AT_ONCE = 4
_EVENTS_SHOWN = 8
_TEST_BYTES = 2 * 1024 * 1024
# What a test provokes in a service says so, or comes by these routes (tests/e2e/README.md).
_ON_PURPOSE = ("sluice-provoked", "/faults/")
# They move with every test, and say little.
_ALWAYS = ("requests served", "events published", "deliveries answered", "WebSockets open")
# What is JSON, klog or logfmt has a level; of the rest (PostgreSQL, Kafka) these words tell.
_WORSE = '{namespace=~".+",level=~"WARNING|ERROR|CRITICAL"}'
_UNTOLD = r'{namespace=~".+",level="UNKNOWN"} |~ "(?i)\\b(error|fatal|panic|exception|warn(ing)?|oom)\\b"'


@dataclass(frozen=True)
class Sources:
    """Whom a bundle is gathered from; None where there is nobody to ask."""

    metrics: Metrics | None
    logs: Logs | None
    cluster: Inspection | None


async def gather_tests(
    results: SuiteResults | None,
    failures: Sequence[str],
    run: Path,
    sources: Sources,
    *,
    namespace: str,
    reports: Mapping[str, str],
    cut: list[str],
    secrets: Sequence[str] = (),
    most: int = 10,
    deadline_seconds: float = 60,
    max_bytes: int = 20 * 1024 * 1024,
) -> SuiteResults | None:
    """Write failure/README.txt and a bundle for each of the first `most` failed tests; return the results with these.

    `failures` is what broke the run itself, `reports` what pytest said of each test, by its id. Raises nothing but
    cancellation; what could not be had or found no room is said in the bundle, or added to `cut`. All that is
    written is masked. Goes on under cancellation (Ctrl-C) until its own deadline.
    """
    tests = results.tests if results else ()
    failed = [test for test in tests if test.failed]
    bundle = Bundle(run, masker(secrets), max_bytes, cut)
    limit, taken = anyio.CapacityLimiter(_AT_ONCE), set[str]()
    now = ClusterNow(sources.cluster, namespace)
    folders = {test.id: f"{FOLDER}/tests/{slug(test.id, taken)}" for test in failed[:most]}
    # First of all: a deadline or a full disk may come in between.
    bundle.write(f"{FOLDER}/README.txt", index(failures, failed, folders, run_id=run.name), must=True)

    async def one(test: TestResult) -> None:
        async with limit:
            report = reports.get(test.id, "")
            await _Gathering(test, folders[test.id], bundle, sources, namespace, report, run.name, now).write()

    with anyio.move_on_after(deadline_seconds, shield=True) as scope:
        try:
            with anyio.move_on_after(deadline_seconds / 3):
                await now.look()
            async with anyio.create_task_group() as group:
                for test in failed[:most]:
                    group.start_soon(one, test)
        except Exception as error:  # noqa: BLE001 - gathering must not hide the failure that it tells of
            bundle.cut.append(f"{FOLDER}/tests: gathering stopped: {cause(error)}")
    if scope.cancelled_caught:
        bundle.cut.append(f"{FOLDER}/tests: not all was read within {deadline_seconds:g} s: see each README.txt")
    if failed[most:]:
        bundle.cut.append(f"{FOLDER}/tests: {len(failed) - most} of {len(failed)} failed tests have no folder")
    if results is None:
        return None
    kept = {test for test, folder in folders.items() if (run / folder / "README.txt").is_file()}
    return replace(
        results,
        tests=tuple(replace(test, bundle=folders[test.id]) if test.id in kept else test for test in tests),
    )


def slug(test: str, taken: set[str]) -> str:
    """A folder's name for a test's id, short, and of no other test in `taken`, which gets it."""
    name = re.sub(r"[^a-z0-9]+", "-", test.lower().removeprefix("tests/e2e/").replace(".py::", "-")).strip("-")[:80]
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    taken.add(found)
    return found


class _Gathering:
    """One test's folder in the making."""

    def __init__(
        self,
        test: TestResult,
        folder: str,
        bundle: Bundle,
        sources: Sources,
        namespace: str,
        report: str,
        run_id: str,
        now: ClusterNow,
    ) -> None:
        self._test = test
        self._folder = folder
        self._bundle = bundle
        self._sources = sources
        self._namespace = namespace
        self._report = report
        self._run_id = run_id
        self._now = now
        self._start = test.started - BEFORE_SECONDS
        self._end = test.started + test.seconds + AFTER_SECONDS
        self._found = Found(start=self._start, end=self._end)
        self._answered = 0  # series that Prometheus had

    async def write(self) -> None:
        """Ask for everything and write it; the README comes last and is about all of it, or all until a deadline."""
        self._file("failure.txt", self._report or self._test.message)
        whole = False
        try:
            await self._logs()
            await self._metrics()
            whole = True
        finally:
            self._found.missing += [] if whole else ["not all was read: the time for gathering was over"]
            self._cluster()
            page = readme(self._test, self._found, run_id=self._run_id)
            self._bundle.write(f"{self._folder}/README.txt", page, must=True)

    def _file(self, name: str, text: str, about: str = "") -> bool:
        """Write a file, where there is something to write, and note what it tells for the README."""
        if not text.strip():
            return False
        written = self._bundle.write(f"{self._folder}/{name}", text, limit=_TEST_BYTES, keep_end=name == "failure.txt")
        if written and about:
            self._found.files.append((name, about))
        return written

    async def _logs(self) -> None:
        named = await self._named()
        if named:
            wrong = [line for line in named if line.labels.get("level") in ("WARNING", "ERROR", "CRITICAL")]
            about = f"{len(named)} lines of {', '.join(log_text.services(named))} name its requests"
            self._lines("requests.log", named, f"{about}; {len(wrong)} of them WARNING or worse")
            self._found.telling += [log_text.line_text(line) for line in wrong[:3]]
        worse = log_text.merged(await self._asked_logs(_WORSE), await self._asked_logs(_UNTOLD))
        if worse:
            real = [line for line in worse if not any(word in line.text for word in _ON_PURPOSE)]
            provoked = f"; {len(worse) - len(real)} that tests provoked" if len(real) < len(worse) else ""
            self._lines("warnings.log", worse, f"{len(worse)} lines of WARNING or worse, of all pods{provoked}")
            self._found.kinds = log_text.kinds(real, 14, self._bundle.mask, first=self._namespace)

    async def _named(self) -> list[LogLine]:
        """The lines that name one of the test's requests or traces, or one of the users that these were made for."""
        ids = list(dict.fromkeys((*self._test.request_ids, *self._test.trace_ids)))
        lines = await self._naming(ids)
        users = sorted({user for line in lines if (user := log_text.field(line, "user_id"))})
        return log_text.merged(lines, await self._naming(users))

    async def _naming(self, words: Sequence[str]) -> list[LogLine]:
        found: list[list[LogLine]] = []
        for first in range(0, len(words), _IDS_A_QUERY):
            pattern = "|".join(re.escape(word) for word in words[first : first + _IDS_A_QUERY]).replace("\\", "\\\\")
            found.append(await self._asked_logs(f'{{namespace="{self._namespace}"}} |~ "{pattern}"'))
        return log_text.merged(*found)

    async def _asked_logs(self, query: str) -> list[LogLine]:
        logs = self._sources.logs
        if logs is None:
            return []
        lines: list[LogLine] = []
        await self._tried("logs", lambda: self._read(logs, query, lines))
        return lines

    async def _read(self, logs: Logs, query: str, lines: list[LogLine]) -> None:
        lines += await logs.lines(query, start=self._start, end=self._end, limit=_LINES)
        if len(lines) == _LINES:
            self._bundle.cut.append(f"{self._folder}: {query}: all after its first {_LINES} lines")

    def _lines(self, name: str, lines: Sequence[LogLine], about: str) -> None:
        self._file(name, "\n".join(log_text.line_text(line) for line in lines) + "\n", about)

    async def _metrics(self) -> None:
        metrics = self._sources.metrics
        if metrics is None:
            return
        tables = [await self._moved(metrics, one) for one in QUESTIONS]
        if self._answered == 0:
            self._found.missing.append("metrics: Prometheus has none of that time: it lost them, or was not there")
        told = [one for one in tables if one]
        if told:
            self._file("metrics.txt", "\n".join(told), f"{len(told)} of {len(QUESTIONS)} questions had moves")
        lag, loaded = await self._moved(metrics, LAG), await self._moved(metrics, LOADED)
        levels = await self._levels(metrics, LAG)
        self._file("kafka.txt", "\n".join(filter(None, (lag, levels))), _first(lag) or "no consumer's lag moved")
        told_by_sidecars = "".join(sidecar_text(one) for one in self._now.sidecars)
        heard = sum(bool(one.subscriptions) for one in self._now.sidecars)
        about = f"{len(self._now.sidecars)} sidecars as this was gathered, {heard} with subscriptions"
        self._file("dapr.txt", "\n".join(filter(None, (told_by_sidecars, loaded))), about)
        alerts: list[str] = []
        await self._tried("alerts", lambda: self._alerts(metrics, alerts))
        self._file("alerts.txt", "\n".join(alerts) + "\n", f"{len(alerts)} alerts were pending or firing")
        self._found.alerts = alerts

    @property
    def _step(self) -> float:
        return max(1.0, (self._end - self._start) / _POINTS)

    async def _moved(self, metrics: Metrics, question: Question) -> str:
        text: list[str] = []

        async def ask() -> None:
            asked = question.of(self._namespace)
            series = await metrics.range(asked.query, start=self._start, end=self._end, step=self._step)
            self._answered += len(series)
            found = moves(asked, series, start=self._start, end=self._end, step=self._step)
            self._found.moves += [(asked, move) for move in found[:3] if asked.title not in _ALWAYS]
            text.append(table(asked, found, len(series)))

        await self._tried(question.title, ask)
        return text[0] if text else ""

    async def _levels(self, metrics: Metrics, question: Question) -> str:
        """What stood at the end of the window, whether it moved or not."""
        lines: list[str] = []

        async def ask() -> None:
            for one in await metrics.instant(question.of(self._namespace).query, at=self._end):
                told = ", ".join(f"{key}={value}" for key, value in sorted(one.labels.items()))
                lines.append(f"  {one.points[-1][1]:g}  {told}")

        await self._tried(question.title, ask)
        return "At the end of that time:\n" + "\n".join(sorted(lines)) + "\n" if lines else ""

    async def _alerts(self, metrics: Metrics, alerts: list[str]) -> None:
        series = await metrics.range(ALERTS.query, start=self._start, end=self._end, step=self._step)
        alerts += alert_lines(series, step=self._step, first=self._namespace)

    def _cluster(self) -> None:
        now = self._now
        # An event that came again later is kept with its last time only.
        events = [
            event for event in now.events if event.at >= self._start and (event.at <= self._end or event.count > 1)
        ]
        warnings = [event for event in events if event.warning]
        about = f"{len(events)} events of Kubernetes, {len(warnings)} of them warnings"
        self._file("events.txt", "".join(event_line(event) for event in events), about)
        self._found.warnings = [event_line(event).rstrip() for event in telling(events, self._end, _EVENTS_SHOWN)]
        described = ((pod, now.described.get(f"{pod.namespace}/{pod.name}", "")) for pod in now.unwell)
        text = "".join(f"{pod_text(pod)}\n{more}\n" for pod, more in described)
        about = f"{len(now.unwell)} pods that were not ready or had been started again, as this was gathered"
        self._file("pods.txt", text, about)
        self._found.missing += [f"{what}: {why}" for what, why in now.missing.items()]

    async def _tried(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do a part of the work; what goes wrong with it is noted and takes nothing else with it."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - as said
            self._found.missing.append(f"{what}: {cause(error)}")


def _first(text: str) -> str:
    return text.partition("\n")[0]
