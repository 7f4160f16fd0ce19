"""The page of metrics: what the services and our own exporters expose, read where they are declared."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from sluice.reference.markdown import code, page, section, table
from sluice.reference.observability_pages import OF_OBJECTIVES, expression, rules

SERVICES = Path("services")
KIT = "servicekit"
EXPORTER = Path("ci/src/sluice/supply/gosrc/kafka-exporter/collector.go")
JMX = Path("k8s-fixtures/kafka/jmx.yml")
LIST = Path("helm/monitoring/rules/metrics.txt")
_KINDS = ("Counter", "Gauge", "Histogram", "Summary")  # of prometheus_client
# What prometheus_client's own collectors expose: https://prometheus.github.io/client_python/collector/
_COLLECTORS = {
    "ProcessCollector": ("process_*", "The process: memory, CPU, file descriptors, start."),
    "PlatformCollector": ("python_info", "The interpreter."),
    "GCCollector": ("python_gc_*", "The garbage collector."),
}
_DESCRIBED = re.compile(r'describe\("(\w+)", "([^"]+)"((?:, "\w+")*)\)')
_PREFIX = re.compile(r'NewDesc\("(\w+)"\+name')


class Metric(NamedTuple):
    """One metric: its name, its kind in Prometheus' words, labels, and what it counts."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def declared(source: str) -> Iterator[Metric]:
    """The metrics that a Python source declares with prometheus_client, in its order."""
    calls = sorted(
        (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)), key=lambda node: node.lineno
    )
    for call in calls:
        kind = ast.unparse(call.func)
        if kind in _COLLECTORS:
            name, told = _COLLECTORS[kind]
            yield Metric(name, "", (), told)
        elif kind in _KINDS and len(call.args) >= 2 and isinstance(call.args[0], ast.Constant):
            labels = ast.literal_eval(call.args[2]) if len(call.args) > 2 else ()
            yield Metric(str(call.args[0].value), kind.lower(), tuple(labels), ast.literal_eval(call.args[1]))


def exported(source: str) -> Iterator[Metric]:
    """The metrics that the exporter's Go source describes; all of them are gauges."""
    prefix = _PREFIX.search(source)
    for name, told, labels in _DESCRIBED.findall(source):
        yield Metric((prefix[1] if prefix else "") + name, "gauge", tuple(re.findall(r'"(\w+)"', labels)), told)


def metrics_page(root: Path) -> str:
    """Return the page of a tree."""
    kit = list(_of_folder(root / SERVICES / KIT))
    own = {path.parent.name: list(_of_folder(path.parent)) for path in sorted((root / SERVICES).glob("*/service.toml"))}
    return page(
        "Metrics",
        "services/*/src, the Kafka exporter and the rules",
        f"What the services and our own exporters expose; [metrics.txt](../../{LIST}) lists everything that the"
        " Prometheus of a cluster has. A histogram has the series `_bucket`, `_sum` and `_count`; every series has the"
        " labels `namespace`, `service`, `pod`, `job` and `instance` besides.",
        section("Every service", _table(kit)),
        *(section(name, _table(found)) for name, found in own.items() if found),
        section("The Kafka exporter", f"`{EXPORTER}`", _table(exported((root / EXPORTER).read_text(encoding="utf-8")))),
        _jmx(root),
        section("Recorded by rules", table(("series", "file", "expression"), _recorded(root))),
    )


def _of_folder(folder: Path) -> Iterator[Metric]:
    for path in sorted((folder / "src").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "prometheus_client" in text:
            yield from declared(text)


def _table(found: Iterator[Metric] | list[Metric]) -> str:
    rows = ((code(one.name), one.kind, ", ".join(code(label) for label in one.labels), one.help) for one in found)
    return table(("metric", "kind", "labels", "counts"), rows)


def _jmx(root: Path) -> str:
    if not (root / JMX).is_file():
        return ""
    rows = []
    for rule in yaml.safe_load((root / JMX).read_text(encoding="utf-8"))["rules"]:
        labels = ", ".join(code(label) for label in rule.get("labels", ()))
        rows.append((code(rule["name"]), rule["type"].lower(), labels, code(rule["pattern"])))
    told = f"By the JMX exporter's agent, after `{JMX}`; `$1` is a part of the bean."
    return section("The broker", told, table(("metric", "kind", "labels", "of the bean"), rows))


def _recorded(root: Path) -> Iterator[tuple[str, str, str]]:
    """What rules record; of objectives each series is there once for each, and docs/slo.md says what it is."""
    found = {rule["record"]: (path, rule) for path, rule in rules(root) if "record" in rule}
    for name, (path, rule) in sorted(found.items()):
        of_objectives = path.name.startswith(OF_OBJECTIVES)
        yield (
            code(name),
            code(f"{OF_OBJECTIVES}<service>.yaml" if of_objectives else path.name),
            ("" if of_objectives else expression(rule)),
        )
