"""Commands of other people's tools, as pages show them: which command it is, which options, what its help has of them.

Nothing is run here: tests/contract/tools/ asks the tools themselves, where they are built.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.unit.docs.mentions import commands
from tests.unit.docs.pages import Page

# Those of SLUICE_BIN that pages show, but `kind`, which is a word of everybody's.
TOOLS = ("helm", "promtool", "amtool", "cosign", "crane", "kubectl")
_OPTION = re.compile(r"--?[a-zA-Z][\w.-]*")
_IN_HELP = re.compile(r"(?<![\w-])(?:-[a-zA-Z]\b|--(?:\[no-\])?[a-zA-Z](?:[\w.-]*\w)?)")
_GROUP = re.compile(r"\[command\]|SUBCOMMAND|<command>")


@dataclass(frozen=True)
class Shown:
    """A command at a place of a page: the words before its first option that could name a command, and its options."""

    place: str
    tool: str
    words: tuple[str, ...]
    options: tuple[str, ...]


def shown(page: Page, tools: tuple[str, ...] = TOOLS) -> Iterator[Shown]:
    """The commands of tools that a page shows; what is behind `--` is another program's."""
    for where, (tool, *rest) in commands(page, tuple((one,) for one in tools)):
        own = rest[: rest.index("--")] if "--" in rest else rest
        first = next((number for number, word in enumerate(own) if not re.fullmatch(r"[a-z][a-z-]*", word)), len(own))
        options = [one.partition("=")[0] for one in own if _OPTION.match(one)]
        yield Shown(f"{page.name}:{where.line}", tool, tuple(own[:first]), tuple(options))


def wrong(one: Shown, ask: Callable[[tuple[str, ...]], str | None]) -> str:
    """Why a command could not be called; empty where it could.

    `ask` gives what `TOOL WORDS --help` prints, and None where that fails.
    """
    if not one.words:
        return ""  # the tool is named, and no command of it
    told = ask((one.tool, *one.words))
    if told is None:
        return f"{one.tool} has no command {' '.join(one.words)}"
    usage = re.search(rf"^[Uu]sage:\s*{one.tool} ((?:[a-z][a-z-]*(?: |$))*)(.*)$", told, re.MULTILINE)
    named = usage[1].split() if usage else []
    if usage and _GROUP.match(usage[2]) and len(one.words) > len(named):
        return f"{one.tool} {' '.join(named)} has no command {one.words[len(named)]}"
    there = options_of(told)
    missing = [option for option in one.options if not _is_one(option, there)]
    return f"{one.tool} {' '.join(named)} has no {', '.join(missing)}" if missing else ""


def options_of(told: str) -> frozenset[str]:
    """The options that a help lists; `--[no-]x` is both of them."""
    found = set()
    for option in _IN_HELP.findall(told):
        found |= {option.replace("[no-]", ""), option.replace("[no-]", "no-")}
    return frozenset(found)


def _is_one(option: str, there: frozenset[str]) -> bool:
    """Whether an option is there; `-it` is two, as getopt has it, and `-n1` has its value behind it."""
    if option in there or option in ("--help", "-h"):
        return True
    return all(f"-{letter}" in there for letter in option[1:])
