"""Secrets do not get through, and what is no secret does."""

import base64
import json
import time
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from sluice.masking import MASK, beginning, ending, masked, masked_json, masker

SECRET = 'pass/w+o"rd one'


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2!x",
        "POSTGRES_PASSWORD: hunter2!x",
        'DB_PASSWORD="hunter2!x"',
        '{"password": "hunter2!x", "user": "me"}',
        r'{"line": "{\"api_key\": \"hunter2!x\"}"}',
        '{"client_secret":"with spaces hunter2!x"}',
        "token = hunter2!x",
        "?access_token=hunter2!x&page=2",
        "Authorization: Bearer hunter2!x",
        "authorization=Basic hunter2!x",
        "curl -H 'Authorization: Bearer hunter2!x'",
        "sent Bearer hunter2!x",
        "postgresql://sluice:hunter2!x@postgresql:5432/sluice",
        "Set-Cookie: session=hunter2!x",
        "-----BEGIN RSA PRIVATE KEY-----\nabc\nhunter2!x\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nabc\nhunter2!x, and here the log was cut",
    ],
)
def test_what_goes_by_a_secrets_name_or_shape_is_masked(text: str) -> None:
    masked = masker()(text)
    assert "hunter2" not in masked
    assert "***" in masked


def test_a_jwt_is_masked_wherever_it_stands() -> None:
    assert masker()("got eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSM from it") == "got *** from it"


def test_given_values_are_masked_as_they_are_in_base64_and_one_inside_another() -> None:
    mask = masker(["s3cr3t", "s3cr3t-and-more"])
    encoded = base64.b64encode(b"s3cr3t").decode()
    assert mask(f"a s3cr3t-and-more b s3cr3t c {encoded}") == "a *** b *** c ***"


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
@pytest.mark.parametrize("after", ["", "x", "xy", " and more"])
def test_a_value_is_known_inside_a_longer_base64_text(before: str, after: str) -> None:
    whole = (before + SECRET + after).encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert MASK in masker([SECRET])(f"data {encode(whole).decode()} end"), encode


@pytest.mark.parametrize(
    "written", [quote(SECRET, safe=""), json.dumps({"x": SECRET}), json.dumps(json.dumps([SECRET]))]
)
def test_a_value_is_known_in_a_url_and_in_json(written: str) -> None:
    assert MASK in masker([SECRET])(written)


@pytest.mark.parametrize(
    "text",
    [
        "posting to https://hooks.slack.com/services/T00000000/B00000000/XXXXhunter2XXXXX",
        "https://hooks.slack.com/workflows/T1/A1/1/hunter2",
        "as xoxb-1234-hunter2-abcdef",
        "integration_key=hunter2hunter2hunter2",
        'routing-key: "hunter2hunter2hunter2"',
        '{"service_key": "hunter2hunter2hunter2"}',
    ],
)
def test_what_slack_and_pagerduty_call_a_secret_is_masked(text: str) -> None:
    masked_text = masker()(text)
    assert "hunter2" not in masked_text
    assert MASK in masked_text


@dataclass(frozen=True)
class Thing:
    text: str
    labels: dict[str, str]
    parts: tuple["Thing", ...] = ()
    number: float = 1.5


def test_a_value_of_the_domain_is_masked_to_any_depth_and_by_the_names_of_labels() -> None:
    inner = Thing("Bearer abcdefghijk", {"client_secret": "plain", "pod": "backend-1", "secret-in-name": "x"})
    assert masked(Thing("a", {}, (inner,)), masker()) == Thing(
        "a", {}, (Thing("Bearer ***", {"client_secret": MASK, "pod": "backend-1", "secret-in-name": MASK}),)
    )


def test_json_is_masked_and_stays_what_it_is() -> None:
    found = masked_json({"password": "plain", "list": [SECRET, 1, None, True], "token": 5}, masker([SECRET]))
    assert found == {"password": MASK, "list": [MASK, 1, None, True], "token": 5}


def test_a_text_is_cut_between_words() -> None:
    text = f"before {SECRET.replace(' ', '-')} after"
    assert beginning(text, 12) == "before [cut]"
    assert ending(text, 12) == "[cut] after"
    assert beginning(text, 1000) == ending(text, 1000) == text


def test_values_too_short_to_tell_from_words_are_left_alone() -> None:
    assert masker(["", "a", "the"])("the cat ate a mouse") == "the cat ate a mouse"


@pytest.mark.parametrize(
    "text",
    [
        '{"level": "ERROR", "message": "no answer", "request_id": "e2e-1", "status": 500}',
        'Error: secret "postgresql" not found',
        "http://prometheus:9090/metrics returned 200 in 3 ms",
        "MountVolume.SetUp failed for volume kube-api-access",
        "basic checks passed",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert masker()(text) == text


def test_the_words_around_a_secret_stay() -> None:
    assert masker()("user=me password=x1y2z3 host=db") == "user=me password=*** host=db"
    assert masker()('{"password": "x1y2z3", "user": "me"}') == '{"password": ***, "user": "me"}'


def test_a_log_of_a_megabyte_is_masked_in_a_moment() -> None:
    text = ("token" * 20_000 + " " + "a" * 300_000 + '"' * 100_000 + "\\" * 100_000 + "://" * 100_000)[:1_000_000]
    started = time.monotonic()
    assert masker(["s3cr3t"])(text) == text
    assert time.monotonic() - started < 5
