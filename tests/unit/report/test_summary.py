"""The page of Markdown that workflows show: what it says, and that no text of a run is more than text there."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.unit.report import samples
from typer.testing import CliRunner, Result

from sluice.domain import Evidence, dump
from sluice.entrypoints import cli
from sluice.report.summary import MARKER, Links, no_verdict, summary

SOUND, BROKEN = samples.sound(), samples.broken()
LINKS = Links("https://github.example/artifacts/7", "https://github.example/runs/9")
# What Markdown, GitHub or a browser would make something of, were it read.
NASTY = (
    "\n\n# heading\n\n<script>alert(1)</script> </code></td></table> @everyone fixes #1 [x](https://evil.example) "
    "| a | `code` ![i](https://evil.example/i) \n\n<!-- --> ``` \x1b[31m &lt; https://evil.example "
    "<a href='//evil.example'>"
)
BALANCED = {"h2", "h3", "p", "ul", "li", "code", "table", "tr", "th", "td", "a"}


class Seen(HTMLParser):
    """Elements that are not closed in order or not ours, where links lead, and text outside of <code>."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.strange: list[str] = []
        self.links: list[str | None] = []
        self.said = ""
        self.quoted = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag in BALANCED:
            self.open.append(tag)
        elif tag != "br":
            self.strange.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.strange.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if "code" in self.open:
            self.quoted += data
        else:
            self.said += data


def page(evidence: Evidence, line: str = "PASS  score 100 of 100", links: Links = LINKS) -> str:
    return summary(evidence, samples.verdict(evidence), line, links)


def nasty() -> Evidence:
    """A run all texts of which are nasty, that no policy of ours wrote."""
    test = replace(SOUND.tests[0], id=NASTY, suite=NASTY, outcome="failed", message=NASTY)
    step = replace(SOUND.steps[0], name=NASTY, seconds=9000.0, detail=NASTY)
    measured = replace(SOUND.measurements[0], error=NASTY)
    return replace(
        SOUND, run_id=NASTY, revision=NASTY, kubernetes=NASTY, runtime=NASTY, failures=(NASTY,), tests=(test,),
        steps=(step,), measurements=(measured,),
    )  # fmt: skip


def test_the_verdict_comes_first_then_where_to_read_on() -> None:
    lines = [line for line in page(SOUND).splitlines() if line]
    assert lines[0] == MARKER
    assert lines[1] == "<h2>✅ PASS score 100 of 100</h2>"
    assert "revision <code>4f1c2e9b7a60</code> with changes that no commit has" in lines[2]
    assert '<a href="https://github.example/artifacts/7">Report and evidence</a>' in lines[3]
    assert f"{len(SOUND.components)} components, 0 of them obtained by this run" in lines[-1]


def test_each_objective_is_there_with_value_and_score() -> None:
    rows = [re.sub(r"<[^>]+>", " ", row).split() for row in page(SOUND).splitlines() if row.startswith("<tr><td")]
    errors = next(row for row in rows if row[0] == "error-ratio")
    assert "0.21 %" in " ".join(errors)
    assert "3 of 3" in " ".join(errors)
    assert {row[0] for row in rows} >= {objective.name for objective in samples.POLICY.objectives}


def test_a_run_that_failed_says_why_and_how_its_tests_are_run_again() -> None:
    text = Seen(page(BROKEN, "FAIL  score 12 of 100"))
    assert "❌ FAIL score 12 of 100" in text.said
    assert "Failed tests" in text.said
    assert "pod default/backend-7d9f4 is not ready" in text.quoted
    assert "./nox -s e2e -- --reuse --suite logs" in text.quoted


def test_a_part_of_the_suites_is_no_verdict_and_has_no_sign_of_one() -> None:
    assert "<h2>◐ PARTIAL 1 of 9 suites" in page(BROKEN, "PARTIAL  1 of 9 suites, 3 tests, all passed")


