"""The last drill's figures, as docs/disaster-recovery.md shows them between two marks."""

from datetime import UTC, datetime
from pathlib import Path

from sluice.errors import RecoveryError
from sluice.files import write_atomically
from sluice.recovery.figures import DRILL_RPO, DRILL_RTO, PLAN_RPO, PLAN_RTO, Figures, against

PAGE = Path("docs") / "disaster-recovery.md"
BEGIN, END = "<!-- drill: begin, written by ./nox -s drill -->", "<!-- drill: end -->"


def section(figures: Figures) -> str:
    """Return the figures as Markdown."""
    day = datetime.fromtimestamp(figures.destroyed, UTC).strftime("%Y-%m-%d %H:%M UTC")
    tasks, wrong = figures.tasks, against(figures)
    lines = [
        f"Drill of {day}, revision `{figures.revision[:12]}`, run `{figures.run_id}`: "
        + ("**everything came back**." if not wrong else "**it failed**: " + "; ".join(wrong) + "."),
        "",
        "| | measured | drill's limit | plan |",
        "| --- | --- | --- | --- |",
        f"| RTO | {figures.rto_seconds:.0f} s | {DRILL_RTO:.0f} s | {PLAN_RTO / 3600:.0f} h |",
        f"| RPO | {figures.rpo_seconds:.0f} s | {DRILL_RPO:.0f} s | {PLAN_RPO / 3600:.0f} h |",
        "",
        f"Of {tasks.written} tasks that were acknowledged under load {tasks.returned} came back, and "
        f"{len(tasks.lost)} did not: all of them written in the last {tasks.rpo_seconds:.0f} s. SHA-256 over those "
        f"that came back, before and after: `{tasks.checksum_before[:16]}`, `{tasks.checksum_after[:16]}`.",
        f"Audit's chain {'holds' if figures.chain_valid else 'does not hold'} against the anchor of before: "
        f"{figures.chain_entries} entries, {figures.anchor_entries} at the anchor.",
        "",
        "| store | age of its back-up | backed up | restored |",
        "| --- | --- | --- | --- |",
        *(
            f"| {one.name} | {one.age_seconds:.0f} s | `{one.before[:16] or '–'}` | `{one.after[:16] or '–'}` |"
            for one in figures.stores
        ),
        "",
        "| step after the disaster | seconds |",
        "| --- | --- |",
        *(f"| {name} | {seconds:.1f} |" for name, seconds in figures.steps),
    ]
    return "\n".join(lines) + "\n"


def write(root: Path, figures: Figures) -> None:
    """Put the figures on the page. Raises RecoveryError where the page has not the two marks, in order."""
    put_between(root, PAGE, BEGIN, END, section(figures))


def put_between(root: Path, page: Path, begin: str, end: str, made: str) -> None:
    """Put what was made between two lines of a page. Raises RecoveryError where it has not both, once, in order."""
    path = root / page
    try:
        text = path.read_text(encoding="utf-8")
        before, rest = text.split(begin)
        _, after = rest.split(end)
    except (OSError, ValueError) as error:
        raise RecoveryError(
            f"{page} has no place for the figures",
            seen=f"{type(error).__name__}: {error}",
            expected=f"one line {begin!r} and after it one line {end!r}",
            next_command=f"git checkout -- {page}",
        ) from None
    write_atomically(path, f"{before}{begin}\n{made}{end}{after}".encode())
