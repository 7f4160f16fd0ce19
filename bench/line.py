"""Times the whole line: caches warm and no cluster; kept cluster, one line changed; kept cluster, nothing changed.

For the changed line also what had to be pushed for it: the layers of its images that no image had before.

With --cold also from nothing, into a cache of its own that is removed afterwards (about 50 minutes on two cores).
Runs one small suite, so that it is the line that is timed and not the tests; `--suite` (also several times) asks for
others. The verdict is then a fail, for the rest is required. Works on a copy of the tree, on a cluster of its own name,
and removes both. Prints a table of steps a case.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
CHANGED = "services/backend/src/backend/service.py"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
RUN = [sys.executable, "-m", "sluice", "e2e"]


def main() -> None:
    """Run the cases and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cold", action="store_true", help="also from an empty cache")
    parser.add_argument("--suite", action="append", help="run these suites (default: api)")
    parser.add_argument("--port", default="5011", help="port of the benchmark's registry (default 5011)")
    asked = parser.parse_args()
    suites = [word for suite in asked.suite or ["api"] for word in ("--suite", suite)]
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as scratch:
        tree = Path(scratch) / "tree"
        skipped = shutil.ignore_patterns(".sluice", ".git", "__pycache__", ".*_cache")
        shutil.copytree(ROOT, tree, ignore=skipped)
        environment = {
            **os.environ,
            "PYTHONPATH": str(tree / "ci/src"),
            "SLUICE_CLUSTER_NAME": "sluice-bench",
            "SLUICE_CLUSTER_REGISTRY_PORT": asked.port,
        }
        try:
            if asked.cold:
                cold = {**environment, "SLUICE_RUN_CACHE": str(Path(scratch) / "cache")}
                try:
                    case("cold: empty cache, no cluster", tree, cold, suites)
                finally:  # the engine takes programs from that cache: it must not outlive it
                    subprocess.run([*RUN[:-1], "clean"], cwd=tree, env=cold, check=False)
            case("caches filled (this run fills them)", tree, environment, suites)
            case("warm: caches filled, no cluster", tree, environment, ["--keep", *suites])
            before = layers(tree)
            changed = tree / CHANGED
            changed.write_text(changed.read_text() + f"\n# {time.time()}\n")
            case("kept cluster, one line changed in backend", tree, environment, ["--reuse", *suites])
            pushed = {digest: size for digest, size in layers(tree).items() if digest not in before}
            print(f"  pushed: {sum(pushed.values())} bytes in {len(pushed)} layers")
            case("kept cluster, nothing changed", tree, environment, ["--reuse", *suites])
        finally:
            subprocess.run([*RUN[:-1], "clean"], cwd=tree, env=environment, check=False)


def layers(tree: Path) -> dict[str, int]:
    """Return the size in bytes of each layer of the last run's images, by digest, as the registry says."""
    found: dict[str, int] = {}
    for image in json.loads((tree / ".sluice/latest/evidence.json").read_text())["images"]:
        registry, _, name = image["repository"].partition("/")
        address = f"http://{registry}/v2/{name}/manifests/{image['digest']}"
        manifest = httpx.get(address, headers={"Accept": MANIFEST}, trust_env=False).raise_for_status().json()
        found |= {layer["digest"]: layer["size"] for layer in manifest["layers"]}
    return found


def case(title: str, tree: Path, environment: dict[str, str], options: list[str]) -> None:
    """Run one case and print the seconds of the whole and of each step."""
    started = time.monotonic()
    done = subprocess.run([*RUN, *options], cwd=tree, env=environment, check=False, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    print(f"\n{title}: {seconds:.1f} s, exit status {done.returncode}", flush=True)
    evidence = json.loads((tree / ".sluice/latest/evidence.json").read_text())
    for step in evidence["steps"]:
        print(f"  {step['seconds']:8.1f}  from {step['started'] - evidence['started']:6.1f}  {step['name']}")


if __name__ == "__main__":
    main()
