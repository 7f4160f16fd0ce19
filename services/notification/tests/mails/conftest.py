"""A mail server on loopback: as much of RFC 5321, STARTTLS and AUTH PLAIN as a client needs to hand over a mail."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Mail:
    """One mail as it was handed over."""

    sender: str
    recipient: str
    content: bytes
    encrypted: bool
    login: tuple[str, str] | None

    @property
    def parsed(self) -> EmailMessage:
        """The mail, as a reader sees it."""
        found = email.message_from_bytes(self.content, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        return found


@dataclass
class MailServer:
    """Answers each command as a server does, or as `replies` says (by verb; `DATA.` is the end of the content).

    An empty reply hangs up, `hang` says nothing.
    """

    tls: ssl.SSLContext | None = None
    replies: dict[str, str] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        # The other side may hang up at any moment.
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await _Session(self, reader, writer).run()
        writer.close()


class _Session:
    def __init__(self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.sender = self.recipient = ""
        self.login: tuple[str, str] | None = None

    @property
    def encrypted(self) -> bool:
        return self.writer.get_extra_info("sslcontext") is not None

    async def run(self) -> None:
        await self.say("GREETING", "220 mail.test ESMTP")
        while line := (await self.reader.readline()).decode().strip():
            verb = line.split(maxsplit=1)[0].upper()
            self.server.seen.append(verb)
            await getattr(self, f"on_{verb.lower()}")(line)

    async def say(self, verb: str, usual: str) -> bool:
        """Reply, and return whether it was the usual reply."""
        reply = self.server.replies.get(verb, usual)
        if reply == "hang":
            await self.reader.read()
        if reply in ("", "hang"):
            raise ConnectionResetError
        self.writer.write(reply.encode() + b"\r\n")
        await self.writer.drain()
        return reply == usual

    async def on_ehlo(self, _line: str) -> None:
        offered = ["mail.test", "AUTH PLAIN"]
        if self.server.tls and not self.encrypted:
            offered.append("STARTTLS")
        lines = [f"250-{what}" for what in offered[:-1]] + [f"250 {offered[-1]}"]
        await self.say("EHLO", "\r\n".join(lines))

    async def on_starttls(self, _line: str) -> None:
        assert self.server.tls is not None
        if await self.say("STARTTLS", "220 go on"):
            await self.writer.start_tls(self.server.tls)

    async def on_auth(self, line: str) -> None:
        _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
        if await self.say("AUTH", "235 2.7.0 welcome"):
            self.login = (user, password)

    async def on_mail(self, line: str) -> None:
        self.sender = line.partition("<")[2].partition(">")[0]
        await self.say("MAIL", "250 2.1.0 ok")

    async def on_rcpt(self, line: str) -> None:
        self.recipient = line.partition("<")[2].partition(">")[0]
        await self.say("RCPT", "250 2.1.5 ok")

    async def on_data(self, _line: str) -> None:
        if await self.say("DATA", "354 go on"):
            content = (await self.reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n.")
            if await self.say("DATA.", "250 2.0.0 taken"):
                mail = Mail(self.sender, self.recipient, content, self.encrypted, self.login)
                self.server.mails.append(mail)

    async def on_rset(self, _line: str) -> None:
        await self.say("RSET", "250 ok")

    async def on_quit(self, _line: str) -> None:
        await self.say("QUIT", "221 bye")


Run = Callable[..., Any]


@pytest.fixture
async def mail_server() -> AsyncIterator[Run]:
    """Run mail servers: `tls` offers STARTTLS, `ssl` speaks TLS from the first byte."""
    async with AsyncExitStack() as stack:

        async def run(*, tls: ssl.SSLContext | None = None, **options: Any) -> MailServer:
            mails = MailServer(tls)
            server = await asyncio.start_server(mails.serve, "127.0.0.1", 0, **options)
            stack.callback(server.close)
            mails.port = server.sockets[0].getsockname()[1]
            return mails

        yield run


@pytest.fixture
def plain(tmp_path: Path) -> dict[str, Any]:
    """Settings of a mail server without TLS; the port is the test's to add."""
    return {"smtp_host": "127.0.0.1", "smtp_starttls": "none", "smtp_from": "sluice@example.org"}
