"""`sluice reference`: docs/reference/ as code and data are now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer
from typer.core import TyperGroup

from sluice.entrypoints.console import answer, finish, root, say, show
from sluice.reference import pages


def reference(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="write nothing: exit status 2 where a page differs")] = False,
) -> None:
    """Write docs/reference/ anew: settings, sessions, functions, metrics, alerts and what else code and data tell."""

    async def work() -> int:
        made = reference_pages(root(), cast(TyperGroup, context.find_root().command))
        if check:
            say(f"{pages.check(root(), made)} pages are as code and data say")
            return 0
        changed = pages.write(root(), made)
        show(*map(str, changed))
        say(f"{len(changed)} files changed")
        answer(changed=changed)
        return 0

    finish(work)


def reference_pages(tree: Path, group: TyperGroup) -> Mapping[Path, str]:
    """The pages of a tree, with this command line and the Dagger module of this package."""
    return pages.pages(tree, group, dagger_objects())


def dagger_objects() -> Mapping[str, Any]:
    """The object types of the Dagger module by name, as its SDK has them: the main one, and what it leads to."""
    from sluice.entrypoints.dagger_module import Sluice  # the SDK takes a second to load, and no other command needs it

    main: Any = Sluice
    found: dict[str, Any] = {}
    wanted = [pages.MAIN]
    while wanted:
        name = wanted.pop()
        found[name] = main.__dagger_module__.get_object(name)
        returned = [function.return_type for key, function in found[name].functions.items() if key]
        kinds = [one for kind in returned for one in (kind, *get_args(kind))]
        wanted += [kind.__name__ for kind in kinds if hasattr(kind, "__dagger_module__") and kind.__name__ not in found]
    return found
