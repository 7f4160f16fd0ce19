"""Against a real SMTP server: what is handed over, how it is protected, and what its refusals mean."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

# What is stored is the same on any database; the queue's tests run on both.
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database", ["sqlite"], indirect=True)]

ANN = {"kind": "email", "address": "ann@example.org"}


async def attempt(system: Any, **values: Any) -> dict[str, Any]:
    """Send one reminder by mail, once, and return the delivery."""
    await system.channel(**ANN)
    await system.remind(**values)
    assert await system.send_due() == 1
    (delivery,) = await system.deliveries()
    return dict(delivery)


async def test_the_server_gets_the_mail(start: Any, mail_server: Any, plain: dict[str, Any]) -> None:
    server = await mail_server()
    delivery = await attempt(start(smtp_port=server.port, **plain), title="water the plants")
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 1)
    (mail,) = server.mails
    assert (mail.sender, mail.recipient, mail.login) == ("sluice@example.org", "ann@example.org", None)
    assert mail.parsed["Subject"] == "Reminder: water the plants"
    assert mail.parsed["Message-ID"] == f"<{delivery['id']}@example.org>"
    assert "You asked to be reminded 15 minutes before it is due." in mail.parsed.get_content()
    assert server.seen[-1] == "QUIT"


async def test_a_repeat_has_the_same_message_id(start: Any, mail_server: Any, plain: dict[str, Any]) -> None:
    server = await mail_server()
    server.replies["DATA."] = "451 4.3.0 later"
    system = start(smtp_port=server.port, **plain)
    delivery = await attempt(system)
    assert (delivery["state"], delivery["last_error"]) == ("pending", "the mail server refused the mail: 451 4.3.0")
    server.replies.clear()
    system.clock.move(10)
    assert await system.send_due() == 1
    assert server.mails[0].parsed["Message-ID"] == f"<{delivery['id']}@example.org>"


@pytest.mark.parametrize(
    ("verb", "reply", "state", "said"),
    [
        ("RCPT", "550 5.1.1 no such user here", "dead", "the mail server refused the recipient: 550 5.1.1"),
        ("RCPT", "450 4.2.1 mailbox busy", "pending", "the mail server refused the recipient: 450 4.2.1"),
        ("MAIL", "553 not allowed", "dead", "the mail server refused the mail: 553"),
        ("MAIL", "421 4.3.2 closing", "pending", "the mail server refused the mail: 421 4.3.2"),
        ("DATA", "554 5.5.1 no", "dead", "the mail server refused the mail: 554 5.5.1"),
        ("DATA.", "552 5.3.4 too big", "dead", "the mail server refused the mail: 552 5.3.4"),
        ("DATA.", "452 4.3.1 full", "pending", "the mail server refused the mail: 452 4.3.1"),
        ("GREETING", "554 no service", "pending", "the mail server refused the connection: 554"),
        ("GREETING", "", "pending", "the mail server cannot be reached: SMTP"),
        ("DATA.", "", "pending", "the mail server ended the connection: SMTP"),
        ("RCPT", "hang", "pending", "the mail server did not finish within 0.3 s"),
    ],
)
async def test_what_a_refusal_means(
    start: Any, mail_server: Any, plain: dict[str, Any], verb: str, reply: str, state: str, said: str
) -> None:
    server = await mail_server()
    server.replies[verb] = reply
    seconds = 0.3 if reply == "hang" else 20
    system = start(smtp_port=server.port, delivery_timeout_seconds=seconds, **plain)
    delivery = await attempt(system)
    assert delivery["state"] == state
    assert delivery["last_error"].startswith(said)
    letters = await system.dead_letters()
    assert [said in letter["data"]["reason"] for letter in letters] == ([True] if state == "dead" else [])


@pytest.mark.parametrize("reply", ["500 what?", "", "hang"])
async def test_a_mail_that_was_taken_is_delivered_however_the_server_parts(
    start: Any, mail_server: Any, plain: dict[str, Any], reply: str
) -> None:
    server = await mail_server()
    server.replies["QUIT"] = reply
    assert (await attempt(start(smtp_port=server.port, **plain)))["state"] == "delivered"
    assert len(server.mails) == 1


async def test_nobody_listens(start: Any, plain: dict[str, Any]) -> None:
    delivery = await attempt(start(smtp_port=1, **plain))
    assert (delivery["state"], delivery["attempts"]) == ("pending", 1)
    assert delivery["last_error"].startswith("the mail server cannot be reached: ")


async def test_a_mail_server_that_was_taken_away_may_come_back(start: Any, plain: dict[str, Any]) -> None:
    system = start(smtp_port=1, **plain)
    await system.channel(**ANN)
    await system.remind()
    without = start()
    assert await without.send_due() == 1
    (delivery,) = await without.deliveries()
    assert (delivery["state"], delivery["last_error"]) == ("pending", "no mail server is configured")


def named(certificate: Any, password: Path, **values: Any) -> dict[str, Any]:
    """Return the settings of a protected server that is called receiver.test, which a test resolves to loopback."""
    password.write_text("pass word\n")
    usual = {
        "smtp_host": "receiver.test",
        "smtp_from": "sluice@example.org",
        "smtp_user": "sluice",
        "smtp_password_file": password,
        "trusted_ca_file": certificate.certificate,
    }
    return usual | values


@pytest.fixture
def receiver_test_is_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the event loop resolve receiver.test, which no DNS knows."""
    real = socket.getaddrinfo

    def look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        return real("127.0.0.1" if host == "receiver.test" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.usefixtures("receiver_test_is_loopback")
async def test_starttls_protects_the_login_and_the_mail(
    start: Any, mail_server: Any, certificate: Any, tmp_path: Path
) -> None:
    server = await mail_server(tls=certificate.context())
    delivery = await attempt(start(smtp_port=server.port, **named(certificate, tmp_path / "password")))
    assert (delivery["state"], delivery["last_error"]) == ("delivered", "")
    assert (server.mails[0].encrypted, server.mails[0].login) == (True, ("sluice", "pass word"))
    assert server.seen.index("STARTTLS") < server.seen.index("AUTH")


@pytest.mark.usefixtures("receiver_test_is_loopback")
async def test_tls_from_the_first_byte(start: Any, mail_server: Any, certificate: Any, tmp_path: Path) -> None:
    server = await mail_server(ssl=certificate.context())
    values = named(certificate, tmp_path / "password", smtp_starttls="tls")
    assert (await attempt(start(smtp_port=server.port, **values)))["state"] == "delivered"
    assert (server.mails[0].encrypted, server.mails[0].login) == (True, ("sluice", "pass word"))


@pytest.mark.usefixtures("receiver_test_is_loopback")
@pytest.mark.parametrize("offered", [True, False])
async def test_without_starttls_nothing_is_sent_in_clear(
    start: Any, mail_server: Any, certificate: Any, tmp_path: Path, offered: bool
) -> None:
    server = await mail_server(tls=certificate.context() if offered else None)
    values = named(certificate, tmp_path / "password") | ({"trusted_ca_file": None} if offered else {})
    delivery = await attempt(start(smtp_port=server.port, **values))
    assert delivery["state"] == "pending"
    assert delivery["last_error"].startswith("the mail server cannot be reached: ")
    assert server.mails == []
    assert "AUTH" not in server.seen


@pytest.mark.usefixtures("receiver_test_is_loopback")
async def test_a_rotated_password_serves_the_next_mail(
    start: Any, mail_server: Any, certificate: Any, tmp_path: Path
) -> None:
    server = await mail_server(tls=certificate.context())
    server.replies["AUTH"] = "535 5.7.8 wrong"
    system = start(smtp_port=server.port, **named(certificate, tmp_path / "password"))
    delivery = await attempt(system)
    assert delivery["last_error"] == "the mail server refused the login: 535 5.7.8"
    assert delivery["state"] == "pending", "the operator's mistake, not the recipient's"
    server.replies.clear()
    (tmp_path / "password").write_text("new\n")
    system.clock.move(10)
    assert await system.send_due() == 1
    assert server.mails[0].login == ("sluice", "new")


async def test_a_title_cannot_add_headers_recipients_or_commands(
    start: Any, mail_server: Any, plain: dict[str, Any]
) -> None:
    server = await mail_server()
    title = "x\r\nBcc: eve@example.org\r\n\r\n.\r\nRCPT TO:<eve@example.org>\u2028y"
    assert (await attempt(start(smtp_port=server.port, **plain), title=title))["state"] == "delivered"
    (mail,) = server.mails
    assert mail.recipient == "ann@example.org"
    assert mail.parsed["Bcc"] is None
    assert mail.parsed["Subject"] == "Reminder: x Bcc: eve@example.org . RCPT TO:<eve@example.org> y"
    assert server.seen.count("RCPT") == 1
