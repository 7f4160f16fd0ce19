"""docs/slo.md lists every service level objective."""

from sluice.slo.load import load_slos

from .catalog import REPOSITORY

SLOS = [slo for slos in load_slos(REPOSITORY).values() for slo in slos]
PAGE = (REPOSITORY / "docs" / "slo.md").read_text(encoding="utf-8")


def test_the_page_lists_every_objective_as_it_is() -> None:
    expected = [f"| `{slo.spec.service}` | `{slo.name}` | {slo.percent} | {slo.spec.description} |" for slo in SLOS]
    assert [line for line in PAGE.splitlines() if line.startswith("| `")] == expected
