"""A registry that asks who somebody is: its files, how it is spoken to, and where its password is not."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import bcrypt
import pytest
from cryptography import x509
from tests.unit.core.support import OURS, FakeEngine, container_json, failed

from sluice import certificates
from sluice.adapters.docker import secured
from sluice.adapters.docker.registry import LocalRegistry
from sluice.adapters.docker.secured import Secured
from sluice.errors import ClusterError, CommandFailed

pytestmark = pytest.mark.anyio
ADDRESS = "localhost:5443"
NAMES = ("mine-registry", "localhost", "127.0.0.1")


@pytest.fixture
def made(tmp_path: Path) -> Secured:
    found = Secured(tmp_path / "target")
    found.ensure(ADDRESS, NAMES)
    return found


def contents(made: Secured) -> dict[str, bytes]:
    return {str(path.relative_to(made.folder)): path.read_bytes() for path in made.folder.rglob("*") if path.is_file()}


def test_it_has_what_its_two_sides_read(made: Secured) -> None:
    assert sorted(contents(made)) == [
        "ca.crt", "config.json", "registry/htpasswd", "registry/registry.crt", "registry/registry.key",
    ]  # fmt: skip
    user, password = made.login()
    assert json.loads(made.credentials.read_text()) == {
        "auths": {ADDRESS: {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}}
    }
    name, _, hashed = (made.folder / "registry" / "htpasswd").read_text().strip().partition(":")
    assert name == user
    assert bcrypt.checkpw(password.encode(), hashed.encode())
    assert len(password) >= 32


def test_nobody_else_reads_any_of_it_and_the_password_is_in_one_file(made: Secured) -> None:
    _, password = made.login()
    for name, content in contents(made).items():
        assert (made.folder / name).stat().st_mode & 0o777 == 0o600, name
        assert password.encode() not in content, name
    assert (made.folder / "registry").stat().st_mode & 0o777 == 0o700
    assert password not in repr(made)
    assert not [word for word in made.run_arguments() if password in word]


def test_its_certificate_is_for_its_names_and_signed_by_the_authority(made: Secured) -> None:
    authority = x509.load_pem_x509_certificate(made.ca.read_bytes())
    own = x509.load_pem_x509_certificate((made.folder / "registry" / "registry.crt").read_bytes())
    own.verify_directly_issued_by(authority)
    names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mine-registry", "localhost"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert own.not_valid_before_utc < datetime.now(UTC) < own.not_valid_after_utc


def test_it_is_made_once(made: Secured) -> None:
    before = contents(made)
    Secured(made.folder).ensure(ADDRESS, NAMES)
    assert contents(made) == before


def test_two_have_passwords_of_their_own(made: Secured, tmp_path: Path) -> None:
    other = Secured(tmp_path / "other")
    other.ensure(ADDRESS, NAMES)
    assert other.login() != made.login()


@pytest.mark.parametrize("broken", ["", "{", "[]", "{}", '{"auths": null}', '{"auths": {"localhost:1": {}}}'])
def test_credentials_that_are_none_or_of_another_address_are_made_anew(made: Secured, broken: str) -> None:
    made.credentials.write_text(broken)
    made.ensure(ADDRESS, NAMES)
    assert ADDRESS in made.credentials.read_text()


@pytest.mark.parametrize("left", [None, b"", b"no certificate"])
def test_a_certificate_that_is_none_is_made_anew_with_all_the_rest(made: Secured, left: bytes | None) -> None:
    before = contents(made)
    made.ca.unlink()
    if left is not None:
        made.ca.write_bytes(left)
    made.ensure(ADDRESS, NAMES)
    after = contents(made)
    assert sorted(after) == sorted(before)
    assert [name for name in after if after[name] == before[name]] == []


@pytest.mark.parametrize(("days", "renewed"), [(29, True), (31, False)])
def test_one_that_ends_within_a_month_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, renewed: bool
) -> None:
    monkeypatch.setattr(certificates, "_VALID", timedelta(days=days))
    made = Secured(tmp_path)
    made.ensure(ADDRESS, NAMES)
    before = made.login()
    made.ensure(ADDRESS, NAMES)
    assert (made.login() != before) is renewed


def test_one_that_was_killed_while_it_was_made_anew_is_made_whole(
    made: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = secured._write

    def killed(path: Path, data: bytes) -> None:
        if path == made.ca:
            raise InterruptedError
        write(path, data)

    monkeypatch.setattr(secured, "_write", killed)
    with pytest.raises(InterruptedError):
        made.ensure("localhost:5444", NAMES)
    monkeypatch.undo()
    made.ensure("localhost:5444", NAMES)
    own = x509.load_pem_x509_certificate((made.folder / "registry" / "registry.crt").read_bytes())
    own.verify_directly_issued_by(x509.load_pem_x509_certificate(made.ca.read_bytes()))


def test_a_login_before_there_is_one_is_an_error_that_is_caught(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Secured(tmp_path).login()


class Server:
    """The registry's side of TLS and of its credentials, on loopback."""

    def __init__(self, made: Secured) -> None:
        self.asked: list[tuple[str, str, bool]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                user, password = made.login()
                given = self.headers.get("Authorization", "").removeprefix("Basic ")
                known = base64.b64decode(given).decode() == f"{user}:{password}"
                server.asked.append((self.command, self.path, known))
                self.send_response(200 if known else 401)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.folder / "registry" / "registry.crt", made.folder / "registry" / "registry.key")
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()


