"""Every page: links lead somewhere, files that are named are there."""

import pytest
from tests.unit.docs.mentions import broken_links, missing_files
from tests.unit.docs.pages import ROOT, Page, every_page, page

PAGES = list(every_page())
ANCHORS = {page.name: page.anchors for page in PAGES}


def test_there_are_pages() -> None:
    assert {"README.md", "docs/architecture.md", "helm/monitoring/runbooks/Watchdog.md"} <= ANCHORS.keys()


def test_links_lead_somewhere() -> None:
    found = {page.name: broken_links(page, ANCHORS) for page in PAGES}
    assert {name: links for name, links in found.items() if links} == {}


def test_files_that_are_named_are_there() -> None:
    found = {page.name: missing_files(page) for page in PAGES}
    assert {name: files for name, files in found.items() if files} == {}


def test_the_map_leads_to_every_page_of_the_documentation() -> None:
    reached: set[str] = set()
    wanted = ["docs/README.md"]
    while wanted:
        name = wanted.pop()
        reached.add(name)
        found = {file for target in page(name).links for file in _pages_behind(name, target)}
        wanted += found - reached - set(wanted)
    assert {name for name in ANCHORS if name.startswith("docs/")} - reached == set()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[a](architecture.md)", ""),
        ("[a](../README.md#two-commands), [`b`](#here)\n# Here", ""),
        ("[a](nothing.md)", "nothing.md: no such file"),
        ("[a](../../outside.md)", "../../outside.md: no such file"),
        ("[a](architecture.md#no-such)", "architecture.md#no-such: docs/architecture.md has no heading #no-such"),
        ("[a](#there)\n# Here", "#there: docs/x.md has no heading #there"),
        ("<https://example.org/a#b> and https://example.org.", ""),
        ("[a](https:///nowhere)", "https:///nowhere: no address of the web"),
        ("[a](https://two words.org)", ""),  # no link at all
        ("`[a](nothing.md)`\n\n    [a](nothing.md)\n\n```\n[a](nothing.md)\n```", ""),
    ],
)
def test_a_link_that_leads_nowhere_is_found(text: str, why: str) -> None:
    page = Page("docs/x.md", text)
    assert broken_links(page, ANCHORS | {page.name: page.anchors}) == ([why] if why else [])


@pytest.mark.parametrize(
    ("span", "there"),
    [
        ("docs/architecture.md", True),
        ("docs/nothing.md", False),
        ("services/*/slo.yaml", True),
        ("services/<name>/service.toml", True),
        ("helm/lib/values-{oke,nowhere}.yaml", False),
        ("targets/{oke,nowhere}.toml", True),
        ("clouds/gke.md", True),  # from the page's own folder
        ("clouds/aws.md", False),
        ("tests/e2e/nothing/", False),
        (".sluice/runs/20260101", True),  # of a run, no file of the tree
        ("github.com/owner/name", True),
        ("release/overrides.toml", True),
    ],
)
def test_a_file_that_is_not_there_is_found(span: str, there: bool) -> None:
    assert missing_files(Page("docs/x.md", f"See `{span}`.")) == ([] if there else [span])


def _pages_behind(name: str, target: str) -> list[str]:
    """The pages that a link of a page leads to: one, all of a folder, or none."""
    file, _, _ = target.partition("#")
    path = ((ROOT / name).parent / file).resolve()
    found = path.glob("*.md") if file and path.is_dir() else [path]
    names = [str(one.relative_to(ROOT)) for one in found if one.is_relative_to(ROOT)]
    return [one for one in names if one in ANCHORS]
