"""The page of production readiness: docs/production-readiness.md, made of the catalog."""

from dataclasses import fields

from sluice.readiness import load_catalog
from sluice.readiness.model import Confirmation, Item
from sluice.reference.markdown import code, page, section, table

_MEANING = {
    "item": "the id of one that a person confirms, below",
    "target": "for which target; the same item of another one is another confirmation",
    "who": "a name",
    "when": "since when, with its zone",
    "until": "to when it counts: at most the item's days later, after that it is not confirmed",
    "note": "what was looked at, and where it can be read",
}
_EXAMPLE = """\
```toml
schema = "sluice.confirmations/v1"

[[confirmation]]
item = "alerting.page-arrived"
target = "gke"
who = "Ada"
when = 2026-11-02T10:00:00Z
until = 2027-01-31T10:00:00Z
note = "a test page at 10:02 rang Grace's telephone: the on-call log of that day"
```"""
_COMMANDS = """\
```
./nox -s readiness -- --target gke            # all of it; 1 where the score is below what the target asks for
./nox -s readiness -- --target gke --offline  # tree and charts only; says what was not checked
./nox -s readiness -- --target gke --json     # the same as data
```"""
_SCORE = """\
Points are of 100: the weights of what passed or is confirmed, of the weights of all items, of a section and of the
whole. What could not be checked counts as what failed does; so does a check that found nothing to look at, and a
confirmation that is over. No item can be waived: a score below 100 is what says that something is accepted.

`.sluice/readiness/latest` has the last `readiness.json` ([schema](schemas/readiness-v1.schema.json)) and
`readiness.html`, each finding in it. A target can ask for a score before it takes another release
([its keys](reference/targets.md), [why so](decisions/0021-readiness-before-a-deploy.md)):
```toml
[readiness]
score = 85
days = 7  # how old the score may be
```
Charts are those of this tree, rendered with the target's values; images have a digest of zeros in the place of a
release's. What runs is asked of the target itself, with the credentials of its file, and by reading only."""


def readiness_page() -> str:
    """Return the page."""
    catalog = load_catalog()
    automatic = [item for item in catalog.items if item.automatic]
    intro = (
        f"What production asks for, in {len(catalog.sections)} sections and {len(catalog.items)} items: "
        f"{len(automatic)} are checked by a machine, {len(catalog.items) - len(automatic)} are confirmed by a person. "
        "Each check is seen failing on a planted fault in `tests/unit/readiness/`."
    )
    keys = [(code(one.name), _MEANING[one.name]) for one in fields(Confirmation)]
    return page(
        "Production readiness",
        "ci/src/sluice/readiness/catalog.toml",
        intro,
        _COMMANDS,
        section("Score", _SCORE),
        section(
            "What a person confirms",
            "In `release/readiness.toml`; all mistakes of it are told at once, each with its line.",
            _EXAMPLE,
            table(("key", "meaning"), keys),
        ),
        *(section(one.title, one.why, _items(catalog.of(one.name))) for one in catalog.sections),
    )


def _items(items: tuple[Item, ...]) -> str:
    rows = [(code(one.id), one.what, one.why, _checked(one), str(one.weight)) for one in items]
    return table(("id", "item", "why", "how it is checked", "weight"), rows)


def _checked(item: Item) -> str:
    if item.automatic:
        return f"{item.how} (machine: {', '.join(item.reads)})"
    return f"{item.how} (person, for {item.days} days)"
