"""What releases are made with: whose key, which password, which source; and no secret where it does not belong."""

import io
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.core.support import FakeProgress, git
from tests.unit.core.trees import write

from sluice.adapters.registry.access import Access
from sluice.adapters.registry.cosign import Cosign
from sluice.adapters.registry.oras import Oras
from sluice.adapters.registry.syft import Syft
from sluice.domain import Image
from sluice.errors import CommandFailed, HostError, SettingsError, SignatureRefused, SluiceError
from sluice.promotion.signing import GITHUB, Identity, Key, Keyless, PublicKey, Signer
from sluice.release_tools import Place, ReleaseTools, builder_of, make_tools, release_signer, source_of
from sluice.run import Run
from sluice.settings import ReleaseSettings, Settings, load_settings
from sluice.steps.make_release import Tools

pytestmark = pytest.mark.anyio
SIGNER = Key(Path("cosign.key"), Path("cosign.pub"), "hunter2")
IMAGE = Image("backend", "r/backend", f"sha256:{'a' * 64}")


@dataclass
class Programs:
    """Cosign, oras and syft as far as releases need them: `fails` is what each question is answered with."""

    fails: SluiceError | None = None
    found: str | None = "sha256:1"
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    async def generate_key_pair(self, folder: Path, password: str) -> tuple[Path, Path]:
        self.asked.append(("generate", password))
        (folder / "cosign.key").write_text("private")
        (folder / "cosign.pub").write_text("public")
        return folder / "cosign.key", folder / "cosign.pub"

    async def _ask(self, *given: Any) -> None:
        self.asked.append(given)
        if self.fails:
            raise self.fails

    verify = attestation = sign = attest = sbom = _ask

    async def resolve(self, reference: str, access: Access) -> str | None:
        await self._ask(reference, access)
        return self.found

    async def copy(self, source: str, target: str, *, source_access: Access, target_access: Access) -> None:
        self.asked.append((source, target, source_access, target_access))

    async def push(self, reference: str, folder: Path, files: list[str], kind: str, access: Access) -> str:
        self.asked.append((reference, kind))
        return "sha256:2"


def settings(**release: Any) -> Settings:
    return Settings(release=ReleaseSettings(**release))


async def signer(root: Path, programs: Programs | None = None, **release: Any) -> Signer:
    return await release_signer(root, root / "home", settings(**release), cast(Cosign, programs or Programs()))


async def key(root: Path, programs: Programs | None = None, **release: str) -> Key:
    found = await signer(root, programs, **release)
    assert isinstance(found, Key)
    return found


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = ("SIGSTORE_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    for name in ("COSIGN_PASSWORD", *tokens, "GITHUB_SERVER_URL", "GITHUB_WORKFLOW_REF"):
        monkeypatch.delenv(name, raising=False)


async def test_a_tree_without_a_key_makes_its_own_once_for_nobody_else_to_read(tmp_path: Path) -> None:
    programs = Programs()
    made = await key(tmp_path, programs)
    folder = tmp_path / "home" / "keys"
    assert made == Key(folder / "cosign.key", folder / "cosign.pub", (folder / "password").read_text())
    assert programs.asked == [("generate", made.password)]
    assert len(made.password) > 40
    assert (folder.stat().st_mode & 0o777, (folder / "password").stat().st_mode & 0o777) == (0o700, 0o600)
    assert await key(tmp_path, programs) == made
    assert len(programs.asked) == 1


async def test_another_trees_password_is_another(tmp_path: Path) -> None:
    assert (await key(tmp_path / "a")).password != (await key(tmp_path / "b")).password


async def test_an_own_key_without_its_password_is_told(tmp_path: Path) -> None:
    await key(tmp_path)
    (tmp_path / "home" / "keys" / "password").unlink()
    with pytest.raises(HostError, match="no password of the key") as caught:
        await key(tmp_path)
    assert "No such file" in caught.value.seen


async def test_a_given_key_has_its_password_in_a_file_or_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"keys/a.key": "private", "keys/password": " correct horse \n"})
    found = await key(tmp_path, key="keys/a.key", password_file="keys/password")
    assert found == Key(tmp_path / "keys/a.key", tmp_path / "keys/a.pub", " correct horse ")
    monkeypatch.setenv("COSIGN_PASSWORD", "of the environment")
    assert (await key(tmp_path, key="keys/a.key")).password == "of the environment"
    assert (await key(tmp_path, key="keys/a.key", password_file="keys/password")).password == " correct horse "
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({}, "neither [release] password_file nor COSIGN_PASSWORD"),
        ({"password_file": "gone"}, "gone: No such file or directory"),
        ({"password_file": "folder"}, "folder: Is a directory"),
        ({"password_file": "binary"}, "binary: not UTF-8"),
    ],
)
async def test_a_key_without_a_password_is_told(tmp_path: Path, given: dict[str, Any], seen: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(HostError, match="no password of the key that releases are signed with") as caught:
        await key(tmp_path, key="a.key", **given)
    assert caught.value.seen == seen


async def test_without_a_key_a_workflow_signs_as_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hush")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_WORKFLOW_REF", "acme/tasks/.github/workflows/release.yml@refs/tags/v1")
    programs = Programs()
    found = await signer(tmp_path, programs, keyless=True)
    us = "https://github.com/acme/tasks/.github/workflows/release.yml@refs/tags/v1"
    assert found == Keyless(Identity(GITHUB, us))
    assert (str(found), "hush" in repr(found)) == (us, False)
    assert programs.asked == [], "no pair of keys is made"
    # Another issuer, and a Sigstore of one's own.
    other: dict[str, Any] = {"issuer": "https://gitlab.com", "subject": "https://gitlab.com/a"}
    other |= {"signing_config": "s.json", "trusted_root": "/etc/t.json"}
    found = await signer(tmp_path, keyless=True, **other)
    theirs = Identity("https://gitlab.com", "https://gitlab.com/a", "/etc/t.json")
    assert found == Keyless(theirs, tmp_path / "s.json")


