"""The page of Dagger functions: read from the module as Dagger's own SDK sees it."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from sluice.reference.markdown import code, page, plain, section, table

_WORDS: Mapping[Any, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def dagger_page(objects: Mapping[str, Any], main: str) -> str:
    """Return the page; `objects` are the SDK's object types by name, `main` is the module's own.

    https://github.com/dagger/dagger/tree/main/sdk/python has the types, in `dagger/mod/_resolver.py`.
    """
    others = [name for name in objects if name != main]
    return page(
        "Dagger functions",
        "ci/src/sluice/entrypoints/dagger_module.py",
        "`./dagger call FUNCTION --ARGUMENT VALUE` calls one; what it returns has functions of its own, which may"
        " follow. How it works: [dagger.md](../dagger.md).",
        section("Arguments of the module, before the function", _arguments(objects[main].get_constructor())),
        *(_function(one) for one in _in_order(objects[main])),
        *(
            section(f"Object {name}", *(_function(one, level=3) for one in _in_order(objects[name])))
            for name in sorted(others)
        ),
    )


def spelled(name: str) -> str:
    """Return a function's or argument's name as `./dagger` takes it."""
    return name.replace("_", "-")


def _in_order(kind: Any) -> Iterable[Any]:
    return [kind.functions[name] for name in sorted(kind.functions) if name]


def _function(one: Any, *, level: int = 2) -> str:
    returned = _type(one.return_type)
    check = " It is a check: `./dagger check` runs it." if one.check else ""
    return section(
        spelled(one.name),
        f"Returns {returned}.{check}",
        plain(inspect.cleandoc(one.doc or "")),
        _arguments(one),
        level=level,
    )


def _arguments(one: Any) -> str:
    rows = [
        (code(f"--{spelled(argument.name)}"), _type(argument.resolved_type), _default(argument), argument.doc or "")
        for argument in one.parameters.values()
    ]
    return table(("argument", "takes", "default", "meaning"), rows)


def _default(argument: Any) -> str:
    if argument.default_path:
        return "the tree" if str(argument.default_path) == "/" else code(str(argument.default_path))
    default = argument.signature.default
    if default is inspect.Parameter.empty:
        return "required"
    return "" if default in (None, "", False) else code(str(default))


def _type(kind: Any) -> str:
    inner = [one for one in get_args(kind) if one is not type(None)]
    if get_origin(kind) is list:
        return f"list of {_type(inner[0])}"
    if inner:
        return " or ".join(_type(one) for one in inner)
    if kind is None or kind is type(None):
        return "nothing"
    return _WORDS.get(kind) or code(kind.__name__)
