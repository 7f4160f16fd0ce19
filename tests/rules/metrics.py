"""Which metrics queries name, and which the cluster has: helm/monitoring/rules/metrics.txt."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).parents[2] / "helm" / "monitoring" / "rules" / "metrics.txt"
HEAD = """\
# What the Prometheus of a whole cluster has, a name a line, sorted. Rules and runbooks name no other metric.
# A name with a reason is not there on a healthy kind cluster; the suite `metrics` looks for all others that are used.
# Written anew from a cluster that is kept, with these reasons, by: ./nox -s metrics -- <kubeconfig>
"""
# What is recorded is named `level:metric:operations`; no program exposes such a name.
_RECORDED = ":"
_MARK = "sluice_selector"
_LONGEST = 50_000  # Linux takes arguments of 128 KiB
_SELECTOR = re.compile(r'([A-Za-z_:][A-Za-z0-9_:]*)?\{((?:"(?:\\.|[^"\\])*"|[^{}"])*)\}')
_LINE = re.compile(r"(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)(  # (?P<reason>\S.*))?")


@dataclass(frozen=True)
class Exposed:
    """The names of the list, and of those that are not always there the reasons."""

    names: frozenset[str]
    reasons: Mapping[str, str]


def read_list(text: str) -> Exposed:
    """Parse the list; raises ValueError with the line that is none."""
    reasons: dict[str, str] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = _LINE.fullmatch(line)
            if not match:
                raise ValueError(f"metrics.txt: {line!r} is neither `name` nor `name  # reason`")
            if match["name"] in reasons:
                raise ValueError(f"metrics.txt: {match['name']} is given twice")
            reasons[match["name"]] = match["reason"] or ""
    return Exposed(frozenset(reasons), {name: reason for name, reason in reasons.items() if reason})


def write_list(names: Iterable[str], reasons: Mapping[str, str]) -> str:
    """The list's text: these names and those that have a reason, sorted."""
    kept = sorted({name for name in names if _RECORDED not in name} | set(reasons))
    lines = [f"{name}  # {reasons[name]}" if name in reasons else name for name in kept]
    return HEAD + "\n".join(lines) + "\n"


def named(queries: Iterable[str], promtool: Callable[..., str]) -> set[str]:
    """The metrics that queries select, as promtool's own parser finds them.

    promtool puts a label of ours into every selector; what stands before such braces is a metric, and nothing else is.
    A selector by pattern, such as `{__name__=~"…"}`, names none.
    """
    found = set[str]()
    for joined in _joined(queries):
        marked = promtool("promql", "--experimental", "label-matchers", "set", joined, _MARK, "x")
        for match in _SELECTOR.finditer(marked):
            if f'{_MARK}="x"' in match[2]:
                inside = re.search(r'__name__="([^"]+)"', match[2])
                found |= {name for name in (match[1], inside and inside[1]) if name}
    return found


def _joined(queries: Iterable[str]) -> list[str]:
    """The queries as few long ones: a call of promtool takes as long as a hundred of them."""
    batches = [""]
    for query in queries:
        if len(batches[-1]) + len(query) > _LONGEST:
            batches.append("")
        batches[-1] += f"{' or ' if batches[-1] else ''}({query}\n)"  # behind the line's end: a comment may stand last
    return [batch for batch in batches if batch]


def unknown(found: Iterable[str], exposed: Exposed, recorded: Iterable[str]) -> list[str]:
    """Those names that neither the cluster has nor a rule records."""
    return sorted(set(found) - exposed.names - set(recorded))
