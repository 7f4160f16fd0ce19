"""The group of all commands: the options that each of them has, and wrong usage told in the form that was asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sluice.entrypoints.console import ask, tell_mistake, wants_json

_UsageError: Any = typer.BadParameter.__mro__[1]  # Typer exports those that are derived from it only

Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", expose_value=False, help="no progress and no tables: the last lines, and errors"),
]
Json = Annotated[
    bool,
    typer.Option("--json", expose_value=False, help="JSON lines on stdout and nothing else there; with -q no progress"),
]


class Commands(TyperGroup):
    """Commands that take the group's options too: before their name, or after it as in `./nox -s e2e -- --json`."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        for command in self.commands.values():
            command.params = [*command.params, *self.params]

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Note how things are to be said before anything is parsed: that may already go wrong."""
        given = args[: args.index("--")] if "--" in args else args
        command = next((word for word in given if word in self.commands), "sluice")
        ask(command, quiet="-q" in given or "--quiet" in given, json="--json" in given)
        with _usage_told(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command that the arguments name."""
        with _usage_told(ctx):
            return super().invoke(ctx)


@contextmanager
def _usage_told(ctx: typer.Context) -> Iterator[None]:
    """Tell wrong usage as a JSON line where JSON was asked for; else Typer does."""
    try:
        yield
    except Exception as error:
        if not wants_json() or not isinstance(error, _UsageError):
            raise
        wrong = getattr(error, "ctx", None) or ctx
        tell_mistake(error.format_message(), next_command=f"{wrong.command_path} --help")
        raise typer.Exit(2) from None