async def test_without_a_key_and_without_an_identity_it_is_told_before_anything_is_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(HostError, match="cannot be signed without a key here") as caught:
        await signer(tmp_path, keyless=True, subject="https://gitlab.com/a")
    assert "neither SIGSTORE_ID_TOKEN nor ACTIONS_ID_TOKEN_REQUEST_TOKEN" in caught.value.seen
    assert "id-token: write" in caught.value.expected
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", "hush")
    with pytest.raises(HostError, match="as whom") as caught:
        await signer(tmp_path, keyless=True)
    assert "SLUICE_RELEASE_SUBJECT" in caught.value.next_command


def test_a_key_and_keyless_are_too_much_wherever_they_are_given(tmp_path: Path) -> None:
    write(tmp_path, {"sluice.toml": '[release]\nkey = "a.key"\nsubject = "https://github.com/acme/*"\n'})
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, {"SLUICE_RELEASE_KEYLESS": "1"})
    twice, pattern = caught.value.mistakes
    assert twice == (
        "SLUICE_RELEASE_KEYLESS: release.keyless: there is a key already: it is the one or the other, seen '1'"
    )
    assert pattern.startswith("sluice.toml:3: release.subject: "), "who signs is one, and no pattern"
    write(tmp_path, {"sluice.toml": '[release]\nkey = "a.key"\n'})
    assert load_settings(tmp_path, {"SLUICE_RELEASE_KEYLESS": "1", "SLUICE_RELEASE_KEY": ""}).release.keyless


def test_a_password_is_in_no_message() -> None:
    assert "hunter2" not in repr(SIGNER) + str(SIGNER)


@pytest.mark.parametrize(
    ("remote", "source"),
    [
        ("https://example.org/tasks.git", "git+https://example.org/tasks.git"),
        ("https://me:s3cret@example.org:8443/tasks", "git+https://example.org:8443/tasks"),
        ("https://s3cret@example.org/tasks", "git+https://example.org/tasks"),
        ("https://me:s3cret@x@example.org/tasks", "git+https://example.org/tasks"),
        ("https://example.org/@team/tasks", "git+https://example.org/@team/tasks"),
        ("https://example.org/tasks?private_token=s3cret#s3cret", "git+https://example.org/tasks"),
        ("https://me:s3cret/x@example.org/tasks", "git+urn:sluice:tree"),
        ("https://me:s3cret", "git+urn:sluice:tree"),
        ("https://[s3cret/tasks", "git+urn:sluice:tree"),
        ("ssh://git@example.org:22/tasks", "git+ssh://example.org:22/tasks"),
        ("git@example.org:team/tasks.git", "git+ssh://example.org/team/tasks.git"),
        ("example.org:team/tasks.git", "git+ssh://example.org/team/tasks.git"),
        ("/srv/me@work/tasks:1", "git+urn:sluice:tree"),
        ("../tasks", "git+urn:sluice:tree"),
        ("", "git+urn:sluice:tree"),
    ],
)
def test_a_source_is_a_uri_without_a_user_or_a_password(tmp_path: Path, remote: str, source: str) -> None:
    git(tmp_path, "init", "--quiet")
    if remote:
        git(tmp_path, "remote", "add", "origin", remote)
    found = source_of(tmp_path)
    assert found == source
    assert "s3cret" not in found


