"""What is held to its digest here although crane holds it too, how its words become errors, and who answers."""

import json
import socket
from pathlib import Path

import pytest
from tests.unit.core.support import program, serving
from tests.unit.supply.benches import bench, component, digest, entry

from sluice.errors import DigestMismatch, SupplyError, Truncated, Unreachable
from sluice.supply import oci, upstream
from sluice.supply.catalog import Entry
from sluice.supply.lock import Lock

pytestmark = pytest.mark.anyio
ADDRESS = "example.org/loki:1"
CRANE = """
import json, shutil, sys
answer = json.loads(open({answer!r}).read())
if sys.argv[1] == 'digest':
    print(answer['digest'])
elif answer['said']:
    print(answer['said'], file=sys.stderr); sys.exit(1)
else:
    shutil.copytree(answer['layout'], sys.argv[-1])
"""


class Rig:
    """A crane of a few lines that gives whatever a test has laid out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = Lock(folder / "lock.json")
        self.entry = entry(
            f'name = "loki"\nversion = "1"\nform = "image"\nupstream = {{ image = "{ADDRESS}" }}\n', folder
        )
        (folder / "tool").write_text("x")
        layer = oci.write_layer(folder / "layer.tar", {"/tool": folder / "tool"})
        self.layout = folder / "layout"
        self.digest = oci.write_layout(self.layout, oci.configuration([layer], ["/tool"]), [layer])
        self.layer = self.layout / "blobs/sha256" / layer.diff_id.removeprefix("sha256:")
        program(folder / "crane/crane", CRANE.format(answer=str(folder / "answer")))
        self.answer(self.digest)

    def answer(self, digest: str, said: str = "") -> None:
        given = {"digest": digest, "said": said, "layout": str(self.layout)}
        (self.folder / "answer").write_text(json.dumps(given))

    async def obtain(self) -> str:
        into = self.folder / "into"
        into.mkdir(exist_ok=True)
        parts = {"crane": component("crane", self.folder / "crane")}
        return await upstream.obtain(self.entry, into, bench(self.folder, parts), self.lock)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def test_a_whole_image_is_taken_and_locked(rig: Rig) -> None:
    assert await rig.obtain() == rig.digest
    assert rig.lock.get(ADDRESS) == rig.digest


async def test_an_image_of_another_digest_is_refused_and_not_locked(rig: Rig) -> None:
    rig.answer(digest("another"))
    with pytest.raises(DigestMismatch, match="another image arrived") as caught:
        await rig.obtain()
    assert (caught.value.seen, caught.value.expected) == (rig.digest, digest("another"))
    assert rig.lock.get(ADDRESS) is None


async def test_a_layer_of_another_digest_is_refused_and_not_locked(rig: Rig) -> None:
    rig.layer.unlink()  # a link to the tar it was made of
    rig.layer.write_text("evil")
    with pytest.raises(DigestMismatch, match="a layer is not what its name says") as caught:
        await rig.obtain()
    assert caught.value.expected == rig.layer.name
    assert rig.lock.get(ADDRESS) is None


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ('Error: Get "https://example.org/v2/": dial tcp: lookup example.org: no such host', Unreachable),
        ("Error: context deadline exceeded", Unreachable),
        ("Error: GET https://x: unexpected status code 502 Bad Gateway", Unreachable),
        ("Error: tls: failed to verify certificate: x509: certificate signed by unknown authority", Unreachable),
        ("Error: read tcp 1.2.3.4:1->5.6.7.8:443: read: connection reset by peer", Unreachable),
        ("Error: error writing layer: unexpected EOF", Truncated),
        ("Error: error verifying sha256 checksum after reading 3 bytes", DigestMismatch),
        ("Error: GET https://x: DENIED: requested access to the resource is denied", SupplyError),
        ("Error: GET https://x: MANIFEST_UNKNOWN: manifest unknown", SupplyError),
        ("", SupplyError),
    ],
)
async def test_what_crane_says_becomes_an_error_of_its_kind(rig: Rig, said: str, kind: type[SupplyError]) -> None:
    rig.answer(rig.digest, said or " ")
    with pytest.raises(SupplyError) as caught:
        await rig.obtain()
    assert type(caught.value) is kind
    assert caught.value.seen == (said or "no answer")
    assert rig.lock.get(ADDRESS) is None


def test_a_lock_keeps_what_it_has(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock.json")
    lock.record("a", digest("1"))
    lock.record("b", digest("2"))
    lock.record("a", digest("1"))
    with pytest.raises(DigestMismatch) as caught:
        lock.record("a", digest("3"))
    assert (caught.value.seen, caught.value.expected) == (digest("3"), digest("1"))
    assert json.loads((tmp_path / "lock.json").read_text()) == {"a": digest("1"), "b": digest("2")}
    assert [path.name for path in tmp_path.iterdir()] == ["lock.json"]


def archive_at(url: str, folder: Path) -> Entry:
    return entry(f'name = "a"\nversion = "1"\nform = "program"\nupstream = {{ archive = "{url}" }}\n', folder)


@pytest.mark.parametrize(("status", "expected"), [(200, True), (206, True), (404, True), (401, True), (503, False)])
async def test_a_host_that_speaks_http_answers_unless_it_regrets(
    tmp_path: Path, *, status: int, expected: bool
) -> None:
    with serving({"/a": (status, b"x")}) as served:
        assert await upstream.answers(archive_at(f"{served.url}/a", tmp_path)) is expected
        assert served.asked == [("GET", "/a")]


async def test_a_registry_is_asked_for_its_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # what is on this machine needs no proxy
    with serving({"/v2/": (401, b"")}) as served:
        image = f"127.0.0.1:{served.port}/a/b:1"
        one = entry(f'name = "a"\nversion = "1"\nform = "image"\nupstream = {{ image = "{image}" }}\n', tmp_path)
        assert await upstream.answers(one)
        assert served.asked == [("GET", "/v2/")]


async def test_nobody_there_is_no_answer(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert not await upstream.answers(archive_at(f"http://127.0.0.1:{probe.getsockname()[1]}/a", tmp_path))
