"""Thin sessions: each calls `sluice` or a tool; what they do stands in ci/src/sluice and tests/."""

import os
from pathlib import Path

import nox
from nox.command import CommandFailed

ROOT = Path(__file__).parent
TOOLS = ROOT / ".sluice" / "tools"
PYTHON_SOURCES = ("noxfile.py", "ci/src", "tests", "services", "bench", "helm/monitoring/dashboards")
SERVICES = tuple(sorted(str(path.parent) for path in (ROOT / "services").glob("*/src")))

# The environment that ./nox made holds everything: a session needs none of its own.
nox.options.default_venv_backend = "none"
nox.options.sessions = ["tests"]
nox.options.error_on_missing_interpreters = True


def sluice(session: nox.Session, *args: str) -> None:
    """Run Sluice's own command with what the user gave after `--`."""
    session.run("python", "-m", "sluice", *args, *session.posargs, external=True)


@nox.session
def doctor(session: nox.Session) -> None:
    """What this host has and lacks, each line with its cure; `-- --cloud gke`: what that target does."""
    sluice(session, "doctor")


@nox.session
def lint(session: nox.Session) -> None:
    """ruff: rules and format."""
    session.run("ruff", "check", *existing(), external=True)
    session.run("ruff", "format", "--check", *existing(), external=True)


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    found = {"MYPYPATH": os.pathsep.join([*(f"{service}/src" for service in SERVICES), "services/_testkit"])}
    checked = existing("ci/src/sluice", "noxfile.py", "bench", "tests", "helm/monitoring/dashboards")
    session.run("mypy", *checked, external=True, env=found)
    for service in SERVICES:
        session.run("mypy", f"{service}/src", external=True, env=found)


@nox.session
def unit(session: nox.Session) -> None:
    """Unit tests: hermetic and fast."""
    session.run("pytest", "-c", "services/pytest.ini", "services", *session.posargs, external=True)
    if not existing("tests/unit"):
        return  # a project that adopts Sluice has no tests of the pipeline itself, nor of its components
    session.run("pytest", "tests/unit", *session.posargs, external=True)
    for module in ("capped-runc", "kafka-exporter", "alloy-syntax"):
        folder = ROOT / "ci" / "src" / "sluice" / "supply" / "gosrc" / module
        with session.chdir(folder):
            session.run("go", "test", ".", external=True, env=go_settings())


@nox.session
def contract(session: nox.Session) -> None:
    """Contract tests: adapters against the real programs."""
    if not existing("tests/contract"):
        return
    session.run("pytest", "tests/contract", *session.posargs, external=True, env=tools(session))


@nox.session
def charts(session: nox.Session) -> None:
    """Every chart for every cloud, against Kubernetes' schemas and our policy."""
    session.run("pytest", "tests/charts", *session.posargs, external=True, env=tools(session))


@nox.session
def rules(session: nox.Session) -> None:
    """promtool on every rule: each alert fires and keeps quiet when it should."""
    session.run("pytest", "tests/rules", *session.posargs, external=True, env=tools(session))


@nox.session
def slo(session: nox.Session) -> None:
    """Generate alerts from services/*/slo.yaml; `-- --check` only compares."""
    sluice(session, "slo")


@nox.session
def dashboards(session: nox.Session) -> None:
    """Write Grafana's dashboards anew from their Python; `-- --check` only compares."""
    session.run("python", "-m", "helm.monitoring.dashboards", *session.posargs, external=True)


@nox.session
def metrics(session: nox.Session) -> None:
    """Write the list of what a cluster's Prometheus has anew, from a kept one: `-- KUBECONFIG`."""
    session.run("python", "-m", "tests.rules.renew_metrics", *session.posargs, external=True)


@nox.session
def tests(session: nox.Session) -> None:
    """Everything that needs no cluster: lint, types, unit, contract, charts, rules. All are run, then told of."""
    failed = []
    for part in (lint, types, unit, contract, charts, rules):
        try:
            part.func(session)
        except CommandFailed:
            failed.append(part.func.__name__)
    if failed:
        session.error(f"failed: {', '.join(failed)}; one alone: ./nox -s {failed[0]}")


@nox.session
def gate_mutants(session: nox.Session) -> None:
    """Bad releases that the gate has to stop, and good ones: hours; `-- --list` says which."""
    session.run("python", "-m", "bench.gate_mutants", *session.posargs, external=True)


@nox.session
def supply(session: nox.Session) -> None:
    """Obtain components; `-- --list` prints the table."""
    sluice(session, "supply")


@nox.session
def outdated(session: nox.Session) -> None:
    """Which packages of our locks have newer versions, as Markdown; changes nothing."""
    sluice(session, "outdated")


@nox.session
def e2e(session: nox.Session) -> None:
    """The whole line: components, images, cluster, charts, suites, evidence, verdict."""
    sluice(session, "e2e")


@nox.session
def promotion(session: nox.Session) -> None:
    """A release onto a second cluster: promoted, refused, killed, rolled back. Needs a run that passed."""
    session.run("python", "-m", "sluice", "target", "up", external=True)
    # As testpaths, so that paths after `--` take its place and are not added to it.
    session.run("pytest", "-o", "testpaths=tests/promotion", *session.posargs, external=True, env=tools(session))