@pytest.fixture
def server(made: Secured) -> Iterator[Server]:
    server = Server(made)
    try:
        yield server
    finally:
        server.http.shutdown()
        server.thread.join()
        server.http.server_close()


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    return FakeEngine(tmp_path / "containers")


async def test_it_is_spoken_to_by_tls_with_its_credentials(engine: FakeEngine, server: Server, made: Secured) -> None:
    engine.put("mine-registry", container_json("registry", labels=OURS, port=server.port))
    registry = LocalRegistry(engine, "mine", server.port, secured=made)
    await registry.start("image")
    assert engine.called("run") == [], "it answers, and is kept"
    assert await registry.holds(f"{registry.host}/a", "sha256:1")
    assert server.asked == [("GET", "/v2/", True), ("HEAD", "/v2/a/manifests/sha256:1", True)]


async def test_one_of_another_authority_is_not_believed(engine: FakeEngine, server: Server, tmp_path: Path) -> None:
    other = Secured(tmp_path / "other")
    other.ensure(ADDRESS, NAMES)
    registry = LocalRegistry(engine, "mine", server.port, secured=other)
    with pytest.raises(ClusterError, match="does not answer") as caught:
        await registry.holds(f"{registry.host}/a", "sha256:1")
    assert "CERTIFICATE_VERIFY_FAILED" in caught.value.seen
    assert server.asked == [], "it was told no password"


async def test_its_container_is_given_its_files_and_no_password(engine: FakeEngine, tmp_path: Path) -> None:
    made = Secured(tmp_path / "target")
    engine.answers["run"] = failed("stop here: nothing will ever listen")
    with pytest.raises(CommandFailed):
        await LocalRegistry(engine, "mine", 0, secured=made).start("image")
    [words] = engine.called("run")
    assert f"{(made.folder / 'registry').resolve()}:/etc/sluice-registry:ro" in words
    assert {word for word in words if word.startswith("REGISTRY_")} == {
        "REGISTRY_HTTP_TLS_CERTIFICATE=/etc/sluice-registry/registry.crt",
        "REGISTRY_HTTP_TLS_KEY=/etc/sluice-registry/registry.key",
        "REGISTRY_AUTH_HTPASSWD_REALM=sluice",
        "REGISTRY_AUTH_HTPASSWD_PATH=/etc/sluice-registry/htpasswd",
    }
    assert not [word for call in engine.calls for word in call if made.login()[1] in word]


@pytest.mark.parametrize("left", [None, b"", b'{"auths": null}'], ids=["gone", "empty", "another shape"])
@pytest.mark.parametrize("name", ["ca.crt", "config.json"])
async def test_one_whose_files_are_gone_is_made_anew(
    engine: FakeEngine, server: Server, made: Secured, name: str, left: bytes | None
) -> None:
    (made.folder / name).unlink()
    if left is not None:
        (made.folder / name).write_bytes(left)
    engine.put("mine-registry", container_json("registry", labels=OURS, port=server.port))
    engine.answers["run"] = failed("stop here")
    registry = LocalRegistry(engine, "mine", server.port, reach="127.0.0.1", secured=made)
    with pytest.raises(ClusterError, match="does not answer") as caught:
        await registry.holds(f"{registry.host}/a", "sha256:1")
    assert "cannot be used" in caught.value.seen or "Expecting value" in caught.value.seen
    with pytest.raises(CommandFailed):
        await registry.start("image")
    assert engine.called("rm") == [("rm", "--force", "mine-registry")]
    assert made.login(), "and its files are there again"


async def test_a_node_is_told_to_speak_tls_and_whom_to_believe(engine: FakeEngine, made: Secured) -> None:
    await LocalRegistry(engine, "mine", 5443, secured=made).join("node")
    folder = "/etc/containerd/certs.d/localhost:5443"
    hosts, ca = engine.called("exec", "--interactive", "node")
    assert hosts[-1].endswith(f"cat > '{folder}/hosts.toml'")
    assert ca[-1].endswith(f"cat > '{folder}/ca.crt'")
    given = dict(zip(engine.calls, engine.inputs, strict=True))
    assert given[hosts] == (
        b'[host."https://mine-registry:5000"]\n  capabilities = ["pull", "resolve"]\n'
        b"  ca = '/etc/containerd/certs.d/localhost:5443/ca.crt'\n"
    )
    assert given[ca] == made.ca.read_bytes()
