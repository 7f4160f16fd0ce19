"""install_receivers: what Alertmanager reads is there before it, and the receivers are waited for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.domain import ChartRelease, Image
from sluice.errors import NotReady
from sluice.steps.install_charts import Installer, values_in
from sluice.steps.install_receivers import NAME, install_receivers, install_receivers_secrets

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]
IMAGE = Image("audit", "r/audit", "sha256:1")


class Recorder:
    """Implements Charts, Manifests and RolledOut; `done` has everything in order."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.secrets: dict[str, Mapping[str, str]] = {}
        self.never = False

    async def install(self, release: str, chart: str, namespace: str, **_: Any) -> ChartRelease:
        raise AssertionError("the receivers are no chart")

    async def installed(self, release: str, namespace: str) -> bool:
        raise AssertionError("no chart")

    async def apply(self, path: Path, *, server_side: bool = True) -> None:
        raise AssertionError("the receivers are a kustomization")

    async def apply_fixture(
        self, folder: Path, images: Mapping[str, Image], namespace: str, *, label: tuple[str, str]
    ) -> tuple[str, ...]:
        self.done.append(("apply", folder, images, namespace, label))
        return ("StatefulSet/alert-receivers",)

    async def apply_for_service(self, *_: Any, **__: Any) -> tuple[str, ...]:
        raise AssertionError("the receivers are nothing of a service")

    async def ensure_secret(
        self, name: str, namespace: str, values: Mapping[str, str], *, kind: str = "Opaque"
    ) -> None:
        self.secrets[f"{namespace}/{name}"] = values

    async def __call__(self, namespace: str, *, expect: Sequence[str] = (), selector: str = "") -> None:
        self.done.append(("rolled out", namespace, list(expect), selector))
        if self.never:
            raise NotReady("alert-receivers-0 is not ready")


def installer(recorder: Recorder) -> Installer:
    return Installer(Path("/tree"), recorder, recorder, recorder, values_in(Path("/values")))


async def test_every_secret_that_the_suites_values_name_is_made_with_its_key() -> None:
    recorder = Recorder()
    await install_receivers_secrets(installer(recorder), "watch")
    made = {name.removeprefix("watch/"): values for name, values in recorder.secrets.items()}
    values = yaml.safe_load((ROOT / "tests" / "e2e" / "values" / "monitoring.yaml").read_text(encoding="utf-8"))
    keys = {"slack": "url", "webhook": "url", "pagerduty": "routing-key", "email": "password"}
    named = {
        one["secret"]: keys[kind]
        for receiver in values["alertmanager"]["receivers"].values()
        for kind, one in receiver.items()
        if "secret" in one
    }
    assert {name: next(iter(one)) for name, one in made.items()} == named
    assert made[f"{NAME}-slack"]["url"].startswith("http://alert-receivers.watch:8080/slack/")


async def test_no_two_runs_have_the_same_secrets() -> None:
    first, second = Recorder(), Recorder()
    for one in (first, second):
        await install_receivers_secrets(installer(one), "monitoring")
    assert all(second.secrets[name] != values for name, values in first.secrets.items())


async def test_the_receivers_run_from_a_services_image_and_are_waited_for() -> None:
    recorder = Recorder()
    await install_receivers(installer(recorder), "monitoring", IMAGE)
    label = ("sluice.dev/applied", NAME)
    assert recorder.done == [
        ("apply", Path("/tree/k8s-fixtures/alert-receivers"), {"service": IMAGE}, "monitoring", label),
        ("rolled out", "monitoring", ["monitoring/StatefulSet/alert-receivers"], "sluice.dev/applied=alert-receivers"),
    ]
    recorder.never = True
    with pytest.raises(NotReady, match="alert-receivers-0"):
        await install_receivers(installer(recorder), "monitoring", IMAGE)
