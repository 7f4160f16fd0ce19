"""./dagger: which program it runs, and with which words."""

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
VERSION = str(json.loads((ROOT / "dagger.json").read_text())["engineVersion"]).removeprefix("v")
PROGRAM = """#!/bin/sh
if [ "$1" = version ]; then echo "dagger v{version} (image://registry/engine:v{version}) linux/amd64"; exit; fi
echo "ran {name}, module ${{DAGGER_MODULE:-here}}"
for word in "$@"; do echo "<$word>"; done
"""


def program(place: Path, version: str, name: str = "path") -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(PROGRAM.format(version=version, name=name))
    place.chmod(0o755)
    return place


class Rig:
    """A tree with the script and a PATH whose first folder is ours."""

    def __init__(self, folder: Path) -> None:
        self.root, self.bin, self.releases = folder / "tree", folder / "bin", folder / "releases"
        (self.root / "requirements").mkdir(parents=True)
        self.bin.mkdir()
        self.rest = ["/usr/local/bin", "/usr/bin", "/bin"]
        shutil.copy2(ROOT / "dagger", self.root / "dagger")
        shutil.copy2(ROOT / "dagger.json", self.root / "dagger.json")
        self.lock = self.root / "requirements" / "dagger-cli.lock"
        self.fetched = self.root / ".sluice" / f"dagger-{VERSION}" / "dagger"

    def without(self, name: str) -> None:
        """Have a PATH with every program of the usual folders but one."""
        self.rest = [str(self.bin.parent / "rest")]
        Path(self.rest[0]).mkdir()
        for folder in ("/bin", "/usr/bin"):
            for found in Path(folder).iterdir():
                link = Path(self.rest[0]) / found.name
                if found.name != name and not link.is_symlink():
                    link.symlink_to(found)

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "DAGGER_MODULE"},
            **more,
            "PATH": os.pathsep.join([str(self.bin), *self.rest]),
            "SLUICE_DAGGER_RELEASES": f"file://{self.releases}",
        }
        return subprocess.run(
            [self.root / "dagger", *words], env=environment, capture_output=True, text=True, timeout=30, check=False
        )

    def words(self, *words: str) -> list[str]:
        """The words that the program was given."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return [line[1:-1] for line in done.stdout.splitlines() if line.startswith("<")]

    def release(self, version: str = VERSION) -> str:
        """Publish a release; returns the digest of its archive."""
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
        folder = self.releases / VERSION
        folder.mkdir(parents=True, exist_ok=True)
        archive = folder / f"dagger_v{VERSION}_linux_{machine}.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(program(folder / "dagger", version, "release"), "dagger")
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        (folder / "checksums.txt").write_text(f"{'0' * 64}  other.tar.gz\n{digest}  {archive.name}\n")
        return digest


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@pytest.fixture
def on_path(rig: Rig) -> Rig:
    program(rig.bin / "dagger", VERSION)
    return rig


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        (["call", "deploy", "--cloud", "gke"], ["call", "deploy", "--target", "gke"]),
        (["call", "deploy", "--cloud=oke"], ["call", "deploy", "--target=oke"]),
        (["call", "deploy", "--target", "aks"], ["call", "deploy", "--target", "aks"]),
        (["call", "run", "--", "--cloud", "x"], ["call", "run", "--", "--cloud", "x"]),
        (["call", "build", "--note", "a b\tc  *", ""], ["call", "build", "--note", "a b\tc  *", ""]),
        (["--cloudy", "cloud"], ["--cloudy", "cloud"]),
        (["call", "--json", "e2e", "file", "--path", "e2e"], ["call", "--json", "e-2-e", "file", "--path", "e2e"]),
        ([], []),
    ],
    ids=lambda words: " ".join(words) or "nothing",
)
def test_cloud_becomes_target_e2e_is_spelled_as_dagger_does_and_the_rest_stays(
    on_path: Rig, given: list[str], passed: list[str]
) -> None:
    assert on_path.words(*given) == passed


def test_for_an_engine_without_a_registry_the_other_sdk_loads_the_module(on_path: Rig) -> None:
    (on_path.root / ".env").write_text("DEPLOY_WHO=ada\nSLUICE_OFFLINE=.sluice/offline\n")
    assert f"module {on_path.root}/ci" in on_path.run("check").stdout
    assert "module ./mine" in on_path.run("check", DAGGER_MODULE="./mine").stdout, "what the user chose stays"
    (on_path.root / ".env").write_text("DEPLOY_WHO=ada\nSLUICE_OFFLINE=\n")
    assert "module here" in on_path.run("check").stdout


def test_with_a_registry_the_module_is_that_of_the_folder(on_path: Rig) -> None:
    assert "module here" in on_path.run("functions").stdout


def test_the_program_on_path_is_taken_when_it_is_of_the_pinned_version(on_path: Rig) -> None:
    assert "ran path" in on_path.run("functions").stdout
    assert not on_path.lock.exists()


def test_its_exit_status_is_ours(on_path: Rig) -> None:
    (on_path.bin / "dagger").write_text(f'#!/bin/sh\n[ "$1" = version ] && echo "dagger v{VERSION} (x)" || exit 7\n')
    assert on_path.run("call").returncode == 7


@pytest.mark.parametrize("other", ["0.1.0", f"{VERSION}0", f"{VERSION}-rc1"])
def test_another_version_on_path_is_left_and_the_release_is_fetched_and_locked(rig: Rig, other: str) -> None:
    program(rig.bin / "dagger", other)
    digest = rig.release()
    first = rig.run("functions")
    assert "ran release" in first.stdout, first.stderr
    assert rig.lock.read_text().split()[0] == digest
    assert "commit that" in first.stderr
    shutil.rmtree(rig.releases)
    assert "ran release" in rig.run("functions").stdout, "the second time it is at hand"
    assert len(rig.lock.read_text().splitlines()) == 1
    assert [path.name for path in (rig.root / ".sluice").iterdir()] == [f"dagger-{VERSION}"], "nothing else is left"


def test_a_host_without_curl_fetches_with_python(rig: Rig) -> None:
    rig.without("curl")
    rig.release()
    assert "ran release" in rig.run("functions").stdout


def test_a_release_that_is_not_what_the_lock_holds_is_refused(rig: Rig) -> None:
    rig.release()
    rig.run("functions")
    rig.fetched.unlink()
    rig.release("9.9.9")
    done = rig.run("functions")
    assert done.returncode == 2
    assert "not what was asked for" in done.stderr
    assert not rig.fetched.exists()


def test_a_release_that_its_own_checksums_do_not_name_is_refused(rig: Rig) -> None:
    rig.release()
    (rig.releases / VERSION / "checksums.txt").write_text(f"{'0' * 64}  other.tar.gz\n")
    done = rig.run("functions")
    assert done.returncode == 2
    assert not rig.lock.exists()


def test_without_a_way_to_the_release_the_error_says_what_to_do(rig: Rig) -> None:
    done = rig.run("functions")
    assert done.returncode == 2
    for word in ("seen:", "expected:", "next:", VERSION):
        assert word in done.stderr


def test_it_does_not_run_itself(rig: Rig) -> None:
    (rig.bin / "dagger").symlink_to(rig.root / "dagger")
    assert rig.run("functions").returncode == 2
