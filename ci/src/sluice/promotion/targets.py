"""targets/*.toml → targets by name; the mistakes of all files at once, each with its file and line."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from datetime import date
from functools import partial
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any

from sluice.errors import PolicyError, TargetError
from sluice.policy.checked import Mistake, entries, load_checked
from sluice.promotion.model import SERVICES, Storage, Target, located

FOLDER = "targets"
_DOCUMENTED = "docs/reference/targets.md"
# What a cloud's object store needs, beside a bucket, and what it may have. Of (a, b) one is needed, and one only.
OF_STORAGE: dict[str, tuple[str | tuple[str, ...], ...]] = {
    "oke": ("endpoint", "region", "secret"),
    "aks": ("account", ("client_id", "secret")),
    "gke": (),
}
MAY_HAVE_OF_STORAGE = {"gke": ("service_account",)}


def load_targets(root: Path) -> dict[str, Target]:
    """Return every target of a tree by its name, which is its file's.

    Raises TargetError that names the mistakes of all files: what a key may not hold, windows that end before they
    begin, an object store of another cloud, charts, files of values and suites that the tree has not, a target that
    comes after one that there is not, or after itself.
    """
    found: dict[str, Target] = {}
    mistakes: list[str] = []
    for path in sorted((root / FOLDER).glob("*.toml")):
        try:
            target = load_checked(
                path,
                Target,
                partial(_contradictions, root),
                tables="window",
                named_by="days",
                dates=True,
                documented=_DOCUMENTED,
            )
            found[path.stem] = replace(target, name=path.stem)
        except PolicyError as error:
            mistakes += [f"{FOLDER}/{path.name}: {mistake}" for mistake in error.mistakes]
    if not mistakes:  # of a file that cannot be read it is not known what it comes after
        mistakes = [f"{FOLDER}/{name}.toml: after: {said}" for name, said in _out_of_order(found)]
    if mistakes:
        raise TargetError(
            FOLDER,
            mistakes,
            expected=f"the keys that {_DOCUMENTED} lists",
            next_command="mend them, then run this again",
        )
    return found


def target_of(targets: Mapping[str, Target], name: str) -> Target:
    """Return the target of a name, or the one of a cloud where that has no more than one. Raises TargetError."""
    if name in targets:
        return targets[name]
    of_cloud = [target for target in targets.values() if target.cloud == name]
    if len(of_cloud) == 1:
        return of_cloud[0]
    several = f": {', '.join(target.name for target in of_cloud)} are of that cloud" if of_cloud else ""
    raise TargetError(
        "the command line",
        [f"no target {name}{several}"],
        expected=", ".join(targets) or f"a file in {FOLDER}/",
        next_command=f"ls {FOLDER}",
    )


def in_order(targets: Mapping[str, Target], name: str) -> list[str]:
    """Return the targets that a release has to be verified on before this one, the first ones first."""
    wanted, graph = [name], {}
    while wanted:
        one = wanted.pop()
        graph[one] = targets[one].after
        wanted += targets[one].after
    return [one for one in TopologicalSorter(graph).static_order() if one != name]


def _contradictions(root: Path, given: dict[str, Any]) -> Iterator[Mistake]:
    if "name" in given:
        yield ("name",), "a target is named after its file"
    for number, window in entries(given, "window"):
        start, until = window.get("from"), window.get("until")
        if isinstance(start, str) and isinstance(until, str) and until <= start:
            yield ("window", number, "until"), f"is not after {start}; a window over midnight is two"
    for number, freeze in entries(given, "freeze"):
        first, last = freeze.get("from"), freeze.get("until")
        if isinstance(first, date) and isinstance(last, date) and last < first:
            yield ("freeze", number, "until"), f"is before {first}"
    canary = given.get("canary")
    steps = canary.get("steps") if isinstance(canary, dict) else None
    numbers = [step for step in steps if isinstance(step, int)] if isinstance(steps, list) else []
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        yield ("canary", "steps"), "each step has to be larger than the one before"
    if "identity" in given and "public_key" in given:
        yield ("identity",), "there is public_key already: it is the one or the other"
    yield from _of_storage(given)
    yield from _of_the_tree(root, given)


def _of_storage(given: dict[str, Any]) -> Iterator[Mistake]:
    cloud, storage = given.get("cloud"), given.get("storage")
    if not isinstance(storage, dict) or not isinstance(cloud, str):
        return
    if cloud == "local":
        yield ("storage",), "a local target keeps its logs on a volume"
    if cloud not in OF_STORAGE:
        return
    allowed = {"bucket", *MAY_HAVE_OF_STORAGE.get(cloud, ())}
    for needed in OF_STORAGE[cloud]:
        keys = (needed,) if isinstance(needed, str) else needed
        allowed |= set(keys)
        there = [key for key in keys if storage.get(key)]
        if not there:
            yield ("storage",), f"{' or '.join(keys)} is missing: {cloud} needs it"
        for key in there[1:]:
            yield ("storage", key), f"there is {there[0]} already: it is the one or the other"
    for key in {field.name for field in fields(Storage)} & set(storage) - allowed:
        yield ("storage", key), f"{cloud} has no use for it"


def _of_the_tree(root: Path, given: dict[str, Any]) -> Iterator[Mistake]:
    """Names that the tree has to have something for."""
    values, smoke, identity = given.get("values"), given.get("smoke"), given.get("identity")
    file = identity.get("trusted_root") if isinstance(identity, dict) else None
    if isinstance(file, str) and file and not located(root, file).is_file():
        yield ("identity", "trusted_root"), f"no file {file}"
    for chart, files in values.items() if isinstance(values, dict) else ():
        if chart != SERVICES and not (root / "helm" / chart / "Chart.yaml").is_file():
            yield ("values", chart), f"no chart helm/{chart}"
        for file in files if isinstance(files, list) else ():
            if isinstance(file, str) and not located(root, file).is_file():
                yield ("values", chart), f"no file {file}"
    for suite in smoke if isinstance(smoke, list) else ():
        if isinstance(suite, str) and not (root / "tests" / "e2e" / suite).is_dir():
            yield ("smoke",), f"no suite tests/e2e/{suite}"


def _out_of_order(targets: Mapping[str, Target]) -> Iterator[tuple[str, str]]:
    unknown = [(name, one) for name, target in targets.items() for one in target.after if one not in targets]
    for name, one in unknown:
        yield name, f"no target {one}"
    if unknown:
        return
    try:
        TopologicalSorter({name: target.after for name, target in targets.items()}).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))  # graphlib tells it from what comes first
        yield circle[0], f"comes after itself: {' after '.join(circle)}"
