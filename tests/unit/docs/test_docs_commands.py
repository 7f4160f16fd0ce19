"""Every page: the commands that it shows could be called as they stand."""

import pytest
from tests.unit.docs.could_be_called import GROUP, SESSIONS, wrong
from tests.unit.docs.mentions import commands
from tests.unit.docs.pages import Page, every_page


def mistakes(page: Page) -> list[str]:
    """The commands of a page that could not be called, each with its line."""
    found = []
    for where, words in commands(page):
        why = wrong(words, whole=where.info == "block")
        if why:
            found.append(f"{page.name}:{where.line}: {where.text.strip()}: {why}")
    return found


def test_commands_could_be_called() -> None:
    pages = list(every_page())
    shown = [words for page in pages for _, words in commands(page)]
    assert len(shown) > 100
    assert [mistake for page in pages for mistake in mistakes(page)] == []


def test_every_command_has_a_session() -> None:
    assert set(GROUP.commands) <= set(SESSIONS.values())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "line",
    [
        "./nox -s e2e",
        "./nox -s e2e -- --reuse --fast   # a comment",
        "nox -s tests",
        "./nox --list",
        "./nox -s compare -- RUN latest",
        "./nox -s deploy -- --cloud <cloud> [--release ID]",
        "./nox -s target -- up && ./nox -s release",
        "SLUICE_WHO=anna ./nox -s status > status.txt",
        "PYTHONPATH=ci/src python -m sluice gate --evidence DIR",
        "./dagger call gate --evidence .sluice/evidence",
        "./dagger call e2e export --path .sluice/evidence",
        "run: ./nox -s tests",
    ],
)
def test_what_can_be_called_is_fine(line: str) -> None:
    page = Page("x.md", f"```sh\n{line}\n```")
    assert list(commands(page))
    assert mistakes(page) == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("./nox -s e3e", "no session e3e"),
        ("./nox -s e2e -- --no-such", "No such option: --no-such"),
        ("./nox -s e2e --reuse", "--reuse: not before `--`"),
        ("./nox -s compare -- RUN", "run_b is missing"),
        ("./nox -s target -- left", "action is one of up, down"),
        ("./nox -s slo -- extra", "extra is one too many"),
        ("true && ./nox -s deploy -- --clod gke", "No such option: --clod"),
        ("python -m sluice nothing", "no command nothing"),
        ("./dagger call nothing", "no function nothing"),
        ("./dagger call build --no-such x", "build has no --no-such"),
        ("./dagger call build exprt --path x", "no function exprt"),
        ("./dagger call build export --pth x", "has no --pth"),
        ("./dagger cal build", "dagger has no command cal"),
    ],
)
def test_what_cannot_be_called_is_found(line: str, why: str) -> None:
    for text in (f"```\n{line}\n```", f"Then\n\n    {line}\n"):
        found = mistakes(Page("x.md", text))
        assert len(found) == 1
        assert why in found[0]


def test_a_mention_may_be_cut_short() -> None:
    assert mistakes(Page("x.md", "`./nox -s compare` and `./nox -s target`, but `./nox -s gat`")) == [
        "x.md:1: ./nox -s gat: no session gat"
    ]
