"""Which metrics a PromQL expression names: enough of its lexical rules to tell a metric from every other word.

https://prometheus.io/docs/prometheus/latest/querying/basics/; tests/rules holds it to what promtool's parser finds.
"""

import re

_STRING = r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`'
# What holds no metric: comments, selectors' matchers, strings, ranges.
_ASIDE = re.compile(rf"#[^\n]*|(?P<matchers>\{{(?:{_STRING}|[^{{}}\"'`])*\}})|{_STRING}|\[[^\]]*\]")
_NAMED = re.compile(r'__name__\s*=\s*"([^"]+)"')
# Lists of labels; `(` follows these words too.
_LABELS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", re.IGNORECASE)
_WORD = re.compile(r"(?<![\w.:])[A-Za-z_:][A-Za-z0-9_:]*(?![\w:])(?!\s*\()")
_KEYWORDS = frozenset(("and", "or", "unless", "bool", "offset", "group_left", "group_right", "inf", "nan", "atan2"))


def metrics_named(query: str) -> set[str]:
    """Return the metrics that an expression selects; a selector by pattern, such as `{__name__=~"…"}`, names none."""
    asides = [match["matchers"] or "" for match in _ASIDE.finditer(query)]
    named = {name for matchers in asides for name in _NAMED.findall(matchers)}
    words = _WORD.findall(_LABELS.sub(" ", _ASIDE.sub(" ", query)))
    return named | {word for word in words if word.lower() not in _KEYWORDS}
