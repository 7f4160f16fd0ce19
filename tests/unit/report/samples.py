"""A whole run as the report gets it: a sound one, and one that failed with hostile texts; none by chance."""

import math
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from sluice.domain import (
    EVIDENCE_SCHEMA,
    Component,
    Evidence,
    Image,
    Measurement,
    Monitoring,
    Series,
    StepTiming,
    TestResult,
    Verdict,
)
from sluice.policy import Objective, expand, load_policy
from sluice.steps.evaluate_gate import evaluate_gate

POLICY = load_policy(Path(__file__).parents[3] / "release" / "policy.toml")
STARTED = 1_760_000_000.0
SUITES_FROM, SUITES_TO = STARTED + 132.0, STARTED + 214.0
SECRET = "hunter2-hunter2"
HOSTILE = f"<script>alert('x')</script><img src=x onerror=alert(1)> \x1b[31mred\x1b[0m password={SECRET} & \x00end"

_STEPS = (
    ("resolve source", 0.0, 0.3, ""),
    ("supply cluster", 0.3, 2.1, "6 of 6 from the cache"),
    ("supply images", 0.3, 1.4, ""),
    ("supply monitoring", 0.4, 6.2, ""),
    ("supply logging", 0.4, 5.8, ""),
    ("build images", 1.7, 31.4, "2 of 3 layers new"),
    ("create cluster", 2.4, 38.6, ""),
    ("prepare cluster", 41.0, 3.2, ""),
    ("install monitoring", 44.2, 61.5, ""),
    ("install logging", 44.3, 55.1, ""),
    ("install postgresql", 44.2, 24.8, ""),
    ("install backend", 69.0, 34.0, ""),
    ("run suites", 132.0, 82.4, "42 tests"),
    ("collect evidence", 214.5, 7.9, ""),
)
_COMPONENTS = (
    ("kind", "0.33.0", 10.8, 4.1),
    ("kubernetes", "1.34.2", 151.5, 373.0),
    ("helm", "4.3.1", 66.8, 116.2),
    ("kubectl", "1.34.2", 58.4, 0.0),
    ("crane", "0.20.7", 11.9, 4.4),
    ("registry", "3.1.2", 26.5, 38.7),
    ("etcd", "3.6.5", 24.1, 15.0),
    ("coredns", "1.13.1", 79.0, 92.3),
    ("prometheus", "3.7.3", 104.6, 298.1),
    ("prometheus-operator", "0.85.0", 63.5, 165.4),
    ("alertmanager", "0.31.0", 31.3, 26.2),
    ("loki", "3.7.8", 156.7, 293.5),
    ("promtail", "3.5.7", 112.6, 226.0),
    ("kube-state-metrics", "2.15.0", 50.6, 91.1),
    ("postgresql", "15.14", 198.2, 24.6),
    ("python", "3.11.2", 131.0, 31.9),
)
_TESTS = {
    "api": (
        "create",
        "create_and_read",
        "update",
        "delete",
        "delete_twice",
        "unknown_task",
        "bad_due_date",
        "bad_json",
        "no_user",
        "other_users_task",
        "list_empty",
        "list_filter_priority",
        "list_sort",
        "list_pages",
        "list_bad_page",
    ),
    "metrics": (
        "request_is_counted",
        "latency_is_observed",
        "task_counter",
        "query_duration",
        "every_target_is_up",
        "every_rule_is_sound",
        "watchdog_arrives",
        "labels_are_bounded",
        "error_is_counted",
        "targets_labelled",
    ),
    "logs": (
        "found_by_request_id",
        "not_one_missing",
        "provoked_error_by_level",
        "provoked_error_by_text",
        "cause_is_not_told",
        "five_labels",
        "seven_fields",
        "unbounded_is_no_label",
        "user_is_there",
    ),
    **dict.fromkeys(sorted({*POLICY.required_suites} - {"api", "metrics", "logs"}), ("alone",)),
}


def digest(name: str) -> str:
    """A digest that looks like one."""
    return f"sha256:{sha256(name.encode()).hexdigest()}"


def _wave(number: int, base: float, swing: float) -> Series:
    """60 points, 1.5 s apart, around a base."""
    values = (base + swing * math.sin(0.31 * point + number) * math.cos(0.11 * point) for point in range(60))
    labels = {"service": ("backend", "sync", "audit")[number]}
    return Series(labels, tuple((STARTED + 127 + 1.5 * point, max(0.0, value)) for point, value in enumerate(values)))


def _tests() -> tuple[TestResult, ...]:
    found, at = [], SUITES_FROM
    for suite, names in _TESTS.items():
        for number, name in enumerate(names):
            seconds = 0.4 + 1.7 * ((7 * number + len(name)) % 5)
            test = f"tests/e2e/{suite}/test_{suite}.py::test_{name}"
            request_ids = (f"e2e-{digest(test)[7:15]}",)
            found.append(TestResult(test, suite, "passed", at, seconds * 0.5, request_ids=request_ids))
            at += seconds * 0.5 + 0.1
    last = next(number for number, one in enumerate(found) if one.id.endswith("user_is_there"))
    found[last] = replace(found[last], outcome="skipped", message="needs a second user")
    return tuple(found)


def _measurement(name: str, values: tuple[float, ...], samples: int, series: tuple[Series, ...]) -> Measurement:
    objective = next(one for one in POLICY.objectives if one.name == name)
    return Measurement(
        objective=name,
        kind=objective.kind,
        query=expand(objective.promql, window_seconds=82.4, namespace="default"),
        unit=objective.unit,
        at=SUITES_TO + 1,
        window_seconds=82.4,
        values=values,
        samples=samples,
        series=series,
    )


