"""install_fixtures and install_secrets: what is made once, what for each service, and what is waited for."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jwt
import pytest

from sluice.domain import ChartRelease, Fixture, Image, Service
from sluice.errors import NotReady
from sluice.steps.install_charts import Installer, values_in
from sluice.steps.install_fixtures import install_fixture, provide
from sluice.steps.install_secrets import install_secrets, signing_keys

pytestmark = pytest.mark.anyio
KAFKA = Fixture("kafka", ("kafka", "jmx-exporter"))
IMAGES = {name: Image(name, f"r/{name}", "sha256:1") for name in KAFKA.images}
SERVICE = Service("recurring-task", "", "services/recurring-task", 8000, "helm/x", "recurring_task", ("postgresql",))


class Recorder:
    """Implements Charts, Manifests and RolledOut; `done` has everything in order."""

    def __init__(self, *workloads: str) -> None:
        self.workloads = workloads
        self.done: list[tuple[Any, ...]] = []
        self.secrets: dict[str, Mapping[str, str]] = {}
        self.never = False

    async def install(self, release: str, chart: str, namespace: str, **_: Any) -> ChartRelease:
        raise AssertionError("a fixture is no chart")

    async def installed(self, release: str, namespace: str) -> bool:
        raise AssertionError("no chart")

    async def apply(self, path: Path, *, server_side: bool = True) -> None:
        raise AssertionError("a fixture is a kustomization")

    async def apply_fixture(
        self, folder: Path, images: Mapping[str, Image], namespace: str, *, label: tuple[str, str]
    ) -> tuple[str, ...]:
        self.done.append(("apply", folder, sorted(images), namespace, label))
        return self.workloads

    async def apply_for_service(
        self, file: Path, images: Mapping[str, Image], namespace: str, *, service: str, label: tuple[str, str]
    ) -> tuple[str, ...]:
        self.done.append(("apply", file, sorted(images), namespace, label, service))
        return self.workloads

    async def ensure_secret(
        self, name: str, namespace: str, values: Mapping[str, str], *, kind: str = "Opaque"
    ) -> None:
        self.done.append(("secret", name, namespace))
        self.secrets[name] = values

    async def __call__(self, namespace: str, *, expect: Sequence[str] = (), selector: str = "") -> None:
        self.done.append(("rolled out", namespace, list(expect), selector))
        if self.never:
            raise NotReady("kafka-0 is not ready")


def installer(recorder: Recorder) -> Installer:
    return Installer(Path("/tree"), recorder, recorder, recorder, values_in(Path("/values")))


async def test_a_fixture_is_up_when_what_of_it_runs_is() -> None:
    recorder = Recorder("StatefulSet/kafka")
    await install_fixture(installer(recorder), KAFKA, "default", IMAGES)
    label = ("sluice.dev/applied", "kafka")
    assert recorder.done == [
        ("secret", "kafka", "default"),
        ("secret", "kafka-monitoring", "default"),
        ("apply", Path("/tree/k8s-fixtures/kafka"), ["jmx-exporter", "kafka"], "default", label),
        ("rolled out", "default", ["default/StatefulSet/kafka"], "sluice.dev/applied=kafka"),
    ]


async def test_a_fixture_of_which_nothing_runs_is_not_waited_for() -> None:
    recorder = Recorder()
    await install_fixture(installer(recorder), Fixture("dapr", ("daprd",)), "default", {})
    assert [kind for kind, *_ in recorder.done] == ["secret", "secret", "apply"]


async def test_a_fixture_that_does_not_come_up_fails_the_step() -> None:
    recorder = Recorder("StatefulSet/kafka")
    recorder.never = True
    with pytest.raises(NotReady, match="kafka-0"):
        await install_fixture(installer(recorder), KAFKA, "default", IMAGES)


async def test_every_password_is_another() -> None:
    passwords = set()
    for _ in range(2):
        recorder = Recorder()
        await install_fixture(installer(recorder), KAFKA, "default", IMAGES)
        await provide(installer(recorder), KAFKA, SERVICE, "default", IMAGES)
        passwords |= {values["password"] for values in recorder.secrets.values()}
    assert len(passwords) == 6
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", password) for password in passwords)


async def test_what_a_service_gets_of_a_fixture_is_waited_for_by_itself() -> None:
    recorder = Recorder("Job/postgresql-provision-recurring-task-1")
    fixture = Fixture("postgresql", ("postgresql",), each_service=True)
    await provide(installer(recorder), fixture, SERVICE, "default", IMAGES)
    name = "postgresql.recurring-task"
    file = Path("/tree/k8s-fixtures/postgresql/each-service.yaml")
    assert recorder.done == [
        ("secret", "recurring-task-database", "default"),
        ("apply", file, ["jmx-exporter", "kafka"], "default", ("sluice.dev/applied", name), "recurring-task"),
        (
            "rolled out",
            "default",
            ["default/Job/postgresql-provision-recurring-task-1"],
            f"sluice.dev/applied={name}",
        ),
    ]


async def test_secrets_that_services_share_are_made_in_their_namespace() -> None:
    recorder = Recorder()
    await install_secrets(installer(recorder), "apps")
    assert recorder.done == [("secret", "user-tokens", "apps"), ("secret", "dapr-app-token", "apps")]
    assert set(recorder.secrets["user-tokens"]) == {"jwks.json", "signing-key.jwk"}
    assert len(recorder.secrets["dapr-app-token"]["token"]) == 43
    [public] = json.loads(recorder.secrets["user-tokens"]["jwks.json"])["keys"]
    assert "d" not in public, "whoever verifies tokens could sign them"


async def test_what_is_signed_with_the_private_key_is_verified_with_the_public_one_and_no_other() -> None:
    recorder, other = Recorder(), Recorder()
    for one in (recorder, other):
        await install_secrets(installer(one), "apps")
    tokens = recorder.secrets["user-tokens"]
    private = json.loads(tokens["signing-key.jwk"])
    token = jwt.encode({"sub": "ann"}, jwt.PyJWK(private), "ES256", headers={"kid": private["kid"]})
    keys = jwt.PyJWKSet.from_json(tokens["jwks.json"])
    assert jwt.decode(token, keys[private["kid"]], algorithms=["ES256"]) == {"sub": "ann"}
    foreign = jwt.PyJWKSet.from_json(other.secrets["user-tokens"]["jwks.json"]).keys[0]
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, foreign, algorithms=["ES256"])


def test_the_public_key_gives_nothing_private_away_and_is_named_by_its_thumbprint() -> None:
    public, private = signing_keys()
    assert private == {**public, "d": private["d"]}
    assert {name: public[name] for name in ("kty", "crv", "alg", "use")} == {
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
    }  # fmt: skip
    # RFC 7638, 3.1: the required members in order, without white space.
    text = f'{{"crv":"P-256","kty":"EC","x":"{public["x"]}","y":"{public["y"]}"}}'
    digest = hashlib.sha256(text.encode()).digest()
    assert public["kid"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    # Numbers have leading zeros (RFC 7518, 6.2.1.2): 32 bytes each.
    assert {len(key) for key in (public["x"], public["y"], private["d"])} == {43}
