"""What the terminal shows of releases, plans, promotions and targets; whatever stands in it is text and no markup."""

import io
from collections.abc import Iterable
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType
from tests.unit.promotion.proven import BACKEND, files_of, release_of

from sluice.looking import Status
from sluice.promoting import End
from sluice.promotion.ledger import Entry, State, append
from sluice.promotion.plan import ImageChange, Plan, chart_change
from sluice.report.promotion import end_lines, history_table, plan_lines, release_table, status_table

OLD, NEW = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
# To rich the first is a tag that ends and was never begun, an error; the second is a style, and would be left out.
MARKUP = "assert [] == [/shop/api] and [bold] \x1b[31mred"
AS_TEXT = "assert [] == [/shop/api] and [bold] red"
DEPLOYMENT = "kind: Deployment\nmetadata: {{name: backend}}\nspec: {{replicas: {replicas}}}\n"
SERVICE = "---\nkind: Service\nmetadata: {name: backend}\n"


def printed(what: Iterable[RenderableType], width: int = 150) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    for one in what:
        console.print(one, highlight=False)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def row(lines: list[str], first: str) -> list[str]:
    """The cells of the table's row that begins with this."""
    found = [[cell.strip() for cell in line.strip()[1:-1].split("│")] for line in lines if "│" in line]
    return next(cells for cells in found if cells[0] == first)


def test_a_release_shows_each_image_once_by_digest() -> None:
    release = release_of(files_of())
    lines = printed([release_table(release)])
    assert " ".join(lines[:2]) == f"release {release.id}: verdict pass, score 100", "it is broken at the table's width"
    sized = replace(release, images=(replace(BACKEND, size_bytes=207_279_118),))
    assert row(printed([release_table(sized)]), "backend") == ["backend", BACKEND.digest[:19], "207"]
    assert row(lines, "loki")[0] == "loki"


def plan(*charts: tuple[str, str], now: str = "r1") -> Plan:
    images = (
        ImageChange("backend", (OLD,), NEW),
        ImageChange("sync", (NEW,), NEW),
        ImageChange("audit", (), NEW),
    )
    changes = (chart_change(f"chart-{n}", before, after) for n, (before, after) in enumerate(charts))
    return Plan("gke", "r2", now, images, tuple(changes))


def test_a_plan_shows_what_changes_and_counts_what_stays() -> None:
    lines = printed(plan_lines(plan(), full=False))
    assert lines[0] == "gke: r1 → r2"
    assert row(lines, "backend") == ["backend", OLD[:19], NEW[:19]]
    assert row(lines, "audit") == ["audit", "–", NEW[:19]]
    assert not any("sync" in line for line in lines)
    assert lines[-1] == "images: 2 change, 1 stay"
    assert printed(plan_lines(plan(now=""), full=False))[0] == "gke: nothing → r2"


def test_a_plan_that_changes_nothing_says_so() -> None:
    same = DEPLOYMENT.format(replicas=2)
    quiet = replace(plan((same, same)), images=(ImageChange("sync", (NEW,), NEW),))
    assert printed(plan_lines(quiet, full=False))[1:] == ["images: 0 change, 1 stay", "chart chart-0: as it is"]


def test_a_chart_shows_its_changed_lines_with_and_without_what_is_around_them() -> None:
    changed = plan((DEPLOYMENT.format(replicas=2), DEPLOYMENT.format(replicas=3)))
    short = printed(plan_lines(changed, full=False))
    assert short[-3:] == [
        "chart chart-0: 1 changed: Deployment/backend",
        "    -  replicas: 2",
        "    +  replicas: 3",
    ]
    full = printed(plan_lines(changed, full=True))
    assert "    --- Deployment/backend" in full
    assert "     spec:" in full


def test_an_object_that_is_new_is_named_and_hides_no_change_of_the_others() -> None:
    several = plan((DEPLOYMENT.format(replicas=2), DEPLOYMENT.format(replicas=3) + SERVICE))
    short = printed(plan_lines(several, full=False))
    assert short[-3:] == [
        "chart chart-0: 1 new, 1 changed: Deployment/backend, Service/backend",
        "    -  replicas: 2",
        "    +  replicas: 3",
    ]
    assert "    +kind: Service" in printed(plan_lines(several, full=True))
    assert printed(plan_lines(plan(("", SERVICE)), full=False))[-1] == "chart chart-0: 1 new: Service/backend"