def test_the_five_slowest_steps_are_named_as_they_began() -> None:
    after = page(SOUND).partition("Slowest steps")[2]
    named = re.findall(r"<tr><td><code>([^<]+)", after)
    assert named == ["create cluster", "install monitoring", "install logging", "install backend", "run suites"]


def test_no_text_of_a_run_is_more_than_text() -> None:
    text = Seen(page(nasty(), NASTY))
    assert text.strange == []
    assert text.open == []
    assert text.links == [LINKS.report, LINKS.log]
    assert "alert(1)" in text.quoted


def test_names_and_messages_stand_in_code_so_that_nobody_is_called() -> None:
    assert "@everyone" not in Seen(page(nasty())).said


def test_no_line_of_a_text_ends_the_block_in_which_markdown_is_not_read() -> None:
    for block in page(nasty(), NASTY).removeprefix(MARKER).strip().split("\n\n"):
        assert re.match(r"<(h2|h3|p|table)>", block), block
        assert "\x1b" not in block


@pytest.mark.parametrize("where", ["javascript:alert(1)", "//evil.example", "http://plain.example", "report.html", ""])
def test_only_https_becomes_a_link(where: str) -> None:
    assert Seen(page(SOUND, links=Links(where, ""))).links == []


def test_a_link_cannot_leave_its_attribute() -> None:
    assert Seen(page(SOUND, links=Links('https://x.example/"><img src=y>', ""))).strange == []


def test_the_page_fits_into_a_comment_and_says_that_it_was_cut() -> None:
    long = "'" * 4000  # the longest when it is escaped
    many = tuple(replace(SOUND.tests[0], id=f"{number}{long}", outcome="failed", message=long) for number in range(300))
    found = page(replace(SOUND, tests=many, failures=(long,) * 300))
    assert len(found) < 65_536
    assert "this page would be too long" in found
    assert "and 290 more, in the report" in found
    assert Seen(found).open == []


def test_without_evidence_the_page_says_so() -> None:
    found = Seen(no_verdict("run.json <b>only", LINKS))
    assert "NO VERDICT" in found.said
    assert "run.json <b>only" in found.quoted


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"):
        monkeypatch.delenv(f"GITHUB_{name}", raising=False)
    monkeypatch.delenv("SLUICE_ARTIFACT", raising=False)
    policy = (Path(__file__).parents[3] / "release" / "policy.toml").read_bytes()
    made = tmp_path / ".sluice" / "latest"
    made.mkdir(parents=True)
    (made / "policy.toml").write_bytes(policy)
    return made


def keep(folder: Path, evidence: Evidence) -> None:
    (folder / "evidence.json").write_bytes(dump(evidence))
    (folder / "verdict.json").write_bytes(dump(samples.verdict(evidence)))


def printed(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["summary", *arguments])


def test_the_command_prints_the_newest_run_with_its_links(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(folder, SOUND)
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.example")
    monkeypatch.setenv("GITHUB_REPOSITORY", "ada/sluice")
    monkeypatch.setenv("GITHUB_RUN_ID", "77")
    monkeypatch.setenv("SLUICE_ARTIFACT", "https://github.example/artifacts/3")
    result = printed()
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{MARKER}\n\n<h2>✅ PASS")
    assert Seen(result.stdout).links == [
        "https://github.example/artifacts/3",
        "https://github.example/ada/sluice/actions/runs/77",
    ]


def test_the_command_is_done_when_a_verdict_of_any_kind_was_told(folder: Path) -> None:
    keep(folder, BROKEN)
    assert printed("--run", str(folder)).exit_code == 0


@pytest.mark.parametrize("left", ["nothing", "half an evidence"])
def test_a_run_without_evidence_has_a_page_that_no_earlier_pass_outlives(folder: Path, left: str) -> None:
    if left != "nothing":
        (folder / "evidence.json").write_bytes(dump(SOUND)[:500])
    result = printed()
    assert result.exit_code == 1
    assert result.stdout.startswith(MARKER)
    assert "NO VERDICT" in result.stdout
    assert "evidence.json" in result.stdout
