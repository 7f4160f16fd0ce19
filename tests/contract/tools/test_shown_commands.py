"""What pages show of helm, promtool, amtool, cosign, crane and kubectl is in what the tools' own help says."""

import subprocess
from functools import cache

import pytest
from tests.contract.programs import program
from tests.unit.docs.pages import every_page
from tests.unit.docs.tools import TOOLS, Shown, shown, wrong

SHOWN = [one for page in every_page() for one in shown(page)]


@cache
def help_of(words: tuple[str, ...]) -> str | None:
    """What `TOOL WORDS --help` prints; None where it fails."""
    tool, *rest = words
    # kubectl's help of a command leaves out what all of them have.
    asked = [[*rest, "--help"], ["options"]] if tool == "kubectl" else [[*rest, "--help"]]
    told = [
        subprocess.run([program(tool), *one], capture_output=True, text=True, check=False, timeout=60) for one in asked
    ]
    return "\n".join(one.stdout + one.stderr for one in told) if all(one.returncode == 0 for one in told) else None


@pytest.mark.parametrize("tool", TOOLS)
def test_commands_and_options_exist(tool: str) -> None:
    found = [one for one in SHOWN if one.tool == tool]
    assert [f"{one.place}: {why}" for one in found if (why := wrong(one, help_of))] == []


@pytest.mark.parametrize(
    ("tool", "words", "options", "why"),
    [
        ("helm", ("histroy",), (), "helm has no command histroy"),
        ("helm", ("get", "everything"), (), "helm get has no command everything"),
        ("helm", ("history", "backend"), ("--no-such", "-n"), "helm history has no --no-such"),
        ("promtool", ("query", "instnat"), (), "promtool has no command query instnat"),
        ("promtool", ("query", "instant"), ("--at",), "promtool query instant has no --at"),
        ("amtool", ("silence", "query"), ("--expird",), "amtool silence query has no --expird"),
        ("cosign", ("trusted-root", "mend"), (), "cosign trusted-root has no command mend"),
        ("crane", ("append",), ("--no-such",), "crane append has no --no-such"),
        ("kubectl", ("get", "pods"), ("-A", "--namespace", "--no-such"), "kubectl get has no --no-such"),
        ("kubectl", ("rollout", "back"), (), "kubectl rollout has no command back"),
    ],
)
def test_what_a_tool_does_not_have_is_found(
    tool: str, words: tuple[str, ...], options: tuple[str, ...], why: str
) -> None:
    assert wrong(Shown("x.md:1", tool, words, options), help_of) == why
