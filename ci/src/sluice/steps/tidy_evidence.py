"""The last look at a run's folder before it is evidence: nothing secret in it, and no more than is to be kept."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from sluice.domain import TestResult
from sluice.files import write_atomically
from sluice.masking import Mask, masked_json
from sluice.steps.bundle import CUT_FILE, FOLDER
from sluice.steps.bundle_readme import replay
from sluice.steps.suite_junit import case_of

# Of the run's own: masked where they are made, or not there yet.
OWN_FILES = ("evidence.json", "verdict.json", "report.html")
WORK_FOLDER = "work"  # what charts are installed from; it goes when the run ends
_TEXTS = (".log", ".txt", ".md", ".yaml", ".csv")
# What goes first where there is too much: logs of what installed things, then those of pods; never what a failed test's
# folder or a step says.
_SPARED = (
    *OWN_FILES,
    f"{FOLDER}/tests/",
    f"{FOLDER}/README.txt",
    "steps/",
    "junit",
    "run.json",
    "suites.jsonl",
    "policy.toml",
    CUT_FILE,
)


@dataclass(frozen=True)
class Bounds:
    """How much is kept, in bytes: of each file, and of all of them."""

    file: int
    total: int


def tidy_evidence(run: Path, mask: Mask, bounds: Bounds, tests: Sequence[TestResult] = ()) -> list[str]:
    """Mask every file of a run, give JUnit's failed cases their bundle and replay command, and keep to the bounds.

    Returns what was left out, a line each. Raises nothing: what cannot be masked is removed.
    """
    cut: list[str] = []
    for path in list(_files(run)):
        name = path.relative_to(run).as_posix()
        if name in OWN_FILES:
            continue
        try:
            _tidy(path, name, mask, bounds.file, tests, run.name, cut)
        except OSError as error:
            cut.append(f"{name}: removed, since it could not be masked: {error.strerror}")
            with suppress(OSError):
                path.unlink()
    return [mask(line) for line in cut] + keep_within(run, bounds.total)


def keep_within(run: Path, total: int) -> list[str]:
    """Remove files of a run, what is least needed first, until the rest has at most `total` bytes; return which."""
    sizes = {path: path.stat().st_size for path in _files(run)}
    over = sum(sizes.values()) - total
    removed = []
    for path in sorted(sizes, key=lambda path: (_rank(path.relative_to(run).as_posix()), -sizes[path])):
        name = path.relative_to(run).as_posix()
        if over <= 0:
            break
        if name.startswith(_SPARED):
            continue
        with suppress(OSError):
            path.unlink()
            over -= sizes[path]
            removed.append(f"{name}: removed, {sizes[path]} bytes: a run keeps at most {total} in all")
    return removed


def _tidy(
    path: Path, name: str, mask: Mask, most: int, tests: Sequence[TestResult], run_id: str, cut: list[str]
) -> None:
    before = path.read_bytes()
    change = _change_of(path, mask, tests, run_id)
    if change is None:
        return
    try:
        after = change(before.decode(errors="replace")).encode(errors="replace")
    except (ValueError, ET.ParseError, RecursionError) as error:
        # Cut by a kill, perhaps: as text it can still be masked.
        after = mask(before.decode(errors="replace")).encode(errors="replace")
        cut.append(f"{name}: it is not whole ({error})")
    if len(after) > most and path.suffix in _TEXTS:
        kept = after[-most:].partition(b"\n")[2]
        cut.append(f"{name}: the first {len(after) - len(kept)} of {len(after)} bytes")
        after = kept
    if after != before:
        times = path.stat()
        write_atomically(path, after)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # when it was written still tells of the run


def _change_of(path: Path, mask: Mask, tests: Sequence[TestResult], run_id: str) -> Callable[[str], str] | None:
    match path.suffix:
        case ".json":
            return lambda text: _masked_json(text, mask)
        case ".jsonl":
            return lambda text: "".join(_masked_line(line, mask) + "\n" for line in text.splitlines())
        case ".xml":
            return lambda text: _junit(text, mask, tests, run_id)
        case suffix if suffix in _TEXTS:
            return mask
    return None


def _masked_json(text: str, mask: Mask) -> str:
    value = json.loads(text)
    found = masked_json(value, mask)
    # What holds no secret stays byte for byte.
    return text if found == value else json.dumps(found, ensure_ascii=False, indent=2)


def _masked_line(line: str, mask: Mask) -> str:
    try:
        value = json.loads(line)
    except ValueError:
        return mask(line)
    found = masked_json(value, mask)
    return line if found == value else json.dumps(found, ensure_ascii=False)


def _junit(text: str, mask: Mask, tests: Sequence[TestResult], run_id: str) -> str:
    root = ET.fromstring(text)
    for element in root.iter():
        element.text = mask(element.text) if element.text else element.text
        for key, value in element.attrib.items():
            element.attrib[key] = mask(value)
    failed = {case_of(test.id): test for test in tests if test.failed}
    for case in root.iter("testcase"):
        test = failed.get((case.get("classname", ""), case.get("name", "")))
        if test and not case.findall("properties/property[@name='replay']"):
            _annotate(case, test, run_id)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def _annotate(case: ET.Element, test: TestResult, run_id: str) -> None:
    suite, alone = replay(test, run_id)
    told = {"replay": suite, "replay-alone": alone, "bundle": test.bundle, "started": f"{test.started:.3f}"}
    properties = case.find("properties")
    if properties is None:
        properties = ET.Element("properties")
        case.insert(0, properties)
    for trace in test.trace_ids:
        ET.SubElement(properties, "property", name="trace_id", value=trace)
    for name, value in told.items():
        if value:
            ET.SubElement(properties, "property", name=name, value=value)
    output = case.find("system-out")
    if output is None:
        output = ET.SubElement(case, "system-out")
    bundle = f"\nwhat was gathered: {test.bundle}/README.txt" if test.bundle else ""
    output.text = f"{output.text or ''}\nrun it again: {suite}\nalone: {alone}{bundle}\n"


def _files(run: Path) -> Iterator[Path]:
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run)
        if path.is_file() and not path.is_symlink() and name.parts[0] != WORK_FOLDER:
            yield path


def _rank(name: str) -> int:
    """What goes first: installers' logs, pods' logs, pictures, the rest."""
    order = ("logs/", f"{FOLDER}/logs/", "dashboard-", "dashboards/")
    return next((rank for rank, beginning in enumerate(order) if name.startswith(beginning)), len(order))
