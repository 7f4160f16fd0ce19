"""The guides of the clouds: each leads all the way, from nothing to a verified deploy and back to nothing."""

import re
from pathlib import Path
from typing import get_args

import pytest
from tests.unit.docs.pages import ROOT, Page, page

from sluice.promotion.model import Cloud

CLOUDS = sorted(path.stem for path in (ROOT / "targets").glob("*.toml") if path.stem != "local")
# What each has to tell, by a word of its heading.
PARTS = ("cluster", "registry", "logs", "database", "deploy", "costs", "tear-down")
WITHIN = 0.05  # of the total, which is rounded


def lacking(guide: Page) -> list[str]:
    """What a guide does not tell, or tells wrongly."""
    headings = [line.removeprefix("## ").lower() for line in guide.text.splitlines() if line.startswith("## ")]
    found = [f"no section on {part}" for part in PARTS if not any(part in heading for heading in headings)]
    if not any(target.startswith("README.md#2") for target in guide.links):
        found.append("no link to the steps that are the same everywhere")
    name = Path(guide.name).stem
    found += [
        f"{file} is not named" for file in (f"targets/{name}.toml", f"targets/values/{name}") if file not in guide.text
    ]
    *rows, total = [
        int(each) for each in re.findall(r"\|[^|\n]*\|[^|\n]*\|\D*(\d+)[^|\n]*\|$", guide.text, re.MULTILINE)
    ]
    if abs(sum(rows) - total) > WITHIN * total:
        found.append(f"its costs come to {sum(rows)}, not to {total}")
    return found


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_guide_leads_all_the_way(cloud: str) -> None:
    assert lacking(page(f"docs/clouds/{cloud}.md")) == []


def test_every_cloud_has_a_guide_that_the_first_page_leads_to() -> None:
    first = page("docs/clouds/README.md")
    assert set(CLOUDS) | {"local"} == set(get_args(Cloud))
    assert {f"{cloud}.md" for cloud in CLOUDS} <= set(first.links)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("## Tear-down", "## The end", "no section on tear-down"),
        ("README.md#2-namespaces-and-secrets", "README.md", "no link to the steps"),
        ("targets/gke.toml", "targets/x.toml", "targets/gke.toml is not named"),
        ("about 850", "about 650", "its costs come to 860, not to 650"),
    ],
)
def test_what_a_guide_lacks_is_told(old: str, new: str, said: str) -> None:
    guide = page("docs/clouds/gke.md")
    changed = Page(guide.name, guide.text.replace(old, new))
    assert changed.text != guide.text
    (found,) = lacking(changed)
    assert said in found
