"""What documents say of the charts, made from the charts: `python3 -m tests.charts.documented` writes it.

The values' tables hold every key of values.yaml with its default and what its comment says: the one behind it, or the
lines above it. A key without a comment is told by its name (KNOWN), or it is a mistake.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
DOCUMENTED = ("monitoring", "logging")
INHIBITION = REPOSITORY / "helm" / "monitoring" / "templates" / "_inhibition.tpl"
ALERTING = REPOSITORY / "docs" / "alerting.md"
# Keys that mean the same wherever they stand.
KNOWN = {
    "repository": "passed by the pipeline",
    "replicas": "how many pods",
    "resources": "what its container asks for and may have at most",
    "size": "of the volume; empty: none, and what is kept is lost with the pod",
    "storageClassName": "empty: the cluster's default",
    "version": "tells the operator what this one understands",
    "enabled": "whether it is there",
    "imagePullSecrets": "Secrets of the namespace that hold credentials of the registry",
    "images": "by digest; the pipeline passes them",
}


def values_table(chart: str) -> str:
    """The table of a chart's values."""
    text = (REPOSITORY / "helm" / chart / "values.yaml").read_text(encoding="utf-8")
    rows = ["| value | default | meaning |", "| --- | --- | --- |"]
    rows += [f"| `{path}` | {default} | {meaning} |" for path, default, meaning in values(text)]
    return "\n".join(rows)


def values(text: str) -> Iterator[tuple[str, str, str]]:
    """Every key of a values file that is not a mere heading, as (path, default, meaning); the meaning may be empty."""
    lines = text.splitlines()
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)
    yield from _values(root, (), lines)


def _values(node: yaml.MappingNode, path: tuple[str, ...], lines: list[str]) -> Iterator[tuple[str, str, str]]:
    for key, value in node.value:
        own = (*path, str(key.value))
        inner = isinstance(value, yaml.MappingNode) and not value.flow_style
        told = _comment(key.start_mark.line, key.start_mark.line if inner else value.end_mark.line, lines)
        meaning = told or KNOWN.get(own[-1], KNOWN["images"] if path == ("images",) else "")
        if not inner or own[-1] in ("resources", "images"):
            shown = yaml.safe_load(yaml.serialize(value))
            default = f"`{json.dumps(shown, ensure_ascii=False)}`" if own[-1] != "images" else ""
            yield ".".join(own), default, _cell(meaning)
        else:
            if told:
                yield ".".join(own), "", _cell(told)
            yield from _values(value, own, lines)


def _comment(first: int, last: int, lines: list[str]) -> str:
    """The comment behind a key's value and the lines of comment right above the key."""
    above: list[str] = []
    for line in reversed(lines[:first]):
        found = re.fullmatch(r"\s*# ?(.*)", line)
        if not found:
            break
        above.insert(0, found[1].strip())
    # A value that ends with its line ends, for YAML, where the next token begins.
    behind = next((m[1] for m in (re.search(r"\s#\s(.*)$", lines[n]) for n in {first, min(last, first)}) if m), "")
    told = " ".join(above)
    return f"{told} {behind}".strip() if told and behind else told or behind


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def inhibitions() -> list[dict[str, Any]]:
    """The chart's rules of inhibition; the template is plain YAML between its two brackets."""
    text = INHIBITION.read_text(encoding="utf-8")
    body = re.search(r"\{\{- define \"monitoring.inhibition\" -\}\}\n(.*)\{\{- end -\}\}", text, re.DOTALL)
    assert body, f"{INHIBITION} defines no monitoring.inhibition"
    loaded: list[dict[str, Any]] = yaml.safe_load(body[1])
    return loaded


def inhibition_table() -> str:
    """The table of what is kept back."""

    def shown(matchers: list[str]) -> str:
        found = (matcher.replace('service != ""', "of a service").replace('"', "") for matcher in matchers)
        return "; ".join(re.sub(r"^alertname =~? ", "", one).replace("|", ", ") for one in found)

    rows = ["| while this fires | these are kept back | of the same |", "| --- | --- | --- |"]
    for rule in inhibitions():
        same = ", ".join(rule.get("equal", ())) or "cluster"
        rows.append(f"| {shown(rule['source_matchers'])} | {shown(rule['target_matchers'])} | {same} |")
    return "\n".join(rows)


def blocks() -> Iterator[tuple[Path, str, str]]:
    """Each block that is made: the document, its mark there, and what belongs between the marks."""
    for chart in DOCUMENTED:
        yield REPOSITORY / "helm" / chart / "README.md", "values", values_table(chart)
    yield ALERTING, "inhibition", inhibition_table()


def between(text: str, mark: str) -> re.Match[str] | None:
    """The block of a document."""
    return re.search(rf"(?<=<!-- {mark} -->\n).*?(?=\n<!-- /{mark} -->)", text, re.DOTALL)


def main() -> None:
    """Write every block anew."""
    for file, mark, block in blocks():
        text = file.read_text(encoding="utf-8")
        found = between(text, mark)
        assert found, f"{file} has no <!-- {mark} --> … <!-- /{mark} -->"
        file.write_text(text[: found.start()] + block + text[found.end() :], encoding="utf-8")


if __name__ == "__main__":
    main()
