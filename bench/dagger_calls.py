"""Times Dagger's calls on the engine that the environment names: the command line's own start, `call build` again.

Cases, each as often as --times says, of which the middle one counts:
  start                         a query of nothing: what the command line takes to reach the engine
  load                          `functions`: and to load the module
  build, nothing changed        `call build` after one that filled the caches
  build, one service changed    the same with a new line in one service's source
With --e2e also the whole line in the engine and with this host's Docker, on one suite (`--suite`): half an hour or
more.

Works on a copy of the tree without its history, through ./dagger, so that .env and a program on PATH count as they do
for a user; for --e2e SLUICE_RUN_OFFLINE does, too. Prints a table with the time over `start`, and for e2e the ratio to
Docker.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OFFLINE = ".sluice/offline"
CHANGED = "services/backend/src/backend/service.py"
QUERY = b"{ version }"
START = ["./dagger", "query", "--no-mod"]
NAME, PORT = "sluice-bench", "5011"  # of the cluster and the registry under Docker


def main() -> None:
    """Run the cases and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3, help="how often each case is timed (default 3)")
    parser.add_argument("--supply", default="auto", help="where components come from (default auto)")
    parser.add_argument("--e2e", action="store_true", help="also the whole line, under dagger and under docker")
    parser.add_argument("--suite", action="append", help="of --e2e: run these suites (default: api)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as scratch:
        tree = Path(scratch) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".git", ".sluice", "__pycache__", ".*_cache"))
        if (ROOT / OFFLINE).is_dir():
            shutil.copytree(ROOT / OFFLINE, tree / OFFLINE, symlinks=True, copy_function=link)
        subprocess.run(["git", "init", "--quiet"], cwd=tree, check=True)  # a module's tree ends at a repository
        build = ["./dagger", "--progress", "plain", "call", "build", "--supply", asked.supply, "entries"]
        print(f"{'case':<30}{'seconds':>9}{'over start':>12}   each")
        start = median("start", [timed(START, tree, QUERY) for _ in range(asked.times)])
        median("load", [timed(["./dagger", "functions"], tree) for _ in range(asked.times)], start)
        median("build, the first", [timed(build, tree)], start)
        median("build, nothing changed", [timed(build, tree) for _ in range(asked.times)], start)
        median("build, one service changed", [changed(build, tree) for _ in range(asked.times)], start)
        if asked.e2e:
            suites = [word for suite in asked.suite or ["api"] for word in ("--suite", suite)]
            compare(tree, suites)


def link(source: str, target: str) -> None:
    """Link a file of the offline folder, or copy it where file systems differ."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def changed(build: Sequence[str], tree: Path) -> float:
    """Seconds that a build takes after a line was added to one service."""
    with (tree / CHANGED).open("a") as file:
        file.write(f"\n# {time.time_ns()}\n")
    return timed(build, tree)


def timed(words: Sequence[str], tree: Path, said: bytes = b"") -> float:
    """Seconds that a command takes; ends the benchmark with its last words where it fails."""
    started = time.monotonic()
    done = subprocess.run(words, cwd=tree, input=said, capture_output=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode:
        sys.exit(f"{' '.join(words)}: exit status {done.returncode}\n{done.stderr.decode()[-4000:]}")
    return seconds


def median(case: str, took: list[float], start: float | None = None) -> float:
    """Print a line of the table and return the middle one of the times."""
    middle = statistics.median(took)
    over = "" if start is None else f"{middle - start:.1f}"
    print(f"{case:<30}{middle:>9.1f}{over:>12}   {' '.join(f'{one:.1f}' for one in took)}", flush=True)
    return middle


def compare(tree: Path, suites: Sequence[str]) -> None:
    """Print what the whole line takes in either runtime: each once to fill its caches, and once to be timed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree / "ci/src"),
        "SLUICE_CLUSTER_NAME": NAME,
        "SLUICE_CLUSTER_REGISTRY_PORT": PORT,
    }

    def line(runtime: str) -> float:
        started = time.monotonic()
        # Its verdict is a fail, for the other suites are required: any status but 2 is a run.
        words = [sys.executable, "-m", "sluice", "e2e", "--runtime", runtime, *suites]
        done = subprocess.run(words, cwd=tree, env=environment, capture_output=True, check=False)
        if done.returncode not in (0, 1):
            sys.exit(f"{' '.join(words)}: exit status {done.returncode}\n{done.stderr.decode()[-4000:]}")
        return time.monotonic() - started

    try:
        took = {runtime: _second(line, runtime) for runtime in ("docker", "dagger")}
    finally:
        subprocess.run([sys.executable, "-m", "sluice", "clean"], cwd=tree, env=environment, check=False)
    for runtime, seconds in took.items():
        print(f"{f'e2e, {runtime}':<30}{seconds:>9.1f}{seconds / took['docker']:>11.2f}×")


def _second(line: Callable[[str], float], runtime: str) -> float:
    line(runtime)
    return line(runtime)


if __name__ == "__main__":
    main()