@nox.session
def gate(session: nox.Session) -> None:
    """Judge evidence again: `-- --evidence DIR [--dry-run] [--explain] [--policy F]`."""
    sluice(session, "gate")


@nox.session
def evidence(session: nox.Session) -> None:
    """Gather what is left of a run that was killed: `-- --run DIR`, else the newest."""
    sluice(session, "evidence")


@nox.session
def summary(session: nox.Session) -> None:
    """A run as Markdown, for a workflow: `-- [--run DIR]`."""
    sluice(session, "summary")


@nox.session
def compare(session: nox.Session) -> None:
    """What a run does worse than another: `-- RUN_A RUN_B`."""
    sluice(session, "compare")


@nox.session
def same_run(session: nox.Session) -> None:
    """Whether two runs of one revision are the same apart from time and place: `-- RUN_DIR RUN_DIR`."""
    session.run("python", "-m", "bench.same_run", *session.posargs, external=True)


@nox.session
def schemas(session: nox.Session) -> None:
    """Write docs/schemas anew from the dataclasses of evidence and verdict."""
    sluice(session, "schemas")


@nox.session
def reference(session: nox.Session) -> None:
    """Write docs/reference anew from code and data; `-- --check` only compares."""
    sluice(session, "reference")


@nox.session
def release(session: nox.Session) -> None:
    """From a passing run, a signed release: `-- [--run DIR]`."""
    sluice(session, "release")


@nox.session
def deploy(session: nox.Session) -> None:
    """A release onto a target: `-- --cloud gke [--release ID] [--dry-run]`."""
    sluice(session, "deploy")


@nox.session
def rollback(session: nox.Session) -> None:
    """Back to what was verified before: `-- --cloud gke`."""
    sluice(session, "rollback")


@nox.session
def status(session: nox.Session) -> None:
    """What runs on each target, since when, and what differs."""
    sluice(session, "status")


@nox.session
def history(session: nox.Session) -> None:
    """What was promoted to a target: `-- --cloud gke`."""
    sluice(session, "history")


@nox.session
def readiness(session: nox.Session) -> None:
    """What a target lacks for production, as a score and a page: `-- --target X [--offline]`."""
    sluice(session, "readiness")


@nox.session
def delivery(session: nox.Session) -> None:
    """DORA's delivery figures of the targets: `-- [--target X] [--metrics FILE]`."""
    sluice(session, "delivery")


@nox.session
def slo_report(session: nox.Session) -> None:
    """A month of the objectives and their budgets, as a page: `-- --target X [--month 2026-11]`."""
    sluice(session, "slo-report")


@nox.session
def incident(session: nox.Session) -> None:
    """A post-incident timeline, drafted: `-- --from T --to T --target X`, or `-- --run DIR`."""
    sluice(session, "incident")


@nox.session
def target(session: nox.Session) -> None:
    """A second cluster that stands for a cloud's: `-- up`, `-- down`."""
    sluice(session, "target")


@nox.session
def drill(session: nox.Session) -> None:
    """The disaster drill: a cluster under load destroyed, and raised anew out of its back-ups: `-- [--again DIR]`."""
    sluice(session, "drill")


@nox.session
def regions(session: nox.Session) -> None:
    """Two clusters as two regions, one active, one that follows: `-- up`, `-- down`, `-- status`."""
    sluice(session, "regions")


@nox.session
def failover(session: nox.Session) -> None:
    """The region that stands by becomes the active one, under load: `-- --to west [--force] [--again DIR]`."""
    sluice(session, "failover")


@nox.session
def init(session: nox.Session) -> None:
    """A project that adopts Sluice: `-- --into DIR [--service NAME]`; `-- --into DIR --update` brings it up to date."""
    sluice(session, "init")


@nox.session
def clean(session: nox.Session) -> None:
    """Remove what Sluice made; `-- --cache` also what it built."""
    sluice(session, "clean")


def go_settings() -> dict[str, str]:
    """Go's settings with the supply's caches and flags: what a test compiles, a component need not compile again."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"
    cache = Path(os.environ.get("SLUICE_RUN_CACHE") or default) / "go"
    flags = "-mod=mod -modcacherw -trimpath -buildvcs=false"
    return {"GOFLAGS": flags, "CGO_ENABLED": "0", "GOCACHE": str(cache / "build"), "GOMODCACHE": str(cache / "mod")}


def existing(*names: str) -> list[str]:
    """The names, else those of PYTHON_SOURCES, that are there: not all are in a project that adopts Sluice."""
    return [name for name in names or PYTHON_SOURCES if (ROOT / name).exists()]


def tools(session: nox.Session) -> dict[str, str]:
    """Obtain the programs that tests use, and tell the tests where they are."""
    session.run("python", "-m", "sluice", "supply", "--tools", str(TOOLS), external=True, silent=False)
    return {
        "SLUICE_BIN": str(TOOLS / "bin"),
        "SLUICE_KUBERNETES_OPENAPI": str(TOOLS / "openapi" / "swagger.json"),
        "SLUICE_CRDS": str(TOOLS / "crds"),
        "PATH": os.pathsep.join([str(TOOLS / "bin"), os.environ["PATH"]]),
    }
