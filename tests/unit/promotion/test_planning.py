"""The plan of a promotion: every chart as it is and as it would be, with the images of the release."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.promotion.worlds import LOCAL, PLACE, fetched

from sluice.planning import plan_of
from sluice.promotion.release import Release
from sluice.steps.fetch_release import Fetched

pytestmark = pytest.mark.anyio


class FakeHelm:
    """Implements as much of adapters.helm.charts.Helm as a plan asks; `asked` has what was rendered."""

    def __init__(self) -> None:
        self.asked: dict[str, tuple[str, str, Any, Any]] = {}

    async def manifest(self, name: str, namespace: str) -> str:
        """What is installed; nothing of logging."""
        return "" if name == "logging" else f"kind: Service\nmetadata: {{name: {name}}}\nspec: old\n"

    async def rendered(self, name: str, chart: str, namespace: str, *, values: Any, value_files: Any) -> str:
        """What would be; monitoring stays as it is."""
        self.asked[name] = (chart, namespace, values, value_files)
        spec = "old" if name == "monitoring" else "new"
        return f"kind: Service\nmetadata: {{name: {name}}}\nspec: {spec}\n"


async def test_each_chart_is_compared_with_what_is_installed() -> None:
    helm = FakeHelm()

    async def running() -> dict[str, tuple[str, ...]]:
        return {"default/api/api": (f"{PLACE.repository}/api@sha256:image-of-A",)}

    there: Any = SimpleNamespace(
        target=LOCAL,
        running=running,
        helm=lambda _: helm,
        values_for=lambda _, chart: [Path(f"values of {chart}")],
    )
    made = fetched("B")
    loki = made.release.images[0].__class__("loki", "source:5000/loki", "sha256:loki")
    release = Fetched(Release(**{**vars(made.release), "components": (loki,)}), made.verdict, "r@d", Path()).at(
        PLACE.repository
    )
    plan = await plan_of(there, release, "A")
    assert (plan.target, plan.release, plan.now) == ("local", "B", "A")
    assert [(one.name, one.now, one.then) for one in plan.images] == [
        ("api", ("sha256:image-of-A",), "sha256:image-of-B"),
        ("loki", (), "sha256:loki"),
    ]
    assert {one.name: (one.new, one.changed) for one in plan.charts} == {
        "monitoring": ((), ()),
        "logging": (("Service/logging",), ()),
        "api": ((), ("Service/api",)),
    }
    ours = {"repository": f"{PLACE.repository}/loki", "digest": "sha256:loki"}
    image = {"repository": f"{PLACE.repository}/api", "digest": "sha256:image-of-B"}
    assert helm.asked == {
        "monitoring": ("helm/monitoring", "monitoring", {"images": {}}, [Path("values of monitoring")]),
        "logging": ("helm/logging", "logging", {"images": {"loki": ours}}, [Path("values of logging")]),
        "api": ("helm/service", "default", {"image": image}, [Path("values of service-api")]),
    }


async def test_grafana_is_in_the_plan_as_it_is_in_a_deploy() -> None:
    helm = FakeHelm()

    async def running() -> dict[str, tuple[str, ...]]:
        return {}

    there: Any = SimpleNamespace(target=LOCAL, running=running, helm=lambda _: helm, values_for=lambda *_: [])
    made = fetched("B")
    grafana = made.release.images[0].__class__("grafana", "r/grafana", "sha256:g")
    release = Release(**{**vars(made.release), "components": (grafana,)})
    await plan_of(there, Fetched(release, made.verdict, "r@d", Path()), "A")
    assert helm.asked["monitoring"][2] == {
        "images": {"grafana": {"repository": "r/grafana", "digest": "sha256:g"}},
        "grafana": {"enabled": True},
    }
