"""The two scripts that workflows have: the comment on a pull request, and the way into Oracle's cloud."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from sluice.report.summary import MARKER

ROOT = Path(__file__).parents[3]
SECRETS = ("client-secret-4711", "request-token-4711", "signed-by-github-4711", "session-token-4711", "bearer-4711")
# Notes its name and arguments, a line each, and what comes in; answers what lies beside it, if anything does.
FAKE = """#!/bin/sh
here=$(dirname "$0")
printf '%s\\n' "$(basename "$0") $*" >> "$here/argv"
if [ ! -t 0 ]; then cat >> "$here/stdin"; fi
case "$*" in {cases} esac
"""


class Programs:
    """Programs that stand in for real ones, and what they were told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def add(self, name: str, **answers: str) -> None:
        """A program; where its arguments hold a word, it says the answer."""
        cases = " ".join(f"*{word}*) echo '{answer}' ;;" for word, answer in answers.items())
        (self.folder / name).write_text(FAKE.format(cases=cases or "*) ;;"))
        (self.folder / name).chmod(0o755)

    def told(self, what: str) -> str:
        file = self.folder / what
        return file.read_text() if file.exists() else ""


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path / "bin")


def ran(words: list[str], programs: Programs, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {"PATH": f"{programs.folder}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder), **environment}
    return subprocess.run(
        words, cwd=folder, env=known, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )


def commented(programs: Programs, folder: Path, *, fork: str = "false", theirs: str = "") -> str:
    """Run the step that comments; returns what it printed."""
    programs.add("gh", **{"--paginate": theirs})
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    script = jobs["comment"]["steps"][-1]["run"]
    github = {"GITHUB_REPOSITORY": "ada/sluice", "GITHUB_SERVER_URL": "https://github.example", "GITHUB_RUN_ID": "9"}
    result = ran(
        ["bash", "-euo", "pipefail", "-c", script], programs, folder,
        NUMBER="12", FORK=fork, TESTS="success", E2E="failure", **github,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_first_comment_is_written(programs: Programs, tmp_path: Path) -> None:
    (tmp_path / "summary.md").write_text(f"{MARKER}\n\n<h2>PASS</h2>\n")
    commented(programs, tmp_path)
    written = programs.told("argv").splitlines()[-1]
    assert written == "gh api --silent --method POST repos/ada/sluice/issues/12/comments --field body=@summary.md"
    assert "tests success, e2e failure" in (tmp_path / "summary.md").read_text()


def test_ours_is_written_anew_and_of_several_the_first(programs: Programs, tmp_path: Path) -> None:
    (tmp_path / "summary.md").write_text(f"{MARKER}\n")
    commented(programs, tmp_path, theirs="31\n32")
    written = programs.told("argv").splitlines()[-1]
    assert written == "gh api --silent --method PATCH repos/ada/sluice/issues/comments/31 --field body=@summary.md"


def test_without_a_summary_no_older_verdict_stays(programs: Programs, tmp_path: Path) -> None:
    commented(programs, tmp_path, theirs="31")
    assert (tmp_path / "summary.md").read_text().startswith(f"{MARKER}\n\n<h2>❌ NO VERDICT</h2>\n")
    assert "PATCH" in programs.told("argv")


def test_a_fork_is_told_and_passes(programs: Programs, tmp_path: Path) -> None:
    assert commented(programs, tmp_path, fork="true").startswith("::notice title=No comment::")
    assert programs.told("argv") == ""


def into_oracle(programs: Programs, folder: Path, exchanged: str) -> subprocess.CompletedProcess[str]:
    for needed in ("openssl", "jq"):
        if shutil.which(needed) is None:
            pytest.skip(f"no {needed} on this host")
    programs.add("curl", audience=json.dumps({"value": SECRETS[2]}), oauth2=exchanged)
    programs.add("oci", token=json.dumps({"data": {"token": SECRETS[4]}}))
    programs.add("kubectl", current="context-of-oci")
    for name in ("pipx", "docker"):
        programs.add(name)
    return ran(
        [str(ROOT / ".github/scripts/enter-oke")], programs, folder,
        ACTIONS_ID_TOKEN_REQUEST_URL="https://actions.example/token?v=1", ACTIONS_ID_TOKEN_REQUEST_TOKEN=SECRETS[1],
        DOMAIN="https://idcs.example", CLIENT=f"client:{SECRETS[0]}", TENANCY="ocid1.tenancy", REGION="eu-frankfurt-1",
        CLUSTER="ocid1.cluster", CONTEXT="oke-example", REGISTRY_HOST="fra.ocir.example",
        GITHUB_ENV=str(folder / "environment"),
    )  # fmt: skip


def test_into_oracles_cloud_no_secret_is_an_argument(programs: Programs, tmp_path: Path) -> None:
    result = into_oracle(programs, tmp_path, json.dumps({"token": SECRETS[3]}))
    assert result.returncode == 0, result.stderr
    told, heard = programs.told("argv"), programs.told("stdin")
    assert [secret for secret in SECRETS if secret in told] == []
    assert [secret for secret in (SECRETS[0], SECRETS[1], SECRETS[2], SECRETS[4]) if secret not in heard] == []
    # What the runner prints from then on is masked.
    assert result.stdout.count("::add-mask::") == 2
    assert "requested_token_type=urn:oci:token-type:oci-upst" in heard
    assert "kubectl config rename-context context-of-oci oke-example" in told
    assert "docker login fra.ocir.example --username BEARER_TOKEN --password-stdin" in told
    assert (tmp_path / "environment").read_text() == "OCI_CLI_AUTH=security_token\n"


def test_into_oracles_cloud_what_it_leaves_is_read_by_nobody_else(programs: Programs, tmp_path: Path) -> None:
    into_oracle(programs, tmp_path, json.dumps({"token": SECRETS[3]}))
    home = tmp_path / ".oci"
    assert (home / "token").read_text().strip() == SECRETS[3]
    assert {path.name: path.stat().st_mode & 0o077 for path in home.iterdir() if path.stat().st_mode & 0o077} == {}
    assert "security_token_file=" in (home / "config").read_text()


@pytest.mark.parametrize("answer", [json.dumps({"error": "invalid_grant"}), ""])
def test_into_oracles_cloud_a_refusal_ends_it(programs: Programs, tmp_path: Path, answer: str) -> None:
    assert into_oracle(programs, tmp_path, answer).returncode != 0
    assert "oci ce" not in programs.told("argv")
