"""docs/reference: as code and data say now, with every key, option, function, metric and alert."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import pytest
import typer
from pydantic import BaseModel, Field
from typer.core import TyperGroup
from typer.testing import CliRunner

from sluice.entrypoints.cli import app
from sluice.entrypoints.reference_command import dagger_objects, reference_pages
from sluice.errors import ReferencePageError
from sluice.generated import differences, write_files
from sluice.policy.model import STRICT
from sluice.reference import pages
from sluice.reference.commands_pages import sessions
from sluice.reference.fields import Key, keys, takes
from sluice.reference.markdown import cell, short, table
from sluice.reference.metrics_page import declared, exported
from sluice.reference.settings_page import OTHERS
from sluice.settings import Settings

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "ci" / "src" / "sluice"
# Variables that Sluice's own parts tell each other, or that belong to the engine; nobody sets them by hand.
AMONG_US = {"SLUICE_E2E_RESULTS", "SLUICE_TOOLBOX", "DAGGER_SESSION_PORT", "_EXPERIMENTAL_DAGGER_CLI_BIN", "PYTHONPATH"}


@cache
def made() -> dict[Path, str]:
    return dict(reference_pages(ROOT, cast(TyperGroup, typer.main.get_command(app))))


def page(name: str) -> str:
    return made()[pages.FOLDER / f"{name}.md"]


def test_the_pages_are_what_code_and_data_say() -> None:
    assert pages.check(ROOT, made()) == len(made())


def test_a_page_that_differs_is_told_with_its_line_and_written_anew(tmp_path: Path) -> None:
    assert len(pages.write(tmp_path, made())) == len(made())
    changed, gone = pages.FOLDER / "alerts.md", pages.FOLDER / "settings.md"
    lines = (tmp_path / changed).read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / changed).write_text("".join([*lines[:4], "x\n", *lines[5:]]), encoding="utf-8")
    (tmp_path / gone).unlink()
    (tmp_path / pages.FOLDER / "old.md").write_text("x", encoding="utf-8")
    with pytest.raises(ReferencePageError) as caught:
        pages.check(tmp_path, made())
    left = pages.FOLDER / "old.md"
    assert caught.value.mistakes == (
        f"{changed}:5 differs",
        f"{left} is left over: nothing generates it",
        f"{gone} is missing",
    )
    assert pages.write(tmp_path, made()) == [changed, left, gone]
    assert pages.check(tmp_path, made()) == len(made())


def test_the_command_only_compares_where_it_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sluice.entrypoints.reference_command.reference_pages", lambda *_: {Path("docs/a.md"): "a\n"})
    compared = CliRunner().invoke(app, ["reference", "--check"])
    assert (compared.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert "docs/a.md is missing" in compared.output
    assert "./nox -s reference" in compared.output
    written = CliRunner().invoke(app, ["reference"])
    assert (written.exit_code, (tmp_path / "docs" / "a.md").read_text(encoding="utf-8")) == (0, "a\n")
    assert CliRunner().invoke(app, ["reference", "--check"]).exit_code == 0


def test_every_setting_is_there_with_its_variable() -> None:
    rows = page("settings").splitlines()
    for table_name, field in Settings.model_fields.items():
        for key in cast(type[BaseModel], field.annotation).model_fields:
            variable = f"`SLUICE_{table_name}_{key}`".upper()
            assert any(row.startswith(f"| `{key}` | {variable} |") for row in rows), f"{table_name}.{key}"


def test_every_variable_that_is_read_is_told() -> None:
    found = {name for path in PACKAGE.rglob("*.py") for name in _variables(path.read_text(encoding="utf-8"))}
    assert len(found) >= 4
    assert found - AMONG_US - OTHERS.keys() == set()


def test_every_session_command_and_option_is_there() -> None:
    text = page("sessions")
    group = cast(Any, typer.main.get_command(app))
    for session in sessions(ROOT):
        assert f"`{session.name}`" in text
        assert session.does, f"{session.name} says nothing"
    for name, command in group.commands.items():
        assert f"\n## {name}\n" in text
        assert f"| `{name}` |" in page("exit-statuses")
        for option in (opt for one in command.params for opt in one.opts if opt.startswith("-")):
            assert re.search(rf"`(-[\w, -]+)?{re.escape(option)}(, [\w, -]+)?`", text), f"{name} {option}"


def test_every_function_of_the_dagger_module_is_there() -> None:
    assert "e2e" in dagger_objects()[pages.MAIN].functions
    for found in dagger_objects().values():
        for name in filter(None, found.functions):
            assert f" {name.replace('_', '-')}\n" in page("dagger")


def test_every_metric_that_a_service_declares_is_there() -> None:
    text = page("metrics")
    declarations = re.compile(r'\b(?:Counter|Gauge|Histogram|Summary)\(\s*"(\w+)"')
    sources = (ROOT / "services").glob("*/src/**/*.py")
    names = {name for path in sources for name in declarations.findall(path.read_text(encoding="utf-8"))}
    assert len(names) > 20
    assert [name for name in names if f"| `{name}` |" not in text] == []


def test_every_alert_is_there() -> None:
    text = page("alerts")
    files = [path for folder in ("monitoring", "logging") for path in (ROOT / "helm" / folder / "rules").glob("*.yaml")]
    names = {name for path in files for name in re.findall(r"- alert: (\w+)", path.read_text(encoding="utf-8"))}
    assert len(names) > 100
    assert [name for name in names if f"| [{name}](" not in text] == []


def test_a_metric_is_read_as_it_is_declared() -> None:
    source = """\
