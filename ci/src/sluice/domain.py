"""The words of docs/architecture.md as frozen values; every step takes some of these and returns exactly one.

All of them can be written as JSON and read back (`dump`, `load`), so that a step can be replayed alone.
Durations are seconds, sizes are bytes, times are seconds since the Unix epoch in UTC.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from sluice.errors import EvidenceError
from sluice.measured import Baseline as Baseline
from sluice.measured import Kind as Kind
from sluice.measured import Level as Level
from sluice.measured import Measurement as Measurement
from sluice.measured import Monitoring as Monitoring
from sluice.measured import ObjectiveResult as ObjectiveResult
from sluice.measured import Override as Override
from sluice.measured import Quarantined as Quarantined
from sluice.measured import Series as Series
from sluice.measured import Verdict as Verdict

EVIDENCE_SCHEMA = "sluice.evidence/v1"
VERDICT_SCHEMA = "sluice.verdict/v1"
TABLES_FOLDER = "tables"  # of a run: what suites leave for the report

How = Literal["upstream", "source"]
Outcome = Literal["passed", "failed", "error", "skipped"]


@dataclass(frozen=True)
class Service:
    """One of the system's own programs, as its service.toml says."""

    name: str
    description: str
    folder: str
    port: int
    chart: str
    module: str
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fixture:
    """Something that services require, in k8s-fixtures/<name>: `images` are the components whose images it needs.

    `each_service`: it has something to make for each service that requires it, such as a database of its own.
    """

    name: str
    images: tuple[str, ...] = ()
    each_service: bool = False


@dataclass(frozen=True)
class Source:
    """The tree a run starts from. `digest` is over the content of services/, so an uncommitted edit shows.

    `fixtures` are those that a service requires.
    """

    root: str
    revision: str
    dirty: bool
    digest: str
    services: tuple[Service, ...]
    fixtures: tuple[Fixture, ...] = ()


@dataclass(frozen=True)
class Component:
    """A third-party program at hand. `seconds` is what obtaining it took when it was obtained."""

    name: str
    version: str
    how: How
    digest: str
    path: str
    size_bytes: int
    seconds: float
    cached: bool = False


@dataclass(frozen=True)
class Image:
    """An image in a registry, known by digest only."""

    name: str
    repository: str
    digest: str
    size_bytes: int = 0

    @property
    def reference(self) -> str:
        """What a node pulls: `repository@sha256:…`."""
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True)
class Images:
    """What build_images made of the source; one image a service."""

    images: tuple[Image, ...]


@dataclass(frozen=True)
class Cluster:
    """A kind cluster that answers. `registry` is how this host says it, nodes use the same name."""

    name: str
    kubeconfig: str
    registry: str
    node_image: str
    kubernetes: str
    created: bool


@dataclass(frozen=True)
class ChartRelease:
    """A chart as installed."""

    name: str
    namespace: str
    revision: int


@dataclass(frozen=True)
class Installation:
    """Everything that install_charts put on the cluster."""

    releases: tuple[ChartRelease, ...]


@dataclass(frozen=True)
class Attempt:
    """A failed test run again, in isolation."""

    outcome: Outcome
    started: float
    seconds: float
    message: str = ""


@dataclass(frozen=True)
class TestResult:
    """One test of a suite, with its window.

    `outcome` is that of the first try, `attempts` are what came of running it again. `bundle` is the folder of a
    failed test's evidence, relative to the run's.
    """

    __test__ = False

    id: str
    suite: str
    outcome: Outcome
    started: float
    seconds: float
    message: str = ""
    request_ids: tuple[str, ...] = ()
    trace_ids: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    bundle: str = ""

    @property
    def failed(self) -> bool:
        """Whether its first try did not do as it should, by its own fault or its fixtures'."""
        return self.outcome in ("failed", "error")


@dataclass(frozen=True)
class SuiteResults:
    """What run_suites saw. `partial` says which part of the suites' tests was asked for, if it was not all of them."""

    started: float
    ended: float
    tests: tuple[TestResult, ...]
    exit_status: int
    partial: str = ""


@dataclass(frozen=True)
class StepTiming:
    """One step of the run, for the table of where the time went."""

    name: str
    started: float
    seconds: float
    outcome: Literal["done", "failed", "cancelled"]
    detail: str = ""


@dataclass(frozen=True)
class SuiteTable:
    """A table that a suite measured, as it left it in TABLES_FOLDER/<name>.json; every cell is text."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Evidence:
    """What a run measured. The gate reads this and never the cluster. `cut` says what the files leave out."""

    schema: str
    run_id: str
    started: float
    ended: float
    revision: str
    dirty: bool
    source_digest: str
    runtime: str
    kubernetes: str
    images: tuple[Image, ...]
    components: tuple[Component, ...]
    steps: tuple[StepTiming, ...]
    suites: tuple[str, ...]
    tests: tuple[TestResult, ...]
    measurements: tuple[Measurement, ...]
    failures: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    tables: tuple[SuiteTable, ...] = ()
    partial: str = ""  # as of SuiteResults: what speaks of a part of the tests is no verdict on a release
    baselines: tuple[Baseline, ...] = ()
    overrides: tuple[Override, ...] = ()
    quarantine: tuple[Quarantined, ...] = ()
    monitoring: Monitoring | None = None
    cut: tuple[str, ...] = ()


T = TypeVar("T")


# To make one takes longer than to write or read a run's evidence with it.
_adapters: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def dump(value: object, *, indent: int | None = 2) -> bytes:
    """Return a value of this module as JSON, UTF-8, indented; NaN and infinity are written as text."""
    return _adapter(type(value)).dump_json(value, indent=indent)


def load(kind: type[T], path: Path) -> T:
    """Read back what `dump` wrote.

    Raises EvidenceError when the file is missing, truncated or of another shape.
    """
    try:
        return _adapter(kind).validate_json(path.read_bytes(), strict=False)
    except OSError as error:
        raise EvidenceError(
            f"{path} cannot be read",
            seen=str(error.strerror),
            expected=f"what a run wrote there ({kind.__name__})",
            next_command="./nox -s e2e",
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise EvidenceError(
            f"{path} is not whole ({kind.__name__}): {place}: {first['msg']}",
            seen=f"{error.error_count()} fields that do not fit",
            expected="a whole file, written by this version of Sluice",
            next_command="./nox -s e2e",
        ) from None
