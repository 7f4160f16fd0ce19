"""Reads a runbook: its sections, the blocks that a test runs, and what in a block nobody may run."""

import re
import shlex
from dataclasses import dataclass

SECTIONS = ("Meaning", "Impact", "First five minutes", "Cure", "Escalation")
LANGUAGES = ("promql", "logql", "sh")
PLACEHOLDERS = ("NAMESPACE", "SERVICE", "POD", "NODE")
# What kubectl only reads with; of those with a word behind them, that word too.
READING = {"get", "describe", "logs", "top", "events", "explain", "version", "api-resources"}
READING_PAIRS = {("auth", "can-i"), ("rollout", "history"), ("rollout", "status")}
WITH_VALUE = {"-n", "--namespace"}  # options that may stand before the verb

_SECTION = re.compile(rf"^\*\*({'|'.join(SECTIONS)})\.?\*\*", re.MULTILINE)
_FENCE = re.compile(r"^ *```(?P<info>[^\n`]*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: `fault` where it succeeds only while what the alert tells of is there."""

    section: str
    info: str
    text: str

    @property
    def language(self) -> str:
        """promql, logql or sh; another word where somebody wrote another."""
        return self.info.split(" ")[0]

    @property
    def fault(self) -> bool:
        """Whether its commands need the fault to succeed."""
        return self.info.endswith(" fault")


def sections(runbook: str) -> dict[str, str]:
    """The text of each section, by name."""
    found = list(_SECTION.finditer(runbook))
    ends = [*(match.start() for match in found[1:]), len(runbook)]
    return {match[1]: runbook[match.end() : end] for match, end in zip(found, ends, strict=True)}


def blocks(runbook: str) -> list[Block]:
    """Every fenced block of a runbook, with the section that it stands in."""
    return [
        Block(section, match["info"].strip(), match["text"].strip())
        for section, text in sections(runbook).items()
        for match in _FENCE.finditer(text)
    ]


def runnable(runbook: str) -> list[Block]:
    """The blocks that a test runs: all but those of the cure."""
    return [block for block in blocks(runbook) if block.section != "Cure"]


def filled(text: str, values: dict[str, str]) -> str:
    """A block's text with values for its placeholders."""
    return re.sub(rf"\$({'|'.join(PLACEHOLDERS)})\b", lambda match: values[match[1]], text)


def refused(block: Block) -> list[str]:
    """Why a block may not be run; empty where it may."""
    if block.language not in LANGUAGES or block.info not in (*LANGUAGES, "sh fault"):
        return [f"the block `{block.info}` is none of promql, logql, sh, sh fault"]
    unknown = set(re.findall(r"\$([A-Z_]+)", block.text)) - set(PLACEHOLDERS)
    reasons = [f"the placeholder ${name} is none of ${', $'.join(PLACEHOLDERS)}" for name in sorted(unknown)]
    if not block.text:
        reasons.append("the block is empty")
    if block.language == "sh":
        reasons += [reason for line in block.text.splitlines() if (reason := changing(line))]
    return reasons


def changing(line: str) -> str:
    """Why a line is no command that only reads; empty where it is one."""
    if re.search(r"[|;&<>`]|\$\(", line):
        return f"`{line}` is more than one command"
    words = shlex.split(line)
    if not words or words[0] != "kubectl":
        return f"`{line}` is no kubectl"
    rest = words[1:]
    while rest and rest[0].startswith("-"):
        rest = rest[2:] if rest[0] in WITH_VALUE else rest[1:]
    verb = tuple(rest[:2])
    if not rest or (rest[0] not in READING and verb not in READING_PAIRS):
        return f"`{line}` may change something: {' '.join(rest[:1])} is none of {', '.join(sorted(READING))}"
    return ""
