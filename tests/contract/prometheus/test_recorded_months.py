"""A month's report and an incident's timeline of what a real Prometheus has recorded; metrics that promtool takes.

What was recorded is laid down by promtool as blocks: half a minute after half a minute of 2 1/2 hours of a November.
"""

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tests.contract.programs import answers, free_ports, program, running
from tests.unit.incident.witnesses import witnesses

from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.budgets.month import HOUR, SloMonth, Span
from sluice.budgets.stages import load_budget_policy
from sluice.delivery.exposition import exposition
from sluice.delivery.figures import Figures
from sluice.incident.model import Incident
from sluice.incident.window import Window
from sluice.masking import masker
from sluice.policy import load_policy
from sluice.slo.load import load_slos
from sluice.steps.collect_incident import collect_incident
from sluice.steps.collect_month import collect_month

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]
START = 1_793_491_200.0  # 2026-11-01, midnight in UTC
RECORDED = 2.5 * HOUR
SLO = 'namespace="tasks",service="backend",slo="availability"'
POD = 'namespace="tasks",pod="backend-1",container="backend"'
ALERT = 'ALERTS{alertname="BackendDown",severity="critical",namespace="tasks",alertstate="%s"}'
NEAR = 31.0  # seconds: a sample is seen for half a minute


def during(begin: float, end: float, value: float) -> Callable[[float], float | None]:
    """A value that is there for a while."""
    return lambda at: value if begin <= at <= end else None


def second_hour(otherwise: float, value: float) -> Callable[[float], float | None]:
    """One value in the second hour, another in the others."""
    return lambda at: value if HOUR < at <= 2 * HOUR else otherwise


SERIES: dict[str, Callable[[float], float | None]] = {
    f"slo:sli_total:increase5m{{{SLO}}}": lambda _: 100.0,
    f"slo:sli_error:increase5m{{{SLO}}}": second_hour(0.0, 10.0),
    f"slo:sli_error:ratio_rate5m{{{SLO}}}": second_hour(0.0, 0.1),
    'slo:error_budget:ratio{service="backend",slo="availability"}': lambda _: 0.001,
    f"slo:period_error_budget_remaining:ratio{{{SLO}}}": second_hour(0.9, 0.2),
    ALERT % "pending": during(HOUR, HOUR + 60, 1.0),
    ALERT % "firing": during(HOUR + 90, HOUR + 1200, 1.0),
    f"kube_pod_container_status_restarts_total{{{POD}}}": lambda at: float(at >= HOUR + 600),
    f'kube_pod_container_status_last_terminated_reason{{{POD},reason="OOMKilled"}}': during(HOUR + 600, 9 * HOUR, 1.0),
}


def openmetrics() -> str:
    """All samples, a line each, a series after the other."""
    lines = []
    for name, value_of in SERIES.items():
        for number in range(1, round(RECORDED / 30) + 1):
            value = value_of(30.0 * number)
            lines += [f"{name} {value:g} {START + 30 * number:.0f}"] if value is not None else []
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "recorded.txt").write_text(openmetrics(), encoding="utf-8")
    words = ["tsdb", "create-blocks-from", "openmetrics", str(folder / "recorded.txt"), str(folder / "data")]
    subprocess.run([program("promtool"), *words], check=True, capture_output=True, timeout=120)
    (folder / "prometheus.yaml").write_text("global: {}\n", encoding="utf-8")
    (port,) = free_ports(1)
    argv: list[str | Path] = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y",
        "--query.lookback-delta=30s",  # blocks that are laid down hold no marks of where a series ends
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    url = f"http://127.0.0.1:{port}"
    with running(argv, ready=answers(f"{url}/-/ready"), log=folder / "prometheus.log"):
        yield url


@pytest.fixture
async def prometheus(address: str) -> AsyncIterator[PrometheusMetrics]:
    async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=30) as client:
        yield PrometheusMetrics(client)


async def month(prometheus: PrometheusMetrics, hours: float, namespace: str = "tasks") -> SloMonth:
    policy = load_budget_policy(ROOT, load_policy(ROOT / "release" / "policy.toml"))
    slos = {"backend": [one for one in load_slos(ROOT)["backend"] if one.name == "availability"]}
    when = Span("2026-11", START, START + hours * HOUR, START + 720 * HOUR)
    (found,) = await collect_month(prometheus, slos, policy, when, namespace=namespace)
    return found


async def test_a_month_is_what_was_recorded_and_not_more(prometheus: PrometheusMetrics) -> None:
    """Hours of 1200 events, 120 of the second bad, half of the third known, and nothing of the fourth."""
    found = await month(prometheus, 4)
    assert (found.events, found.bad) == pytest.approx((3000, 120))
    assert found.coverage == pytest.approx(0.625)
    assert found.attained == pytest.approx(0.96)
    assert found.spent == pytest.approx(40)  # of the 3 that may be bad
    assert [value for _, value in found.burn.points][:3] == pytest.approx([0, 40, 40])
    assert (found.rolling_left, found.stage) == (None, ""), "at the end nothing is recorded"


async def test_the_stage_goes_by_what_was_recorded_at_the_end(prometheus: PrometheusMetrics) -> None:
    found = await month(prometheus, 2)
    assert (found.rolling_left, found.stage, found.coverage) == (0.2, "slow-down", 1.0)


async def test_another_namespace_has_no_data(prometheus: PrometheusMetrics) -> None:
    found = await month(prometheus, 4, namespace="others")
    assert (found.coverage, found.attained) == (0.0, None)


async def incident(prometheus: PrometheusMetrics) -> Incident:
    when = Window(START + HOUR / 2, START + 2 * HOUR)
    ask = witnesses(metrics=prometheus)
    return await collect_incident(ask, when, of="gke", namespace="tasks", now=when.end, mask=masker())


async def test_the_timeline_of_what_was_recorded(prometheus: PrometheusMetrics) -> None:
    found = await incident(prometheus)
    told = [(one.kind, one.what, one.at - START - HOUR) for one in found.timeline]
    assert [(kind, what) for kind, what, _ in told] == [
        ("slo", "its error budget burns at up to 100 times what is allowed"),
        ("alert", "BackendDown (critical) fires"),
        ("restart", "started again"),
        ("alert", "BackendDown (critical) is over"),
    ]
    assert [at for _, _, at in told] == pytest.approx([30, 90, 600, 1200], abs=NEAR)
    assert [one.more for one in found.timeline if one.kind == "restart"] == ["OOMKilled"]
    assert next(one.more for one in found.timeline if "fires" in one.what).startswith("pending since 2026-11-01T01:00")


async def test_what_the_budget_lost_meanwhile(prometheus: PrometheusMetrics) -> None:
    (burnt,) = (await incident(prometheus)).burnt
    assert (burnt.events, burnt.bad) == pytest.approx((1800, 120))
    assert (burnt.left_before, burnt.left_after) == (0.9, 0.2)


def test_promtool_takes_the_delivery_figures() -> None:
    found = [
        Figures("gke", 0.0, 10.0, 0.0, 4, 0.44, 3600.0, 5, (), 1, 0.25, 150.0, 1),
        Figures("aks", 0.0, 10.0, None),
    ]
    done = subprocess.run(
        [program("promtool"), "check", "metrics"], input=exposition(found), capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
