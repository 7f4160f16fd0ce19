"""Keep secrets out of what is written down: by the names that secrets go by, by their shapes, and by value.

Better a word too many masked than one too few: `token: ` in a sentence costs the word after it.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar, cast
from urllib.parse import quote

T = TypeVar("T")
Mask = Callable[[str], str]

MASK = "***"
# A shorter value would be found inside harmless words.
_SHORTEST_SECRET = 4
# A part of a base64 text that is shorter may be in any other.
_SHORTEST_PART = 8
_WORDS = (
    r"password|passwd|pwd|secret|token|authorization|api[_-]?key|access[_-]?key|credential|cookie"
    r"|(?:routing|integration|service)[_-]?key"  # PagerDuty's
)
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
    # Whoever knows a Slack webhook's address may write there; Slack's tokens begin with xox.
    (re.compile(r"(hooks\.slack\.com/(?:services|workflows|triggers)/)[\w/-]+"), rf"\1{MASK}"),
    (re.compile(r"\bxox[a-z]-[\w-]{8,}"), MASK),
)
_NAME = re.compile(rf"(?i)(?:{_WORDS})[\w.-]{{0,64}}\Z")


def masker(secrets: Iterable[str] = ()) -> Mask:
    """Return a function that masks these values, also as base64, in URLs and in JSON, and what looks like a secret."""
    values = {form for secret in secrets if len(secret) >= _SHORTEST_SECRET for form in _forms(secret)}
    # The longest first, so that a secret inside another does not leave the other's rest behind.
    ordered = sorted(values, key=lambda value: (-len(value), value))

    def mask(text: str) -> str:
        for value in ordered:
            # One after the other: a pattern of them all would try each at every character.
            text = text.replace(value, MASK)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    return mask


def beginning(text: str, limit: int) -> str:
    """The first `limit` characters, cut between words: half of a secret would not be known for one."""
    return text if len(text) <= limit else re.sub(r"\S*\Z", "", text[:limit]) + "[cut]"


def ending(text: str, limit: int) -> str:
    """The last `limit` characters, cut in the same way."""
    return text if len(text) <= limit else "[cut]" + re.sub(r"\A\S*", "", text[-limit:])


def _forms(secret: str) -> Iterator[str]:
    """The ways in which a value may be written."""
    once = json.dumps(secret)[1:-1]
    yield from (secret, quote(secret, safe=""), once, json.dumps(once)[1:-1])  # a JSON line may be a text in JSON
    data = secret.encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(data).decode()
        yield encode(data).decode().rstrip("=")
        # Inside a longer text it may begin at any of three places in a group of three bytes: what does not depend on
        # its neighbours is the same in all.
        for before in range(3):
            encoded = encode(bytes(before) + data).decode().rstrip("=")
            whole = encoded[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]
            if len(whole) >= _SHORTEST_PART:
                yield whole


def masked(value: T, mask: Mask) -> T:
    """Return a frozen dataclass with every text in it masked, to any depth; a mapping's value also by its key."""
    return cast("T", _masked(value, mask))


def masked_json(value: object, mask: Mask) -> object:
    """Return what JSON holds with every text masked, and what stands under a secret's name masked whole."""
    return _masked(value, mask)


def _masked(value: object, mask: Mask) -> object:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {
            mask(key) if isinstance(key, str) else key: MASK if _secret(key, one) else _masked(one, mask)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return type(value)(_masked(one, mask) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: _masked(getattr(value, one.name), mask) for one in fields(value)})
    return value


def _secret(key: object, value: object) -> bool:
    return isinstance(key, str) and isinstance(value, str) and bool(value) and _NAME.search(key) is not None