def test_a_builder_is_a_workflows_run_or_else_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"SERVER_URL": "https://ci.example.org", "REPOSITORY": "acme/tasks", "RUN_ID": "7"}
    for name, value in given.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    assert builder_of() == "https://ci.example.org/acme/tasks/actions/runs/7"
    monkeypatch.delenv("GITHUB_RUN_ID")
    monkeypatch.setattr("socket.gethostname", lambda: "here")
    assert builder_of() == "urn:sluice:host:here"


def bound(root: Path, programs: Programs, built: Place | None = None) -> Tools:
    tools = ReleaseTools(cast(Cosign, programs), cast(Oras, programs), cast(Syft, programs))
    place = Place("r.example.org/acme", Access(plain=True))
    places = (built or place), place
    return make_tools(root, Run(root / "runs", FakeProgress()), tools, places, SIGNER, Path("crds"))


async def test_an_image_that_a_run_left_elsewhere_is_brought_to_where_releases_are_kept(tmp_path: Path) -> None:
    programs, built = Programs(), Place("localhost:5001", Access(ca=Path("ca")))
    left = Image("backend", "localhost:5001/backend", IMAGE.digest)
    brought = await bound(tmp_path, programs, built).bring(left)
    assert brought.reference == f"r.example.org/acme/backend@{IMAGE.digest}"
    assert programs.asked == [(left.reference, "r.example.org/acme/backend", built.access, Access(plain=True))]
    assert await bound(tmp_path, programs).bring(IMAGE) == IMAGE
    assert len(programs.asked) == 1, "what lies there already stays"


async def test_what_nobody_signed_is_to_be_signed_and_other_trouble_is_told(tmp_path: Path) -> None:
    programs = Programs()
    tools = bound(tmp_path, programs)
    assert await tools.signed(IMAGE.reference)
    assert await tools.attested(IMAGE.reference, "cyclonedx")
    programs.fails = SignatureRefused("not signed", signed=False)
    assert not await tools.signed(IMAGE.reference)
    assert not await tools.attested(IMAGE.reference, "cyclonedx")
    programs.fails = CommandFailed("the registry does not answer", status=1)
    for ask in (tools.signed(IMAGE.reference), tools.attested(IMAGE.reference, "cyclonedx")):
        with pytest.raises(CommandFailed, match="does not answer"):
            await ask


async def test_programs_are_told_what_they_need_by_digest(tmp_path: Path) -> None:
    programs = Programs()
    tools, plain = bound(tmp_path, programs), Access(plain=True)
    assert await tools.holds(IMAGE)
    programs.found = None
    assert not await tools.holds(IMAGE)
    await tools.sign(IMAGE.reference)
    await tools.attest(IMAGE.reference, "cyclonedx", Path("sbom.json"))
    await tools.sbom(IMAGE.reference, Path("sbom.json"))
    pushed = await tools.push("run-1", tmp_path, ["release.json"])
    assert pushed == "r.example.org/acme/releases@sha256:2"
    assert programs.asked[2:] == [
        (IMAGE.reference, SIGNER, plain),
        (IMAGE.reference, PublicKey(Path("cosign.pub")), plain),  # what was signed is verified at once
        (IMAGE.reference, Path("sbom.json"), "cyclonedx", SIGNER, plain),
        (IMAGE.reference, Path("sbom.json"), plain),
        ("r.example.org/acme/releases:run-1", "application/vnd.sluice.release.v1"),
    ]


async def test_charts_are_those_of_the_revision_whatever_the_tree_holds_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    write(tmp_path, {"helm/a/Chart.yaml": "old", "k8s-fixtures/namespaces.yaml": "old", "services/x": "old"})
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    revision = git(tmp_path, "rev-parse", "HEAD")
    write(tmp_path, {"helm/a/Chart.yaml": "new", "helm/b/Chart.yaml": "new"})
    tools = bound(tmp_path, Programs())
    with tarfile.open(fileobj=io.BytesIO(await tools.archive(revision))) as tar:
        held = {one.name: (tar.extractfile(one) or io.BytesIO()).read() for one in tar.getmembers() if one.isfile()}
    assert held == {"helm/a/Chart.yaml": b"old", "k8s-fixtures/namespaces.yaml": b"old"}
    with pytest.raises(CommandFailed, match="reading the charts of 0000"):
        await tools.archive("0" * 40)
    assert list((tmp_path / "temporary").iterdir()) == [], "no file is left behind"
