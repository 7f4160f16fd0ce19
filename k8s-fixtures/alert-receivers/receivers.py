"""Receivers of alerts in the shapes of Slack, PagerDuty, e-mail and a webhook. What came is shown at /record.

What is kept names the alert and says what a human would read; tokens and keys are looked at and not kept.
"""

import email
import email.policy
import json
import os
import re
import socketserver
import sys
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]

HTTP_PORT, SMTP_PORT = 8080, 2525
KEPT = 2000
# What helm/monitoring/templates/_receivers.tpl gives a message as its title: status, alert, namespace and service.
TITLE = re.compile(r"(?P<status>FIRING|RESOLVED): (?P<alert>\w+) (?P<namespace>[\w.-]*)/(?P<service>[\w.-]*)")
STATUS = {"trigger": "firing", "resolve": "resolved"}

record: deque[Json] = deque(maxlen=KEPT)
writing = threading.Lock()
# Where the record outlives the process: who asks for what came after a number must find its successor.
RECORD = Path(os.environ["RECEIVERS_RECORD"]) if "RECEIVERS_RECORD" in os.environ else None


class Refused(Exception):
    """The message is not one of its kind."""


def keep(kind: str, status: str, alert: str, namespace: str, service: str, text: str) -> None:
    """Keep one message."""
    with writing:
        one = {
            "number": record[-1]["number"] + 1 if record else 1,
            "at": time.time(),
            "kind": kind,
            "status": status.lower(),
            "alert": alert,
            "namespace": namespace,
            "service": service,
            "text": text,
        }
        if RECORD:
            with RECORD.open("a", encoding="utf-8") as file:
                file.write(json.dumps(one) + "\n")
        record.append(one)


def recall(path: Path) -> None:
    """Take up the record of a process before this one; a line that it did not get to the end of is none."""
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in kept.splitlines():
        try:
            record.append(json.loads(line))
        except ValueError:
            continue
    if kept and not kept.endswith("\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")


def titled(kind: str, title: str, text: str) -> None:
    """Keep a message that is known by its title."""
    found = TITLE.match(title or "")
    if not found:
        raise Refused(f"no title of an alert: {title!r}")
    keep(kind, found["status"], found["alert"], found["namespace"], found["service"], text)


def slack(body: Json) -> None:
    """An incoming webhook: a message with one attachment."""
    (attachment,) = body["attachments"]
    if not body.get("channel"):
        raise Refused("no channel")
    titled("slack", attachment["title"], attachment["text"])


def pagerduty(body: Json) -> None:
    """The Events API v2."""
    payload = body["payload"]
    missing = [name for name in ("routing_key", "dedup_key", "event_action") if not body.get(name)]
    if missing or payload["severity"] not in ("critical", "error", "warning", "info"):
        raise Refused(f"missing {missing}, severity {payload['severity']}")
    links = "\n".join(link["href"] for link in body.get("links", ()))
    about = payload["class"], payload.get("group", ""), payload.get("component", "")
    keep("pagerduty", STATUS[body["event_action"]], *about, f"{payload['summary']}\n{links}")


def webhook(body: Json, kind: str = "webhook") -> None:
    """Alertmanager's own format, version 4."""
    if body["version"] != "4" or not body["alerts"]:
        raise Refused(f"version {body['version']}")
    labels = body["groupLabels"]
    text = "\n".join(text for alert in body["alerts"] for text in alert["annotations"].values())
    about = labels["alertname"], labels.get("namespace", ""), labels.get("service", "")
    keep(kind, body["status"], *about, text)


def mail(content: bytes) -> None:
    """One message as SMTP carried it."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    if not message["From"] or not message["To"]:
        raise Refused("no sender or no recipient")
    part = message.get_body(preferencelist=("plain", "html"))
    titled("email", str(message["Subject"]), part.get_content() if part else "")


class Http(BaseHTTPRequestHandler):
    """POST /slack/…, /v2/enqueue, /webhook/…, /watchdog; GET /record?after=<number>, /healthz."""

    def do_POST(self) -> None:
        """Take a message."""
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        takers = {
            "slack": (slack, 200, "text/plain", "ok"),
            "v2": (pagerduty, 202, "application/json", '{"status": "success"}'),
            "webhook": (webhook, 200, "text/plain", ""),
            "watchdog": (lambda body: webhook(body, "watchdog"), 200, "text/plain", ""),
        }
        taker = takers.get(self.path.split("/")[1])
        if taker is None:
            self.answer(404, "text/plain", "nobody is here")
            return
        take, status, media_type, said = taker
        try:
            take(json.loads(content))
        except (Refused, ValueError, KeyError, TypeError) as error:
            self.answer(400, "text/plain", f"{type(error).__name__}: {error}")
        else:
            self.answer(status, media_type, said)

    def do_GET(self) -> None:
        """Show what came."""
        asked = urlsplit(self.path)
        if asked.path == "/record":
            after = int(parse_qs(asked.query).get("after", ["0"])[0])
            items = [one for one in list(record) if one["number"] > after]
            self.answer(200, "application/json", json.dumps({"items": items}))
        else:
            self.answer(200 if asked.path == "/healthz" else 404, "text/plain", "")

    def answer(self, status: int, media_type: str, body: str) -> None:
        """Send a response."""
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing: a path may hold a token."""


class Smtp(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a client needs that offers no TLS and no credentials."""

    def handle(self) -> None:
        """Speak with one client."""
        self.say(220, "receivers")
        while line := self.rfile.readline():
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self.say(354, "go on")
                self.take(self.content())
            elif verb == b"QUIT":
                self.say(221, "bye")
                return
            else:
                self.say(250, "receivers")

    def content(self) -> bytes:
        """The lines of a message up to the one that is a dot."""
        lines = []
        while (line := self.rfile.readline()) and line.rstrip(b"\r\n") != b".":
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def take(self, content: bytes) -> None:
        """Keep a message, or say why not."""
        try:
            mail(content)
        except (Refused, ValueError, KeyError) as error:
            self.say(554, f"{type(error).__name__}: {error}".replace("\n", " "))
        else:
            self.say(250, "kept")

    def say(self, code: int, text: str) -> None:
        """Send one line."""
        self.wfile.write(f"{code} {text}\r\n".encode())


class SmtpServer(socketserver.ThreadingTCPServer):
    """A thread for each client."""

    allow_reuse_address = True
    daemon_threads = True


def serve(http_port: int = HTTP_PORT, smtp_port: int = SMTP_PORT) -> None:
    """Serve both ports until the process ends."""
    if RECORD:
        recall(RECORD)
    smtp = SmtpServer(("", smtp_port), Smtp)
    threading.Thread(target=smtp.serve_forever, daemon=True).start()
    ThreadingHTTPServer(("", http_port), Http).serve_forever()


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:]))
