"""install_charts: which chart gets which values, images by digest only, passwords that nobody sees."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sluice.domain import ChartRelease, Image, Service
from sluice.errors import NotReady
from sluice.steps.install_charts import (
    Installer,
    install_logging,
    install_monitoring,
    install_service,
    prepare,
    values_in,
)

pytestmark = pytest.mark.anyio
LOKI = Image("loki", "localhost:5001/loki", "sha256:1")
SERVICE = Service("backend", "", "services/backend", 8000, "helm/backend", "backend", ("postgresql",))


class Recorder:
    """Implements Charts, Manifests and RolledOut; `done` has everything in order."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.values: Mapping[str, Any] = {}
        self.given: list[Mapping[str, Any]] = []
        self.secrets: dict[str, Mapping[str, str]] = {}
        self.never = False
        self.was_up = False

    async def installed(self, release: str, namespace: str) -> bool:
        return self.was_up

    async def install(
        self,
        release: str,
        chart: str,
        namespace: str,
        *,
        values: Mapping[str, object],
        value_files: Sequence[Path] = (),
    ) -> ChartRelease:
        self.done.append(("install", release, chart, namespace, [file.name for file in value_files]))
        self.values = values
        self.given.append(values)
        return ChartRelease(release, namespace, 1)

    async def apply(self, path: Path, *, server_side: bool = True) -> None:
        self.done.append(("apply", path.name))

    async def apply_fixture(
        self, folder: Path, images: Mapping[str, Image], namespace: str, *, label: tuple[str, str]
    ) -> tuple[str, ...]:
        raise AssertionError("no chart is a fixture")

    async def apply_for_service(
        self, file: Path, images: Mapping[str, Image], namespace: str, *, service: str, label: tuple[str, str]
    ) -> tuple[str, ...]:
        raise AssertionError("no chart is a fixture")

    async def ensure_secret(
        self, name: str, namespace: str, values: Mapping[str, str], *, kind: str = "Opaque"
    ) -> None:
        self.done.append(("secret", name, namespace))
        self.secrets[name] = values

    async def __call__(self, namespace: str, *, expect: Sequence[str] = (), selector: str = "") -> None:
        self.done.append(("rolled out", namespace, list(expect), selector))
        if self.never:
            raise NotReady("loki-0 is not ready")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def installer(tmp_path: Path, recorder: Recorder) -> Installer:
    (tmp_path / "values").mkdir()
    (tmp_path / "values" / "service.yaml").write_text("")
    return Installer(tmp_path, recorder, recorder, recorder, values_in(tmp_path / "values"))


async def test_namespaces_come_before_definitions(installer: Installer, recorder: Recorder, tmp_path: Path) -> None:
    await prepare(installer, tmp_path / "definitions")
    assert recorder.done == [("apply", "namespaces.yaml"), ("apply", "definitions")]


async def test_monitoring_that_was_up_is_not_taken_back_to_its_first_phase(
    installer: Installer, recorder: Recorder
) -> None:
    recorder.was_up = True
    await install_monitoring(installer, "watch", {"prometheus": LOKI}, None)
    assert [entry[0] for entry in recorder.done] == ["install", "rolled out"]
    assert recorder.given == [{"images": {"prometheus": {"repository": "localhost:5001/loki", "digest": "sha256:1"}}}]


async def test_monitoring_is_up_when_what_the_operator_makes_is(installer: Installer, recorder: Recorder) -> None:
    release = await install_monitoring(installer, "watch", {"prometheus": LOKI}, None)
    assert release == ChartRelease("monitoring", "watch", 1)
    assert recorder.done == [
        ("install", "monitoring", "helm/monitoring", "watch", []),
        ("rolled out", "watch", ["watch/StatefulSet/prometheus-k8s", "watch/StatefulSet/alertmanager-main"], ""),
        ("install", "monitoring", "helm/monitoring", "watch", []),
    ]
    for server in ("metricsServer", "prometheusAdapter"):
        assert recorder.given[0][server] == {"registered": False}, "the API server hears of it once it serves"
    assert recorder.values == {"images": {"prometheus": {"repository": "localhost:5001/loki", "digest": "sha256:1"}}}


async def test_grafana_comes_with_a_secret_of_its_own(installer: Installer, recorder: Recorder) -> None:
    await install_monitoring(installer, "watch", {}, Image("grafana", "r/grafana", "sha256:2"))
    assert recorder.done[0] == ("secret", "grafana", "watch")
    assert recorder.values["grafana"] == {"enabled": True}
    assert recorder.values["images"]["grafana"]["digest"] == "sha256:2"
    assert recorder.secrets["grafana"]["password"] not in str(recorder.values)


async def test_logging_waits_for_everything_of_its_namespace(installer: Installer, recorder: Recorder) -> None:
    await install_logging(installer, "logs", {"loki": LOKI})
    assert recorder.done == [("install", "logging", "helm/logging", "logs", []), ("rolled out", "logs", [], "")]


async def test_what_does_not_come_up_fails_the_step(installer: Installer, recorder: Recorder) -> None:
    recorder.never = True
    with pytest.raises(NotReady, match="loki-0"):
        await install_logging(installer, "logs", {"loki": LOKI})


async def test_a_service_is_waited_for_by_itself(installer: Installer, recorder: Recorder) -> None:
    await install_service(installer, SERVICE, "default", Image("backend", "r/backend", "sha256:4"), {"kafka": LOKI})
    assert recorder.done == [
        ("install", "backend", "helm/backend", "default", ["service.yaml"]),
        ("rolled out", "default", ["default/Deployment/backend"], "app.kubernetes.io/instance=backend"),
    ]
    assert recorder.values == {"image": {"repository": "r/backend", "digest": "sha256:4"}}


async def test_suites_values_of_one_service_come_after_those_of_all(
    installer: Installer, recorder: Recorder, tmp_path: Path
) -> None:
    (tmp_path / "values" / "service-backend.yaml").write_text("")
    (tmp_path / "values" / "service-other.yaml").write_text("")
    await install_service(installer, SERVICE, "default", Image("backend", "r/backend", "sha256:4"), {})
    assert recorder.done[0] == (
        "install", "backend", "helm/backend", "default", ["service.yaml", "service-backend.yaml"],
    )  # fmt: skip


async def test_a_service_that_requires_dapr_is_given_the_sidecars_image(
    installer: Installer, recorder: Recorder
) -> None:
    service = replace(SERVICE, requires=("dapr", "kafka"))
    daprd = Image("daprd", "r/daprd", "sha256:5")
    await install_service(installer, service, "default", LOKI, {"kafka": LOKI, "daprd": daprd})
    assert recorder.values["dapr"] == {"image": {"repository": "r/daprd", "digest": "sha256:5"}}
    assert set(recorder.values) == {"image", "dapr"}
