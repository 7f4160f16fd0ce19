"""`python -m bench.gate_mutants`: bad releases for the gate to stop, good ones for it to let through.

Works on copies of the tree, on a kept cluster of its own (`sluice-bench`, or --cluster). What came of each release is
a line of .sluice/gate-mutants/results.jsonl, and what its run left lies beside it. Exit status 0 where every mutant
that ran was caught and every healthy release passed, 1 where not, 2 where it could not be tried, 130 after Ctrl-C.
"""

import argparse
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.gate_mutants import in_charts, in_services, in_telemetry, results
from bench.gate_mutants.bench import Bench, part, plan
from bench.gate_mutants.faults import Change
from bench.gate_mutants.harmless import healthy
from bench.gate_mutants.running import Line
from bench.gate_mutants.table import render

from sluice.cluster_lock import clusters_held
from sluice.errors import SluiceError

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / ".sluice" / "gate-mutants"
PAGE = ROOT / "docs" / "gate-mutants.md"
KEPT = PAGE.with_suffix(".jsonl")
# One set for all, so that no mutant is told where to look: what users, operators and other services see of a release.
SUITES = ("api", "services", "events", "websocket", "metrics", "logs")
MUTANTS = (*in_services.MUTANTS, *in_telemetry.MUTANTS, *in_charts.MUTANTS)
_GOOD_OUTCOMES = ("caught", "passed")


def main() -> int:
    """Run what is asked for."""
    asked = arguments()
    everything = {change.name: change for change in (*MUTANTS, *healthy(asked.healthy))}
    if unknown := sorted(set(asked.only or ()) - set(everything)):
        print(f"no such release: {', '.join(unknown)}; --list has them", file=sys.stderr)
        return 2
    if asked.list:
        listing(everything.values())
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends it finds the good release, too
    line = Line(asked.cluster, asked.port, tuple(asked.suite or SUITES), asked.out / "tools")
    bench = Bench(ROOT, asked.out, line)
    status = 0
    try:
        if not asked.write or asked.only or asked.resume:
            # Between two runs, too: what a release left is removed then.
            with clusters_held(line.settings(ROOT), command="gate_mutants"):
                run(bench, asked)
    except KeyboardInterrupt:
        print("stopped; --resume goes on with what is left", file=sys.stderr)
        status = 130
    except SluiceError as error:
        print(f"✗ {error}", file=sys.stderr)
        return 2
    found = results.read(bench.file)
    page = render(found, MUTANTS)
    if asked.write:
        PAGE.write_text(page, encoding="utf-8")
        results.write(KEPT, found)
    print(page if not asked.write else f"{PAGE.relative_to(ROOT)} and {KEPT.name} are written")
    return status or (0 if all(one.judged.outcome in _GOOD_OUTCOMES for one in found) else 1)


def run(bench: Bench, asked: argparse.Namespace) -> None:
    """Judge what is asked for, and not yet judged where --resume is given."""
    mutants, fine = part(MUTANTS, asked.shard), healthy(asked.healthy)
    if asked.only:
        mutants, fine = ([one for one in some if one.name in asked.only] for some in (mutants, fine))
    elif not asked.resume and bench.file.exists():
        bench.begin_anew()
    tasks = plan(mutants, fine, asked.seed)
    if asked.resume:
        bench.go_on_from(KEPT, tasks)
        earlier = results.read(bench.file)
        tasks = [task for task in tasks if task.change.name not in results.done(earlier)]
    bench.work(tasks)


def listing(changes: Iterable[Change]) -> None:
    """Print every release: its name, what it changes, and what should find it."""
    for change in changes:
        where = "" if change.by == "gate" else "  [checks]"
        print(f"{change.name:24} {change.what}{where}")
        if change.expect:
            print(f"{'':24}   by {', '.join(change.expect)}")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.gate_mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these releases; others keep their results")
    parser.add_argument("--shard", default="", metavar="N/M", help="only the Nth of M parts of the mutants")
    parser.add_argument("--healthy", type=int, default=10, metavar="N", help="so many healthy releases (default 10)")
    parser.add_argument("--seed", type=int, default=6, help="of the order (default 6)")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on: what has a verdict, also a committed one, is not run again",
    )
    parser.add_argument("--suite", action="append", metavar="NAME", help=f"judge by these (default {' '.join(SUITES)})")
    parser.add_argument(
        "--write", action="store_true", help="write docs/gate-mutants.md, .jsonl (runs nothing by itself)"
    )
    parser.add_argument("--cluster", default="sluice-bench", help="a cluster of this name (default sluice-bench)")
    parser.add_argument("--port", type=int, default=0, help="of its registry (default 5001 for sluice, else 5011)")
    parser.add_argument("--out", type=Path, default=OUT, help="for results (default .sluice/gate-mutants)")
    asked = parser.parse_args()
    try:
        part(MUTANTS, asked.shard)
    except ValueError as error:
        parser.error(str(error))
    asked.port = asked.port or (5001 if asked.cluster == "sluice" else 5011)
    return asked


if __name__ == "__main__":
    sys.exit(main())
