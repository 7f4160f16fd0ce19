"""Whether a command that a page shows could be called: sessions, commands, functions and their options exist.

Nothing is run: noxfile.py is read, the command line's own parser parses, and Dagger's functions are looked up.
"""

import inspect
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import typer
from tests.unit.docs.pages import ROOT
from typer.core import TyperGroup

from sluice.entrypoints.cli import app
from sluice.entrypoints.reference_command import dagger_objects
from sluice.reference.commands_pages import sessions
from sluice.reference.dagger_page import spelled
from sluice.reference.pages import MAIN

GROUP = typer.main.get_command(app)
assert isinstance(GROUP, TyperGroup)
SESSIONS = {one.name: one.command for one in sessions(ROOT)}
OBJECTS: Mapping[str, Any] = dagger_objects()
# Of Dagger's command line: https://docs.dagger.io/reference/cli/
_DAGGER = {
    "call",
    "check",
    "functions",
    "version",
    "up",
    "query",
    "login",
    "logout",
    "shell",
    "develop",
    "core",
    "engine",
}
_NOX_FLAGS = {"-s", "-e", "--session", "--sessions", "-l", "--list", "-h", "--help"}
_DAGGER_FLAGS = {"--progress", "--mod", "-m", "--output", "-o", "--json", "-j", "--interactive", "-i", "--quiet", "-q"}
_DAGGER_FLAGS |= {"--silent", "-s", "--verbose", "-v", "--debug", "-d", "--help", "-h", "--yes", "-y"}


def wrong(words: list[str], *, whole: bool) -> str:
    """Why a command could not be called; empty where it could. One that is not `whole` may lack what is required."""
    match words:
        case ["./nox" | "nox", *rest]:
            return _nox(rest, whole=whole)
        case ["./dagger", *rest]:
            return _dagger(rest)
        case [_, "-m", "sluice", *rest]:
            if not rest or rest[0].startswith("-") or _placeholder(rest[0]):
                return ""
            return _sluice(rest[0], rest[1:], whole=whole)
    return f"no command of ours: {words}"


def _nox(words: list[str], *, whole: bool) -> str:
    cut = words.index("--") if "--" in words else len(words)
    own, given = words[:cut], words[cut + 1 :]
    named = [word for word in own if not word.startswith("-")]
    flags = [word for word in own if word.startswith("-")]
    unknown = [
        flag for flag in flags if flag not in ("-s", "-e", "--session", "--sessions", "-l", "--list", "-h", "--help")
    ]
    if unknown:
        return f"{unknown[0]}: not before `--`"
    for name in named:
        if name not in SESSIONS and not _placeholder(name):
            return f"no session {name}"
    if len(named) == 1 and SESSIONS.get(named[0]) and (given or whole):
        return _sluice(SESSIONS[named[0]], given, whole=whole)
    return ""


def _sluice(name: str, words: list[str], *, whole: bool) -> str:
    assert isinstance(GROUP, TyperGroup)
    command: Any = GROUP.commands.get(name)
    if command is None:
        return f"no command {name}"
    if {"--help", "-h"} & set(words):
        return ""
    context = command.context_class(command, info_name=name)
    try:
        given, left, _ = command.make_parser(context).parse_args(list(words))
    except Exception as error:  # noqa: BLE001 - typer keeps its parser's errors to itself
        return f"{name}: {error}"
    for one in command.params:
        value = given.get(one.name)
        if one.required and not value and whole:
            return f"{name}: {one.name} is missing"
        kind = one.type_descriptor.annotation
        values = value if isinstance(value, list | tuple) else [value]
        for each in values if get_origin(kind) is Literal else ():
            if each is not None and each not in get_args(kind) and not _placeholder(str(each)):
                return f"{name}: {one.name} is one of {', '.join(get_args(kind))}, not {each}"
    return f"{name}: {left[0]} is one too many" if left else ""


def _placeholder(word: str) -> bool:
    """What a reader puts something in the place of: <target>, RUN_A, X|Y."""
    return bool(set("<>|…*$") & set(word)) or word.lstrip("-").isupper()


def _dagger(words: list[str]) -> str:
    rest = [word for word in words if word not in _DAGGER_FLAGS]
    if not rest or _placeholder(rest[0]) or rest[0] == "-c":  # a script of Dagger's own shell
        return ""
    if rest[0] not in _DAGGER:
        return f"dagger has no command {rest[0]}"
    if rest[0] == "check":
        checks = {spelled(one.name) for one in OBJECTS[MAIN].functions.values() if one.name and one.check}
        return next((f"no check {word}" for word in rest[1:] if word not in checks and not word.startswith("-")), "")
    return _called(OBJECTS[MAIN], OBJECTS[MAIN].get_constructor(), rest[1:]) if rest[0] == "call" else ""


def _called(kind: Any, function: Any, words: list[str]) -> str:
    """Follow a chain of calls: flags belong to the function before them, a word is the next function."""
    while words:
        word, *words = words
        if _placeholder(word):
            continue
        if word.startswith("--"):
            flag, _, value = word.partition("=")
            flag = "--target" if flag == "--cloud" else flag  # as ./dagger has it
            flags = _flags(function)
            if flag not in flags:
                return f"{getattr(function, 'name', '') or 'the module'} has no {flag}"
            if not value and not flags[flag]:
                words = words[1:]
        else:
            following = _function(kind, word)
            if following is None:
                return f"no function {word}"
            function, kind = following
    return ""


def _function(kind: Any, word: str) -> tuple[Any, Any] | None:
    """A function of an object by its name, with what it returns: another object of ours, or a type of the SDK."""
    if hasattr(kind, "functions"):
        by_name = {spelled(one.name): one for key, one in kind.functions.items() if key}
        found = by_name.get("e2e" if word == "e-2-e" else word)
        if found is None:
            return None
        returned = next(
            (one for one in (*get_args(found.return_type), found.return_type) if one is not type(None)), None
        )
        return found, OBJECTS.get(getattr(returned, "__name__", ""), returned)
    method = getattr(kind, word.replace("-", "_"), None)
    if method is None:
        return None
    returned = inspect.signature(method).return_annotation
    name = returned.strip("'\"") if isinstance(returned, str) else getattr(returned, "__name__", "")
    import dagger

    return method, getattr(dagger, name, None)


def _flags(function: Any) -> dict[str, bool]:
    """The flags of a function, each with whether it stands alone."""
    if hasattr(function, "parameters"):
        return {f"--{spelled(one.name)}": one.resolved_type is bool for one in function.parameters.values()}
    found = inspect.signature(function).parameters.values()
    return {f"--{spelled(one.name)}": "bool" in str(one.annotation) for one in found if one.name != "self"}
