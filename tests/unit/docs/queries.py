"""The queries that pages show: PromQL and LogQL, in blocks of their own and within commands.

Whether Prometheus and Loki can read them, their own programs say (tests/rules/test_guides.py and
tests/contract/loki/test_guides.py); of LogQL, labels and stages are looked at here.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.unit.docs.kubectl import calls, proxied
from tests.unit.docs.mentions import commands
from tests.unit.docs.pages import Page

Language = Literal["promql", "logql"]
# What helm/logging/files/promtail.yaml makes labels of, and the levels that it knows.
LABELS = {"namespace", "service", "pod", "container", "level"}
LEVELS = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "UNKNOWN"}
# https://grafana.com/docs/loki/latest/query/log_queries/#log-pipeline
STAGES = {"json", "logfmt", "pattern", "regexp", "unpack", "line_format", "label_format", "unwrap", "drop", "keep"}
STAGES |= {"decolorize", "distinct"}
_SELECTOR = re.compile(r'\{((?:[^{}"`]|"(?:\\.|[^"\\])*"|`[^`]*`)*)\}')
_MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*("(?:\\.|[^"\\])*"|`[^`]*`)\s*')
_TEXT = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`')
_FILLED = {"$NAMESPACE": "default", "$SERVICE": "backend", "$POD": "backend-0", "$NODE": "node"}


class Shown(NamedTuple):
    """A query and where it stands; what a reader puts in is put in."""

    where: str
    text: str


def queries(page: Page, language: Language) -> list[Shown]:
    """Every query of a language on a page."""
    found = [
        Shown(f"{page.name}:{block.line}", block.text) for block in page.blocks if block.info.split(" ")[0] == language
    ]
    found += _asked(page, language)
    return [Shown(one.where, filled(one.text)) for one in found]


def _asked(page: Page, language: Language) -> Iterator[Shown]:
    """Those that a command asks: by the API server's service proxy, or by the programs of Prometheus and Loki."""
    for call in calls(page):
        asked = proxied(call)
        if asked and asked[1].partition(":")[0] == {"promql": "prometheus", "logql": "loki"}[language]:
            for text in parse_qs(urlsplit(asked[2]).query).get("query", ()):
                yield Shown(call.where, text)
    program = {"promql": "promtool", "logql": "logcli"}[language]
    for where, words in commands(page, ((program,),)):
        rest = [word for word in words[1:] if not word.startswith("-") and not re.match(r"https?://", word)]
        if "query" in rest:
            yield Shown(f"{page.name}:{where.line}", rest[-1])


def filled(text: str) -> str:
    """A query with values for the placeholders of runbooks."""
    return re.sub(r"\$[A-Z]+\b", lambda match: _FILLED.get(match[0], match[0]), text.strip())


def mistakes(query: Shown, services: set[str], namespaces: set[str]) -> list[str]:
    """What can be seen of a LogQL query without a Loki: labels and values that no stream has, stages, brackets."""
    selectors = [one[1] for one in _SELECTOR.finditer(query.text) if _MATCHER.match(one[1])]
    found = [] if selectors else ["it chooses no stream"]
    known = {"service": services, "namespace": namespaces, "level": LEVELS}
    for selector in selectors:
        for label, operator, text in _MATCHER.findall(selector):
            if label not in LABELS:
                found.append(f"no stream has the label {label}, but {', '.join(sorted(LABELS))}")
            values = text[1:-1].split("|") if operator.endswith("~") else [text[1:-1]]
            plain = [one for one in values if re.fullmatch(r"[\w-]+", one)]
            found += [f"there is no {label} {one}" for one in plain if one not in known.get(label, {one})]
        if _MATCHER.sub("", selector).replace(",", "").strip():
            found.append(f"{{{selector}}} is no selector")
    bare = _TEXT.sub('""', query.text)
    found += [f"no stage {one}" for one in re.findall(r"\|\s*([a-z_]+)\b(?!\s*[=!<>])", bare) if one not in STAGES]
    found += [f"a {pair} is not closed" for pair in ("()", "{}", "[]") if bare.count(pair[0]) != bare.count(pair[1])]
    found += ["a text is not closed"] if '"' in bare.replace('""', "") or "`" in bare else []
    return [f"{query.where}: {query.text}: {one}" for one in found]
