"""The run whose evidence lies in stored/: something of everything that the gate judges by.

Written once by `python -m tests.unit.gate.stored_run`. To write it anew is to say that verdicts which were given are
computed differently from now on.
"""

from dataclasses import replace
from pathlib import Path

from tests.unit.gate.samples import DIGEST, EVIDENCE, STARTED, TESTS, result

from sluice.domain import Attempt, Baseline, Evidence, Kind, Measurement, Monitoring, Override, Quarantined, dump
from sluice.policy import load_policy
from sluice.steps.evaluate_gate import evaluate_gate

FOLDER = Path(__file__).parent / "stored"
_RATIOS = (0.2, 0.23, 0.19, 0.31, 0.27)


def _measured(
    objective: str, kind: Kind, query: str, unit: str, *values: float, names: tuple[str, ...] = ()
) -> Measurement:
    return Measurement(
        objective,
        kind,
        query,
        unit,
        STARTED + 195,
        95.0,
        values,
        samples=120,
        names=names,
    )


def _measurements(latency: float, sync: float, errors: float) -> tuple[Measurement, ...]:
    left = 'slo:period_error_budget_remaining:ratio{namespace="default",slo=~"availability"}'
    lines = 'sum(count_over_time({namespace="default"} [95s])) or vector(0)'
    services = ("service=backend", "service=sync")
    return (
        _measured("p95-latency", "promql", 'p95{namespace="default"}[95s]', "seconds", 0.1, latency, names=services),
        _measured("image-size", "image", "size", "bytes", 207_279_118, sync, names=("backend", "sync")),
        _measured("error-budget", "slo", left, "ratio", 1 / 3, names=("service=backend slo=availability",)),
        _measured("error-logs", "logql", lines, "lines", errors, names=("",)),
    )


def evidence() -> Evidence:
    """A run with a flaky test, one in quarantine, a slower service, a larger image and an override of error lines."""
    flaky = replace(result("flaky", "api", "failed"), attempts=(Attempt("passed", STARTED + 150, 0.5),))
    held = result("held", "logs", "failed", "AssertionError: 0 lines")
    return replace(
        EVIDENCE,
        tests=(*TESTS, flaky, held),
        measurements=_measurements(0.35, 230_000_000, 2.0),
        baselines=tuple(
            Baseline(f"run-{n}", STARTED - 9000 + n, f"rev-{n}", (DIGEST,), _measurements(value, 200_000_000 + n, 0.0))
            for n, value in enumerate(_RATIOS)
        ),
        overrides=(Override("error-logs", "Ada Lovelace", "two lines of a known cause, ticket 7", STARTED + 9000),),
        quarantine=(Quarantined(held.id, "Ada Lovelace", "ticket 8", STARTED + 9000),),
        monitoring=Monitoring(STARTED + 100, STARTED + 195, 0.012, 0.003, (STARTED - 60.5,), 30.0),
    )


def sound() -> Evidence:
    """The same run with nothing against it: it passes."""
    measurements = _measurements(0.35, 200_000_000, 0.0)
    return replace(evidence(), tests=TESTS, measurements=measurements, overrides=(), quarantine=())


def main() -> None:
    """Write evidence and verdict."""
    (FOLDER / "evidence.json").write_bytes(dump(evidence()))
    verdict = evaluate_gate(load_policy(FOLDER / "policy.toml"), evidence())
    (FOLDER / "verdict.json").write_bytes(dump(verdict))


if __name__ == "__main__":
    main()
