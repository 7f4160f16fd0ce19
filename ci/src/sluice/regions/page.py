"""The last switches' figures, as docs/failover.md shows them between marks: one of each kind."""

from datetime import UTC, datetime
from pathlib import Path

from sluice.recovery.page import put_between
from sluice.regions.figures import MOST_SILENT_SECONDS, Figures, against

PAGE = Path("docs") / "failover.md"


def marks_of(*, planned: bool) -> tuple[str, str]:
    """Return the lines between which the figures of a kind of switch stand."""
    kind = "planned" if planned else "unplanned"
    return f"<!-- {kind} switch: begin, written by ./nox -s failover -->", f"<!-- {kind} switch: end -->"


def section(figures: Figures) -> str:
    """Return the figures as Markdown."""
    day = datetime.fromtimestamp(figures.began, UTC).strftime("%Y-%m-%d %H:%M UTC")
    wrong = against(figures)
    how = "planned" if figures.planned else f"unplanned: {figures.source} was lost"
    lines = [
        f"Switch of {day} from {figures.source} to {figures.target} (epoch {figures.epoch}, {how}), revision "
        f"`{figures.revision[:12]}`, run `{figures.run_id}`: "
        + ("**it holds**." if not wrong else "**it failed**: " + "; ".join(wrong) + "."),
        "",
        "| | measured | limit |",
        "| --- | --- | --- |",
        f"| without an acknowledged write | {figures.silent_seconds:.1f} s | {MOST_SILENT_SECONDS:.0f} s |",
        f"| acknowledged writes that are missing | {len(figures.tasks.lost)} of {figures.tasks.written} | "
        f"{'0' if figures.planned else 'named'} |",
        f"| writes that the hash chain lacks | {len(figures.unheard)} | {'0' if figures.planned else 'named'} |",
        "",
        figures.loss,
        f"Audit's chain {'holds' if figures.chain_valid else 'does not hold'} against the anchor of before: "
        f"{figures.chain_entries} entries, {figures.anchor_entries} at the anchor.",
        *(["", "Overruled by `--force`: " + "; ".join(figures.forced) + "."] if figures.forced else []),
        "",
        "| step | seconds |",
        "| --- | --- |",
        *(f"| {name} | {seconds:.1f} |" for name, seconds in figures.steps),
    ]
    return "\n".join(lines) + "\n"


def write(root: Path, figures: Figures) -> None:
    """Put the figures on the page. Raises RecoveryError where the page has not the two marks, in order."""
    put_between(root, PAGE, *marks_of(planned=figures.planned), section(figures))
