"""Sends a delivery as an e-mail through the operator's mail server."""

from __future__ import annotations

import re
import ssl
from contextlib import suppress

import aiosmtplib
import anyio

from notification.clock import Clock
from notification.mails import mail_of
from notification.messages import Message
from notification.outcomes import Claimed, Failed
from notification.settings import NotificationSettings

# RFC 3463; the words after it are the server's own and may name what is none of the user's business.
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}\b")
_QUIT_SECONDS = 1.0


class MailSender:
    """Makes one attempt on an e-mail channel, on a connection of its own."""

    def __init__(self, settings: NotificationSettings, tls: ssl.SSLContext, clock: Clock) -> None:
        self._settings = settings
        self._timeout = settings.delivery_timeout_seconds
        self._tls = tls
        self._clock = clock

    async def send(self, delivery: Claimed) -> None:
        """Hand the mail to the server. Raises Failed."""
        if not self._settings.smtp_host:
            raise Failed("no mail server is configured")
        sender = self._settings.smtp_from
        domain = sender.partition("@")[2]
        mail = mail_of(
            Message.model_validate_json(delivery.body),
            sender=sender,
            recipient=delivery.address,
            message_id=f"{delivery.id}@{domain}",
            now=self._clock(),
        )
        server = self._server(domain)
        try:
            with anyio.fail_after(self._timeout):
                await self._connect(server)
                await _hand_over(server, sender, delivery.address, mail.as_bytes())
            # It has the mail: how it says good-bye does not matter.
            with anyio.move_on_after(_QUIT_SECONDS), suppress(aiosmtplib.SMTPException, OSError):
                await server.quit()
        except TimeoutError as error:
            raise Failed(f"the mail server did not finish within {self._timeout:g} s") from error
        finally:
            server.close()

    async def _connect(self, server: aiosmtplib.SMTP) -> None:
        """Connect and log in; whatever fails here is the operator's to mend, not the recipient's: try again."""
        try:
            await server.connect()
        except aiosmtplib.SMTPAuthenticationError as error:
            raise Failed(f"the mail server refused the login: {_code(error)}") from error
        except aiosmtplib.SMTPResponseException as error:
            raise Failed(f"the mail server refused the connection: {_code(error)}") from error
        except TimeoutError:
            raise
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Failed(f"the mail server cannot be reached: {type(error).__name__}") from error

    def _server(self, domain: str) -> aiosmtplib.SMTP:
        settings = self._settings
        return aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user or None,
            password=settings.smtp_password() or None,
            # Given, because the default asks the DNS for this host's name, and waits for it.
            local_hostname=domain,
            timeout=self._timeout,
            use_tls=settings.smtp_starttls == "tls",
            # True insists: a server that offers no STARTTLS is an error, never a mail in clear.
            start_tls=settings.smtp_starttls == "starttls",
            tls_context=self._tls if settings.smtp_starttls != "none" else None,
        )


async def _hand_over(server: aiosmtplib.SMTP, sender: str, recipient: str, content: bytes) -> None:
    try:
        await server.sendmail(sender, [recipient], content)
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _refused("the recipient", error.recipients[0]) from error
    except aiosmtplib.SMTPResponseException as error:
        raise _refused("the mail", error) from error
    except TimeoutError:
        raise
    except (aiosmtplib.SMTPException, OSError) as error:
        raise Failed(f"the mail server ended the connection: {type(error).__name__}") from error


def _refused(what: str, error: aiosmtplib.SMTPResponseException) -> Failed:
    return Failed(f"the mail server refused {what}: {_code(error)}", permanent=error.code >= 500)


def _code(error: aiosmtplib.SMTPResponseException) -> str:
    """Return such as `550 5.1.1`."""
    enhanced = _ENHANCED.match(error.message.strip())
    return f"{error.code} {enhanced[0]}" if enhanced else str(error.code)
