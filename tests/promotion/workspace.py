"""A clone of the tree in which releases are made and promoted, by the commands that people type."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import httpx

from sluice.adapters.kubernetes.connection import connect
from sluice.adapters.kubernetes.ledger import TargetLedger
from sluice.adapters.progress import shown_progress
from sluice.adapters.registry.access import Access
from sluice.bootstrap import Options, Toolbox
from sluice.domain import Evidence, Image, dump, load
from sluice.entrypoints.console import err
from sluice.policy import load_policy
from sluice.promotion.ledger import Entry
from sluice.run import Run
from sluice.settings import load_settings
from sluice.steps.evaluate_gate import evaluate_gate

ROOT = Path(__file__).parents[2]
KEYS = ROOT / ".sluice" / "keys"
TARGET = ROOT / ".sluice" / "target"
BIN = ROOT / ".sluice" / "tools" / "bin"
LOCAL = Access(plain=True)
_LONGEST_SECONDS = 900.0


@dataclass(frozen=True)
class Said:
    """How a command ended, and all that it said."""

    status: int
    text: str

    def ended(self, status: int) -> "Said":
        """The same; fails with all that was said where it ended otherwise."""
        assert self.status == status, f"exit status {self.status}, expected {status}\n{self.text}"
        return self


@dataclass
class Workspace:
    """`tree` is the clone, `base` the run that passed, which every release's evidence is taken from."""

    tree: Path
    base: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    releases: dict[str, str] = field(default_factory=dict)  # by what tests call them

    def command(self, *words: str) -> list[str]:
        """A command of Sluice's, to be started in the clone."""
        return [sys.executable, "-m", "sluice", *words]

    def variables(self) -> dict[str, str]:
        """What it is started with: the tree's code, its key, and not the tests' own settings."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "SLUICE_E2E"))}
        given = {
            "PYTHONPATH": str(ROOT / "ci" / "src"),
            "SLUICE_RELEASE_KEY": str(KEYS / "cosign.key"),
            "SLUICE_RELEASE_PASSWORD_FILE": str(KEYS / "password"),
        }
        return {**own, **given, **self.environment}

    async def sluice(self, *words: str) -> Said:
        """Run a command to its end."""
        with anyio.fail_after(_LONGEST_SECONDS):
            done = await anyio.run_process(
                self.command(*words), cwd=self.tree, env=self.variables(), stderr=subprocess.STDOUT, check=False
            )
        return Said(done.returncode, done.stdout.decode(errors="replace"))

    async def killed_at(self, line: str, *words: str) -> str:
        """Run a command and kill it, as `kill -9` does, once it says a line; returns what it said until then."""
        said = ""
        async with await anyio.open_process(
            self.command(*words), cwd=self.tree, env=self.variables(), stderr=subprocess.STDOUT
        ) as process:
            assert process.stdout
            with anyio.fail_after(_LONGEST_SECONDS):
                async for chunk in process.stdout:
                    said += chunk.decode(errors="replace")
                    if re.search(line, said, re.MULTILINE):
                        process.kill()
                        break
                else:
                    raise AssertionError(f"it ended and never said {line!r}\n{said}")
            await process.wait()
        return said

    async def killed_when(self, check: Callable[[], Awaitable[bool]], *words: str) -> None:
        """Run a command and kill it once something is so; fails where it ends before."""
        async with await anyio.open_process(
            self.command(*words), cwd=self.tree, env=self.variables(), stdout=subprocess.DEVNULL, stderr=None
        ) as process:
            with anyio.fail_after(_LONGEST_SECONDS):
                while not await check():
                    assert process.returncode is None, f"it ended with {process.returncode} before it could be killed"
                    await anyio.sleep(0.05)
            process.kill()
            await process.wait()

    def target(self, name: str, *, cloud: str = "local", extra: str = "", tables: str = "", **changes: Any) -> str:
        """Write a target's file: the local one, but for what is given. Returns its name."""
        spaces = changes.pop("spaces", {})
        values = changes.pop("values", None) or {
            chart: [str(ROOT / "targets" / "values" / "local" / f"{chart}.yaml")]
            for chart in ("monitoring", "logging", "services")
        }
        top = {"schema": "sluice.target/v1", "cloud": cloud, "public_key": str(KEYS / "cosign.pub"), **changes}
        registry = {
            "repository": "localhost:5443/sluice",
            "credentials": str(TARGET / "config.json"),
            "ca": str(TARGET / "ca.crt"),
            "pull_secrets": ["sluice-registry"],
        }
        cluster = {"kubeconfig": str(TARGET / "kubeconfig"), "context": "kind-sluice-target", **spaces}
        lines = [f"{key} = {json.dumps(value)}" for key, value in top.items()]
        lines += [extra]
        for table, content in (("registry", registry), ("cluster", cluster), ("values", values)):
            lines += [f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in content.items())]
        (self.tree / "targets" / f"{name}.toml").write_text("\n".join([*lines, tables, ""]))
        return name

    async def ledger(self, name: str = "local") -> tuple[Entry, ...]:
        """The ledger in the target's cluster."""
        async with connect(TARGET / "kubeconfig") as client:
            copy = self.tree / ".sluice" / "ledgers" / f"{name}.jsonl"
            copy.parent.mkdir(parents=True, exist_ok=True)
            return await TargetLedger(client, "default", name, copy).read()

    async def pods_images(self, client: httpx.AsyncClient, namespace: str) -> set[str]:
        """The references that the pods of a namespace run."""
        answer = (await client.get(f"/api/v1/namespaces/{namespace}/pods")).raise_for_status().json()
        return {one["image"] for pod in answer["items"] for one in pod["spec"]["containers"]}

    async def release(self, name: str, edits: Mapping[str, tuple[str, str]]) -> str:
        """Commit edits, build, and release what came of it on the evidence of the run that passed; returns its id."""
        before = {file: (self.tree / file).read_text() for file in edits}
        for file, (old, new) in edits.items():
            assert old in before[file], f"{file} has changed: {old!r} is not in it"
            (self.tree / file).write_text(before[file].replace(old, new, 1))
        git(self.tree, "commit", "--quiet", "--message", name, "--", *edits)
        run = await self._run_of(name)
        (await self.sluice("release", "--run", str(run))).ended(0)
        for file, text in before.items():
            (self.tree / file).write_text(text)
        git(self.tree, "commit", "--quiet", "--message", f"without {name}", "--", *edits)
        self.releases[name] = run.name
        return run.name

    async def _run_of(self, name: str) -> Path:
        """A run that measured what the one that passed did, of the images that the clone's tree gives."""
        settings = load_settings(self.tree)
        with shown_progress(err) as progress:
            run = Run(self.tree / ".sluice" / "builds", progress)
            box = Toolbox(self.tree, settings, run, Options())
            source = await box.resolve_source()
            images = (await box.build_images(source)).images
        folder = self.tree / ".sluice" / "runs" / f"{run.id[:16]}-{name}"
        folder.mkdir(parents=True)
        evidence = load(Evidence, self.base / "evidence.json")
        return judged(
            self.base,
            folder,
            replace(evidence, run_id=folder.name, revision=source.revision, source_digest=source.digest, images=images),
        )


def judged(base: Path, folder: Path, evidence: Evidence) -> Path:
    """Write evidence, the base's policy and the verdict that they come to into a folder."""
    (folder / "policy.toml").write_bytes((base / "policy.toml").read_bytes())
    (folder / "evidence.json").write_bytes(dump(evidence))
    verdict = evaluate_gate(load_policy(folder / "policy.toml"), evidence)
    (folder / "verdict.json").write_bytes(dump(verdict))
    return folder


def git(tree: Path, *words: str) -> str:
    """Run git in a tree, as nobody in particular."""
    who = ("-c", "user.name=tests", "-c", "user.email=tests@example.org")
    done = subprocess.run(["git", "-C", str(tree), *who, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def states(entries: Sequence[Entry], release: str) -> list[str]:
    """The states of the last promotion, which has to be of a release."""
    last = entries[-1]
    assert last.release_id == release, f"the last promotion is of {last.release_id}, not of {release}"
    return [one.state for one in entries if one.promotion == last.promotion]


def image_of(images: Sequence[Image], name: str) -> Image:
    """The image of a name."""
    return next(one for one in images if one.name == name)