def test_a_long_diff_is_cut_and_says_so_unless_all_of_it_is_asked_for() -> None:
    def of(value: str) -> str:
        return "kind: X\nmetadata: {name: x}\ndata:\n" + "".join(f"  k{n:02}: {value}\n" for n in range(20))

    long = plan((of("a"), of("b")))
    short, full = (printed(plan_lines(long, full=full)) for full in (False, True))
    assert short[-1] == "    … 28 lines more: --dry-run --full"
    assert sum(line.startswith("    -") for line in short) == 12
    assert sum("lines more" in line for line in full) == 0
    assert sum(line.startswith("    +  k") for line in full) == 20


def test_of_many_objects_the_first_are_named() -> None:
    many = "".join(f"---\nkind: X\nmetadata: {{name: x{n}}}\n" for n in range(7))
    [line] = [one for one in printed(plan_lines(plan(("", many)), full=False)) if one.startswith("chart")]
    assert line == "chart chart-0: 7 new: X/x0, X/x1, X/x2, X/x3, X/x4, X/x5 …"


@pytest.mark.parametrize(
    ("state", "sign"),
    [("verified", "✓"), ("rolled-back", "↩"), ("failed", "✗")],
)
def test_an_end_tells_its_state_and_its_detail_as_it_is(state: State, sign: str) -> None:
    assert printed(end_lines(End(state, "r2", MARKUP), "gke")) == [f"{sign} r2 on gke: {state}: {AS_TEXT}"]


def test_an_end_tells_what_it_went_on_from_and_what_it_went_back_to() -> None:
    end = End("rolled-back", "r2", "503", restored="r1", restored_seconds=31.5, resumed="copied")
    assert printed(end_lines(end, "gke")) == [
        "it was copied when it was stopped, and went on from there",
        "↩ r2 on gke: rolled-back: 503",
        "  back to r1, verified 31.5 s after the check that failed",
    ]


STATUS = Status("gke", "r1", 1_760_000_000.0, "Ada", "pass, 100", {"api": 0.75, "sync": 0.5}, ())


def test_a_target_shows_what_runs_there_since_when_and_the_smallest_budget() -> None:
    assert row(printed([status_table([STATUS])]), "gke") == [
        "gke", "r1", "2025-10-09 08:53:20", "pass, 100", "50% of sync", "nothing",
    ]  # fmt: skip


def test_a_target_that_nothing_was_promoted_to_says_so() -> None:
    empty = replace(STATUS, release="", since=0.0, verdict="", budgets={})
    assert row(printed([status_table([empty])]), "gke") == ["gke", "–", "", "", "", "nothing"]
    unmeasured = replace(STATUS, budgets={})
    assert row(printed([status_table([unmeasured])]), "gke")[4] == "–", "nothing is known of its budgets yet"


def test_what_differs_and_a_target_that_cannot_be_asked_are_told_as_they_are() -> None:
    lines = printed([status_table([replace(STATUS, drift=(MARKUP,), under_way="r2 is copied"), ("aks", MARKUP)])], 250)
    assert row(lines, "gke")[-1] == "r2 is copied"
    assert row(lines, "")[-1] == AS_TEXT
    assert row(lines, "aks") == ["aks", "?", "", "", "", f"✗ {AS_TEXT}"]


def entries(*promotions: tuple[str, tuple[State, ...]]) -> tuple[Entry, ...]:
    found: tuple[Entry, ...] = ()
    for number, (detail, states) in enumerate(promotions):
        for at, state in enumerate(states):
            one = Entry(0, 1_760_000_000.0 + 30 * at, "gke", f"p{number}", NEW, f"r{number}", state, "Ada [x]")
            found = append(found, replace(one, detail=detail))
    return found


def test_a_history_shows_each_promotion_in_a_line_with_how_it_ended() -> None:
    ledger = entries((MARKUP, ("planned", "copied", "failed")), ("well", ("planned",)))
    lines = printed([history_table(ledger, "gke")], 250)
    assert lines[0] == "promotions to gke"
    began = "2025-10-09 08:53:20"
    assert row(lines, began) == [began, "0:01:00", "r0", "deploy", "Ada [x]", "failed", AS_TEXT]
    assert sum(began in line for line in lines) == 2
    assert lines[-1] == f"4 entries, each chained to the one before; the newest {ledger[-1].digest[:19]}"


def test_an_empty_history_says_so() -> None:
    assert printed([history_table((), "gke")])[-1] == "0 entries, each chained to the one before; the newest –"
