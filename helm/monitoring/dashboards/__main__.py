"""Writes each dashboard's JSON beside its Python; `--check` writes nothing and fails where they differ."""

import sys
from pathlib import Path

from . import (
    application_logs,
    event_processing,
    service_overview,
    slo_error_budgets,
    websocket_metrics,
)

FOLDER = Path(__file__).parent
MODULES = (service_overview, event_processing, websocket_metrics, application_logs, slo_error_budgets)


def written() -> dict[str, str]:
    """What each JSON file should hold, by its name."""
    boards = [module.board() for module in MODULES]
    return {f"{board.uid}.json": board.json() for board in boards}


def stale(folder: Path) -> list[str]:
    """The files that are not what the Python says: changed, missing, or of no dashboard."""
    wanted = written()
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def main() -> int:
    """Renew or check; the exit status is 1 where a check fails."""
    differing = stale(FOLDER)
    if "--check" in sys.argv[1:]:
        for name in differing:
            print(f"{name} is not what its Python says; next: ./nox -s dashboards")
        return 1 if differing else 0
    wanted = written()
    for name in differing:
        if name in wanted:
            (FOLDER / name).write_text(wanted[name], encoding="utf-8")
        else:
            (FOLDER / name).unlink()
        print(f"{name}: {'written' if name in wanted else 'removed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
