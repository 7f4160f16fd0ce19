"""JUnit reports of several processes as one, and of tests that no process lived to report."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from sluice.domain import TestResult


def join_reports(folder: Path, name: str, tests: Sequence[TestResult]) -> None:
    """Join every `<number>-<name>` of a folder into `<name>` and remove them; add the tests that none of them has."""
    root = ET.Element("testsuites")
    reported: set[tuple[str, str]] = set()
    for part in sorted(folder.glob(f"*-{name}")):
        try:
            suites = ET.parse(part).getroot().findall("testsuite")
        except ET.ParseError:  # its writer was killed
            suites = []
        root.extend(suites)
        reported |= {
            (case.get("classname", ""), case.get("name", "")) for one in suites for case in one.iter("testcase")
        }
        part.unlink()
    missing = [test for test in tests if case_of(test.id) not in reported]
    if missing or not len(root):
        root.append(_suite_of(missing))
    (folder / name).write_bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def case_of(test: str) -> tuple[str, str]:
    """The class name and the name under which JUnit has a test: what pytest makes of an id."""
    path, _, rest = test.partition("::")
    *classes, name = _parts(rest)
    return ".".join([path.removesuffix(".py").replace("/", "."), *classes]), name or path


def _parts(rest: str) -> list[str]:
    """Classes and the test of an id; a parameter may hold `::` itself."""
    head, bracket, parameter = rest.partition("[")
    *classes, name = head.split("::")
    return [*classes, name + bracket + parameter]


def _suite_of(tests: Sequence[TestResult]) -> ET.Element:
    suite = ET.Element("testsuite", name="pytest", tests=str(len(tests)))
    for name in ("failed", "error", "skipped"):
        attribute = {"failed": "failures", "error": "errors"}.get(name, name)
        suite.set(attribute, str(sum(test.outcome == name for test in tests)))
    for test in tests:
        classname, name = case_of(test.id)
        case = ET.SubElement(suite, "testcase", classname=classname, name=name, time=f"{test.seconds:.3f}")
        if test.outcome != "passed":
            tag = {"failed": "failure"}.get(test.outcome, test.outcome)
            # XML has no way to write most control characters.
            message = "".join(c for c in test.message if c.isprintable() or c in "\n\t")
            ET.SubElement(case, tag, message=message.partition("\n")[0]).text = message
    return suite