self.a = Counter(
    "a_total", "What" " it counts.", ["type", "outcome"], registry=registry
)
self.b = Histogram("b_seconds", "How long.", buckets=BUCKETS, registry=registry)
GCCollector(registry=registry)
Counter(word for word in words)
"""
    assert [(one.name, one.kind, one.labels, one.help) for one in declared(source)] == [
        ("a_total", "counter", ("type", "outcome"), "What it counts."),
        ("b_seconds", "histogram", (), "How long."),
        ("python_gc_*", "", (), "The garbage collector."),
    ]
    go = 'return prometheus.NewDesc("k_"+name, help)\nx = describe("lag", "Behind.", "group", "topic")\n'
    assert [(one.name, one.labels, one.help) for one in exported(go)] == [("k_lag", ("group", "topic"), "Behind.")]


@dataclass(frozen=True)
class Inner:
    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Outer:
    __pydantic_config__ = STRICT

    number: Annotated[int, Field(ge=1, lt=9), Field(alias="no", description="a number")]
    inner: Annotated[Inner | None, Field(description="a table")] = None
    names: Annotated[tuple[str, ...], Field(description="names")] = ("a",)


def test_keys_are_told_with_bounds_and_defaults() -> None:
    assert keys(Outer) == [
        Key("no", "whole number, ≥ 1, < 9", "required", "a number"),
        Key("inner", "table", "", "a table"),
        Key("names", "list of text", '`["a"]`', "names"),
    ]
    assert takes(Literal["a", "b"]) == "`a`, `b`"
    assert takes(tuple[Inner, ...]) == "tables"
    assert takes(dict[str, str]) == "table"


def test_a_key_without_a_meaning_is_refused() -> None:
    class Silent(BaseModel):
        key: int = 1

    with pytest.raises(ReferencePageError, match=r"Silent\.key says nowhere what it means"):
        keys(Silent)


def test_what_would_be_markup_is_none() -> None:
    assert cell("a | b\n<c> of services/*/slo.yaml, *so* `<d>|*`") == (
        "a \\| b &lt;c> of services/\\*/slo.yaml, *so* `<d>\\|*`"
    )
    assert table(("a", "b"), [("1", ""), ("2", "")]) == "| a |\n| --- |\n| 1 |\n| 2 |"
    assert table(("a",), []) == ""
    assert short("one two three", 8) == "one two…"


def test_files_are_written_where_they_differ_and_removed_where_nothing_makes_them(tmp_path: Path) -> None:
    wanted = {Path("a/b"): "1\n2\n", Path("c"): "3\n"}
    assert write_files(tmp_path, wanted) == [Path("a/b"), Path("c")]
    assert write_files(tmp_path, wanted) == []
    assert differences(tmp_path, wanted) == []
    (tmp_path / "c").write_text("3\n4\n", encoding="utf-8")
    assert differences(tmp_path, wanted) == ["c:2 differs"]
    assert write_files(tmp_path, {Path("c"): "3\n"}, [Path("a/b")]) == [Path("a/b"), Path("c")]
    assert not (tmp_path / "a" / "b").exists()


def _variables(source: str) -> Iterator[str]:
    """The names that a source reads from the environment, constants of its own filled in."""
    tree = ast.parse(source)
    constants: dict[str, object] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            constants |= {one.id: node.value.value for one in node.targets if isinstance(one, ast.Name)}
    for one in ast.walk(tree):
        read: ast.expr | None = None
        if (
            isinstance(one, ast.Call)
            and one.args
            and re.search(r"\b(os\.environ|environment)\.get$", ast.unparse(one.func))
        ):
            read = one.args[0]
        elif isinstance(one, ast.Subscript) and ast.unparse(one.value) == "os.environ":
            read = one.slice
        found = constants.get(read.id) if isinstance(read, ast.Name) else getattr(read, "value", None)
        if isinstance(found, str):
            yield found
