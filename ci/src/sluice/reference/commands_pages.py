"""Sessions with their commands' options, and exit statuses: read from noxfile.py and from the command line."""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typer.core import TyperGroup

from sluice.reference.fields import takes
from sluice.reference.markdown import cell, code, page, plain, section, short, table

NOXFILE = Path("noxfile.py")
HEADS = ("option", "takes", "default", "meaning")
_SENTENCE_END = re.compile(r"(?<=\.)\s+")


@dataclass(frozen=True)
class Session:
    """A session of nox: what it says of itself, and what it runs; `command` is the first of Sluice's own among that."""

    name: str
    does: str
    runs: tuple[str, ...]
    command: str = ""


def sessions(root: Path) -> list[Session]:
    """Return the sessions of a tree's noxfile.py, in their order."""
    tree = ast.parse((root / NOXFILE).read_text(encoding="utf-8"))
    return [_session(node) for node in tree.body if isinstance(node, ast.FunctionDef) and _is_session(node)]


def sessions_page(root: Path, group: TyperGroup) -> str:
    """Return the page of sessions and of the commands that they run."""
    found = sessions(root)
    overview = [
        (f"[`{one.name}`](#{one.command})" if one.command in group.commands else code(one.name), one.does, _runs(one))
        for one in found
    ]
    return page(
        "Sessions and commands",
        "noxfile.py and ci/src/sluice/entrypoints",
        "`./nox -s SESSION -- OPTIONS` runs a session. What stands behind `--` goes to the command or, where there is"
        " `…`, to the program that it runs.",
        table(("session", "does", "runs"), overview),
        section("Options of every command", table(HEADS, map(_parameter, group.params))),
        *(
            _command(name, command, group, [one.name for one in found if one.command == name])
            for name, command in sorted(group.commands.items())
        ),
    )


def statuses_page(group: TyperGroup) -> str:
    """Return the page of exit statuses, as the commands' help tells them."""
    rows = []
    for name, command in sorted(group.commands.items()):
        told = " ".join(_sentences(command.help or "")) or "0 done, 2 it could not be tried"
        rows.append((code(name), told))
    return page(
        "Exit statuses",
        "the help of each command in ci/src/sluice/entrypoints",
        "0 is done, or yes; 1 is no: a fail, a difference, a refusal; 2 it could not be tried: a mistake in a file, on"
        " the command line or of the host; 130 stopped by Ctrl-C. nox itself makes 1 of every failure: what has to tell"
        " 1 from 2 calls `python -m sluice COMMAND` with `PYTHONPATH=ci/src`.",
        table(("command", "exit status"), rows),
    )


def _is_session(node: ast.FunctionDef) -> bool:
    names = (ast.unparse(one.func if isinstance(one, ast.Call) else one) for one in node.decorator_list)
    return "nox.session" in names


def _session(node: ast.FunctionDef) -> Session:
    runs, command = [], ""
    for call in (one for one in ast.walk(node) if isinstance(one, ast.Call)):
        words = [_word(argument) for argument in call.args]
        match ast.unparse(call.func):
            case "sluice":
                runs.append(" ".join(["python -m sluice", *words[1:], "…"]))
                command = command or words[1]
            case "session.run":
                runs.append(" ".join(words))
    return Session(node.name, ast.get_docstring(node) or "", tuple(runs), command)


def _word(argument: ast.expr) -> str:
    return str(argument.value) if isinstance(argument, ast.Constant) else "…"


def _runs(session: Session) -> str:
    return ", ".join(code(short(one, 80)) for one in dict.fromkeys(session.runs))


def _command(name: str, command: Any, group: TyperGroup, by: list[str]) -> str:
    own = [one for one in command.params if one not in group.params and not getattr(one, "hidden", False)]
    called = ", ".join(code(f"./nox -s {session} --") for session in by) or code(f"python -m sluice {name}")
    told = plain(inspect.cleandoc(command.help or ""))
    return section(name, f"By {called}.", told, table(HEADS, map(_parameter, own)) or "No options of its own.")


def _parameter(one: Any) -> tuple[str, str, str, str]:
    """An option or argument as a row; `type_descriptor` is typer's, with the annotation that it was made of."""
    annotation = one.type_descriptor.annotation
    argument = one.param_type_name == "argument"
    name = one.metavar or one.name.upper() if argument else ", ".join([*one.opts, *one.secondary_opts])
    wanted = "" if getattr(one, "is_flag", False) else _takes(annotation, "" if argument else one.metavar)
    default = "required" if one.required else _default(one)
    return code(name), wanted, default, one.help or ""


def _takes(annotation: Any, metavar: str) -> str:
    if metavar:
        return code(metavar)
    if get_origin(annotation) is list:
        return f"{takes(get_args(annotation)[0])}, any number"
    if get_origin(annotation) is Literal:
        return takes(annotation)
    return "path" if annotation is Path else takes(annotation)


def _default(one: Any) -> str:
    return code(str(one.default)) if one.default not in (None, "", False, ()) else ""


def _sentences(text: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        for sentence in _SENTENCE_END.split(" ".join(paragraph.split())):
            if "exit status" in sentence.lower():
                yield cell(sentence)
