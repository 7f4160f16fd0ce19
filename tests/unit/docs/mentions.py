"""What pages say and somebody could try: where links lead, which files they name, which commands they show."""

import re
import shlex
from collections.abc import Iterator
from itertools import product
from urllib.parse import urlsplit

from tests.unit.docs.pages import ROOT, Code, Page

# Files that a user makes, and the gate, a promotion, a workflow or Dagger then reads.
USERS_OWN = {"release/overrides.toml", "release/quarantine.toml", "release/osv.json", "release/cosign.pub"}
USERS_OWN |= {"targets/staging.toml", "ci/.env"}
_PATH = re.compile(r"[\w.@$<>{},*/…-]+/[\w.@$<>{},*/…-]*")
_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.IGNORECASE)
_SEPARATORS = {"&&", "||", "|", ";"}
Programs = tuple[tuple[str, ...], ...]
OURS: Programs = (("./nox",), ("nox",), ("./dagger",), ("python", "-m", "sluice"), ("python3", "-m", "sluice"))


def broken_links(page: Page, anchors: dict[str, set[str]]) -> list[str]:
    """The links of a page that lead nowhere; `anchors` are those of every page by its name."""
    return [f"{target}: {why}" for target in page.links if (why := _broken(page, target, anchors))]


def _broken(page: Page, target: str, anchors: dict[str, set[str]]) -> str:
    if re.match(r"[a-z]+:", target):
        parts = urlsplit(target)
        fine = parts.scheme == "mailto" or (parts.scheme in ("https", "http") and _HOST.fullmatch(parts.hostname or ""))
        return "" if fine else "no address of the web"
    file, _, anchor = target.partition("#")
    name = page.name
    if file:
        path = ((ROOT / page.name).parent / file).resolve()
        if not path.is_relative_to(ROOT) or not path.exists():
            return "no such file"
        name = str(path.relative_to(ROOT))
    return f"{name} has no heading #{anchor}" if anchor and anchor not in anchors.get(name, set()) else ""


def missing_files(page: Page) -> list[str]:
    """The paths in backquotes that look like those of the repository and that it does not have."""
    return [one.text for one in page.spans if _PATH.fullmatch(one.text) and not _there(page, one.text)]


def _there(page: Page, text: str) -> bool:
    """Whether a path is there, from the root or from the page's folder; what begins with no folder of ours is none."""
    text = text.removesuffix("/")
    first = text.partition("/")[0]
    bases = [base for base in (ROOT, (ROOT / page.name).parent) if re.fullmatch(r"[\w.-]+", first)]
    bases = [base for base in bases if (base / first).is_dir() and first not in (".", "..", ".sluice")]
    if not bases or text in USERS_OWN:
        return True
    pattern = re.sub(r"<[^<>]*>|…|\$\w+", "*", text)
    return any(any(base.glob(one)) for base in bases for one in _expanded(pattern))


def _expanded(pattern: str) -> Iterator[str]:
    """`a{b,c}` as `ab` and `ac`."""
    parts = re.split(r"\{([^{}]*)\}", pattern)
    choices = [part.split(",") if number % 2 else [part] for number, part in enumerate(parts)]
    yield from ("".join(one) for one in product(*choices))


def commands(page: Page, programs: Programs = OURS) -> Iterator[tuple[Code, list[str]]]:
    """The commands, of ours or of others, that a page shows in its blocks and names within sentences, as words."""
    for block in page.blocks:
        joined = block.text.replace("\\\n", " ")
        for number, line in enumerate(joined.splitlines()):
            yield from ((Code(block.line + number, "block", line), one) for one in _of_line(line, programs))
    for span in page.spans:
        yield from ((Code(span.line, "span", span.text), one) for one in _of_line(span.text, programs))


def _of_line(line: str, programs: Programs) -> Iterator[list[str]]:
    line = re.sub(r"^\s*(\$ |(- )?run: *)", "", line)
    if not any(re.search(rf"(^|[\s;&|(]){re.escape(' '.join(one))}(\s|$)", line) for one in programs):
        return
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        words = line.split()
    part: list[str] = []
    # A shell ends a command at a `;` wherever it stands.
    for word in [*(each for one in words for each in re.split(r"(;)$", one) if each), ";"]:
        if word in _SEPARATORS:
            yield from _among(part, programs)
            part = []
        else:
            part.append(word)


def _among(words: list[str], programs: Programs) -> Iterator[list[str]]:
    """The words without what belongs to the shell, where the program is one of these."""
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif re.fullmatch(r"\d?>>?|<", word):
            skip = True
        elif not re.match(r"\d?>>?[&/.\w]", word) and (kept or not re.match(r"[A-Z_]+=", word)):
            kept.append(word.strip("[]"))
    kept = [word for word in kept if word not in ("…", "...", "")]
    if any(tuple(kept[: len(program)]) == program for program in programs):
        yield kept