def _meeting(objective: Objective) -> Measurement:
    """A measurement that meets an objective, in the middle of what it allows."""
    bound = objective.pass_criterion.bound
    value = bound / 2 if objective.pass_criterion.operator in ("<", "<=") else bound + 0.4
    names = tuple(f"service=backend slo={slo}" for slo in objective.slos) or ("audit", "backend", "sync")
    return replace(_measurement(objective.name, (value,) * len(names), objective.min_samples, ()), names=names)


def sound() -> Evidence:
    """A run that passes."""
    run = _measured()
    given = {one.objective for one in run.measurements}
    others = (_meeting(one) for one in POLICY.objectives if one.kind != "tests" and one.name not in given)
    return replace(run, measurements=(*run.measurements, *others))


def _measured() -> Evidence:
    return Evidence(
        schema=EVIDENCE_SCHEMA,
        run_id="20251009T085320Z-0a1b",
        started=STARTED,
        ended=STARTED + 222.4,
        revision="4f1c2e9b7a60",
        dirty=True,
        source_digest=digest("source"),
        runtime="docker",
        kubernetes="v1.34.2",
        images=tuple(
            Image(name, f"localhost:5001/{name}", digest(name), 58_300_000 + 1_000_000 * number)
            for number, name in enumerate(("backend", "sync", "audit"))
        ),
        components=tuple(
            Component(name, version, "source", digest(name), f"artifacts/{name}", int(size * 1e6), seconds, True)
            for name, version, size, seconds in _COMPONENTS
        ),
        steps=tuple(StepTiming(name, STARTED + at, seconds, "done", detail) for name, at, seconds, detail in _STEPS),
        suites=tuple(_TESTS),
        tests=_tests(),
        measurements=(
            _measurement("error-ratio", (0.0, 0.0021), 412, tuple(_wave(n, 0.002, 0.003) for n in range(2))),
            _measurement("p95-latency", (0.094, 0.18, 0.21), 398, tuple(_wave(n, 0.12, 0.09) for n in range(3))),
            _measurement("error-logs", (0.0,), 1893, (replace(_wave(0, 0.0, 0.0), labels={}),)),
            _measurement("event-delay", (0.31, 0.12), 87, tuple(_wave(n, 0.3, 0.2) for n in range(2))),
            _measurement("outbox-empty", (0.0, 0.0), 4, (_wave(0, 0.0, 0.0),)),
            _measurement("provoked-errors", (12.0,), 1893, (replace(_wave(0, 12.0, 3.0), labels={}),)),
            _measurement("targets-up", (1.0,) * 14, 14, (replace(_wave(0, 1.0, 0.0), labels={}),)),
            _measurement("rules-healthy", (0.0,), 31, (replace(_wave(0, 0.0, 0.0), labels={}),)),
        ),
        files=("junit.xml", "logs/kind.log"),
        monitoring=Monitoring(SUITES_FROM, SUITES_TO, starts=(STARTED + 90,), longest_gap_seconds=15.0),
    )


def broken() -> Evidence:
    """A run that fails in many ways, with texts that would be code or secrets if they were let through."""
    run = sound()
    tests = list(run.tests)
    assertion = (
        'AssertionError: not within 45 s; last cause: {namespace="default"} gives 0 lines\n'
        "at tests/e2e/logs/test_backend_logs.py:56"
    )
    tests[3] = replace(tests[3], outcome="failed", message=HOSTILE, request_ids=("e2e-1", "e2e-2"))
    tests[27] = replace(tests[27], outcome="failed", message=assertion)
    tests[28] = replace(tests[28], outcome="error", message="fixture 'story' failed\n" + "x" * 9000)
    errors, latency, logs, *others = run.measurements
    targets = next(one for one in others if one.objective == "targets-up")
    spike = Series(
        {"service": "backend<b>"},
        ((STARTED + 127, 0.01), *errors.series[0].points[20:], (STARTED + 216, 0.09)),
    )
    gap = replace(
        latency.series[0],
        points=tuple(
            (at, math.nan if 150 < at - STARTED < 170 else value * 4) for at, value in latency.series[0].points
        ),
    )
    steps = (
        *run.steps[:-2],
        replace(run.steps[-2], outcome="failed", detail="3 tests failed"),
        run.steps[-1],
    )
    return replace(
        run,
        dirty=False,
        tests=tuple(tests),
        steps=(*steps, StepTiming("gather failure", STARTED + 214.4, 9.1, "cancelled", HOSTILE)),
        measurements=(
            replace(errors, values=(0.09, 0.001), series=(spike, errors.series[1])),
            replace(latency, values=(0.81, 0.2), series=(gap, *latency.series[1:])),
            replace(logs, values=(), samples=0, series=(), error=f"Loki refused the query: 502 {HOSTILE}"),
            targets,
        ),
        failures=(
            "pod default/backend-7d9f4 is not ready\n  seen:     CrashLoopBackOff, exit 1, 4 restarts\n"
            f"  expected: ready within 192 s\n  next:     read logs/backend.log; {HOSTILE}",
        ),
    )


def verdict(evidence: Evidence) -> Verdict:
    """What the real gate says of it by the real policy."""
    return evaluate_gate(POLICY, evidence)
