"""What a mutant is: small edits of the tree, each with an anchor that has to be found exactly once."""

import hashlib
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sluice.errors import SluiceError

POLICY = "release/policy.toml"
# Of these folders a run builds, installs or judges something.
DEPLOYED = ("ci/src", "helm", "k8s-fixtures", "release", "services", "tests/e2e")
# It waits minutes for Loki to delete what is old, which no mutant touches: left out of good and bad releases alike.
LEFT_OUT = ("tests/e2e/logs/test_retention.py",)
_REQUIRED = re.compile(r"^required_suites = \[[^\]]*\]", re.MULTILINE)


class DoesNotFit(SluiceError):
    """Raised where the tree is no longer what an edit was written for."""


@dataclass(frozen=True)
class Edit:
    """One replacement: `old` stands in the file exactly once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Change:
    """A release that differs from the good one: a mutant, or a harmless change.

    `what` is the fault in a few words. `expect` has what should find it, each a part of a test's id, of `objective
    <name>` or of `step <name>`: a verdict that fails for something else alone is told apart. `by` says who has to find
    it: the gate on a cluster, or the checks that need none (./nox -s tests). `unseen` is why the gate cannot, where
    that is known.
    """

    name: str
    what: str
    edits: tuple[Edit, ...] = ()
    expect: tuple[str, ...] = ()
    by: Literal["gate", "checks"] = "gate"
    unseen: str = ""


def edited(change: Change, tree: Path) -> dict[str, str]:
    """Return the text of each file that a change edits, as it is then. Raises DoesNotFit with all mistakes."""
    texts: dict[str, str] = {}
    mistakes = []
    for number, edit in enumerate(change.edits, 1):
        path = tree / edit.file
        if edit.file not in texts and not path.is_file():
            mistakes.append(f"edit {number}: there is no {edit.file}")
            continue
        text = texts.get(edit.file) or path.read_text(encoding="utf-8")
        if (found := text.count(edit.old)) != 1:
            first = edit.old.strip().splitlines()[0]
            mistakes.append(f"edit {number}: found {found} times in {edit.file}: {first!r}")
        elif edit.old == edit.new:
            mistakes.append(f"edit {number}: changes nothing in {edit.file}")
        texts[edit.file] = text.replace(edit.old, edit.new)
    if mistakes:
        raise DoesNotFit(
            f"{change.name} does not fit the tree",
            seen="; ".join(mistakes),
            expected="each anchor exactly once",
            next_command="mend the anchors in bench/gate_mutants",
        )
    return texts


def apply(change: Change, tree: Path) -> None:
    """Make a change's edits. Raises DoesNotFit, and has then changed nothing."""
    for name, text in edited(change, tree).items():
        (tree / name).write_text(text, encoding="utf-8")


def prepare(tree: Path, suites: Sequence[str]) -> None:
    """Make a copy judge by these suites alone: of the policy only the line that requires others is changed.

    Raises DoesNotFit where the policy has no such line, or more than one.
    """
    path = tree / POLICY
    listed = ", ".join(f'"{suite}"' for suite in suites)
    text, count = _REQUIRED.subn(f"required_suites = [{listed}]", path.read_text(encoding="utf-8"))
    if count != 1 or tomllib.loads(text)["required_suites"] != list(suites):
        raise DoesNotFit(
            f"{POLICY} cannot be made to require other suites",
            seen=f"{count} lines that begin with required_suites",
            expected="one",
            next_command="mend prepare in bench/gate_mutants/faults.py",
        )
    path.write_text(text, encoding="utf-8")
    for name in LEFT_OUT:
        (tree / name).unlink(missing_ok=True)


def fingerprint(root: Path) -> str:
    """Name a tree by the content of what a run deploys and judges by: 12 hexadecimal digits."""
    digest = hashlib.sha256()
    for folder in DEPLOYED:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
