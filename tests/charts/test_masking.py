"""Secrets are masked before a line leaves the node, by the real Promtail; what only looks like one stays."""

import json
import re
from pathlib import Path

import yaml

from .promtail import through_promtail
from .rendering import REPOSITORY, Helm

# Put together here, so that no scanner of this tree takes them for real.
JWT = ".".join(
    ("eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ", "eyJzdWIiOiJhbm4iLCJhdWQiOiJzbHVpY2UifQ", "c2lnbmF0dXJl-_0123456789")
)
HEX = "0123456789abcdef" * 2
SLACK = "xo" + "xb-123456789012-abcdefGHIJKL"
AWS = "AKIA" + "ABCDEFGHIJKLMNOP"
KEY = "-----BEGIN EC PRIVATE " + "KEY-----"

# The kind, a line with `{}` in the secret's place, and the secret.
SECRETS = (
    ("jwt", '{{"level": "INFO", "message": "token {} was taken"}}', JWT),
    ("jwt", "GET /ws HTTP/1.1 sec-websocket-protocol: sluice.v1, bearer.{}", JWT),
    ("jwt", "X-Forwarded-Access-Token: {}", JWT),
    ("authorization", "Authorization: Bearer {}", "opaque-token-0123456789"),
    ("authorization", '{{"headers": {{"authorization": "Basic {}"}}}}', "YW5uOmh1bnRlcjI="),
    ("url-password", "cannot reach postgresql://sync:{}@postgresql:5432/sync", "hunter2-p%40ss"),
    ("url-password", '{{"url": "amqp://me:{}@broker/vhost"}}', "s3cret"),
    ("dapr-api-token", "dapr-api-token: {}", "f00dfeed-0123"),
    ("dapr-api-token", "{{'dapr-api-token': '{}', 'host': 'x'}}", "f00dfeed0123"),
    ("dapr-api-token", "APP_API_TOKEN={} /daprd", "f00dfeed0123"),
    ("slack", "POST https://hooks.slack.com/services/{} 200", "T0001/B0002/abcDEF123"),
    ("slack", "using {} for chat.postMessage", SLACK),
    ("pagerduty", '{{"routing_key": "{}", "event_action": "trigger"}}', HEX),
    ("pagerduty", "Authorization sent, Token token={}", "y_NbAkKc66ryYTWUXYEu"),
    ("access-key", "signed with {}", AWS),
    ("access-key", "aws_secret_access_key = {}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("access-key", '{{"client_secret":"{}"}}', "q~8Q0123456789"),
    ("access-key", "AccountKey={};EndpointSuffix=core.windows.net", "a2V5a2V5a2V5a2V5=="),
    ("password", "host=postgresql user=sync password={} dbname=sync", "hunter2hunter2"),
    ("password", '{{"body": "{{\\"password\\": \\"{}\\"}}"}}', "hunter2"),
    ("password", "PGPASSWORD={} psql", "hunter2"),
    ("password", "password: {}", "nunter2"),
    ("password", "passwd={}", "nhunter"),
    ("private-key", '{{"pem": "{}"}}', KEY + "\\nMHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04=\\n"),
    ("private-key", '{{"kty": "EC", "d": "{}"}}', "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"),
)
HARMLESS = (
    '{"level": "INFO", "message": "request served", "route": "/api/v1/tasks", "status": 200, "password": null}',
    "bearer of bad news, basic authentication, token expired",
    "https://example.org:8443/path@2 and postgresql://postgresql:5432/sync",
    'secret="default/backend-database" volume "user-tokens" mounted',
    "password authentication failed for user sync",
    "passwords: 3 changed, api key rotated, access-key id missing",
    '{"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "digest": "sha256:' + HEX + '"}',
    '{"password": "***", "api_key": "***"}',
    "ssl.key.password = null",
    "Settings(password=None, pwd=nil)",
    "password = [hidden]",
    "visit hooks.slack.com and read RFC 6750",
)


def printed(helm: Helm, folder: Path, lines: list[str]) -> list[str]:
    """The lines in no order: those that are JSON overtake the others."""
    return sorted(line for _, line in through_promtail(helm, folder, lines))


def test_every_secret_is_masked_and_the_rest_of_its_line_stays(helm: Helm, tmp_path: Path) -> None:
    lines = [template.format(secret) for _, template, secret in SECRETS]
    expected = sorted(template.format(f"[masked:{kind}]") for kind, template, _ in SECRETS)
    assert printed(helm, tmp_path, lines) == expected


def test_two_secrets_in_one_line_are_both_masked(helm: Helm, tmp_path: Path) -> None:
    line = f"old {JWT} new {JWT} at redis://:hunter2@cache and redis://u:hunter3@cache"
    url = "[masked:url-password]@cache"
    expected = f"old [masked:jwt] new [masked:jwt] at redis://:{url} and redis://u:{url}"
    assert [text for _, text in through_promtail(helm, tmp_path, [line])] == [expected]


def test_what_is_no_secret_stays(helm: Helm, tmp_path: Path) -> None:
    assert printed(helm, tmp_path, list(HARMLESS)) == sorted(HARMLESS)


def test_a_masked_line_is_still_json_and_keeps_its_level(helm: Helm, tmp_path: Path) -> None:
    line = json.dumps({"level": "error", "message": f"Bearer {JWT}", "url": "http://u:hunter2@x/", "user_id": "ann"})
    ((labels, text),) = through_promtail(helm, tmp_path, [line])
    assert labels["level"] == "ERROR"
    assert json.loads(text)["user_id"] == "ann"
    assert "[masked:jwt]" in text


def test_no_pattern_is_idle(helm: Helm, tmp_path: Path) -> None:
    """Each pattern of the chart masks a line above that no other one masks."""
    file = REPOSITORY / "helm" / "logging" / "files" / "secrets.yaml"
    patterns = [
        re.compile(pattern["expression"]) for pattern in yaml.safe_load(file.read_text(encoding="utf-8"))["patterns"]
    ]
    lines = [template.format(secret) for _, template, secret in SECRETS]
    alone = {found[0].pattern for line in lines if len(found := [one for one in patterns if one.search(line)]) == 1}
    assert {pattern.pattern for pattern in patterns} - alone == set()
