"""Keep secrets out of what is written down: by the names that secrets go by, by their shapes, and by value.

Better a word too many masked than one too few: `token: ` in a sentence costs the word after it.
"""

import base64
import re
from collections.abc import Callable, Iterable

MASK = "***"
# A shorter value would be found inside harmless words.
_SHORTEST_SECRET = 4
_WORDS = r"password|passwd|pwd|secret|token|authorization|api[_-]?key|access[_-]?key|credential|cookie"
_PEM = r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)"
# Logs are long: no pattern begins with a repetition, or the time would grow with the square of the text.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A private key up to its end, or the text's where it was cut.
    (re.compile(_PEM, re.DOTALL), rf"\1{MASK}\2"),
    # name=value, name: value, "name": "value", also with the quotes escaped inside a JSON string.
    (
        re.compile(
            rf"""(?ix)
            ((?:{_WORDS}) [\w.-]{{0,64}} (?:\\*["'])? \s* (?:=|:) \s*)
            (?: \\*(["']) .*? (?:\\*\2|$)                     # a quoted value, spaces and all
              | (?:(?:bearer|basic|token|digest)\s+)? [^\s,;&"'\\}})\]]+ )
            """
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)\b(bearer)\s+\S{8,}|\b(basic)\s+[\w+/=]{8,}"), rf"\1\2 {MASK}"),
    (re.compile(r"(://[^/\s:@]{0,256}):[^/\s@]+@"), rf"\1:{MASK}@"),  # scheme://user:password@host
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*"), MASK),  # a JWT
)


def masker(secrets: Iterable[str] = ()) -> Callable[[str], str]:
    """Return a function that masks these values, their base64 forms, and whatever looks like a secret."""
    values = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
    values |= {base64.b64encode(value.encode()).decode() for value in values}
    # The longest first, so that a secret inside another does not leave the other's rest behind.
    literal = re.compile("|".join(re.escape(value) for value in sorted(values, key=len, reverse=True)))

    def mask(text: str) -> str:
        if values:
            text = literal.sub(MASK, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    return mask
