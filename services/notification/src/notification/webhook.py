"""Sends a delivery as an HTTP POST to the owner's URL: no redirects, no proxies, one deadline, a bounded answer."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import anyio
import httpcore
import httpx

from notification.addresses import AddressPolicy, AddressRefused, CheckedBackend, Resolver, UnknownHost
from notification.clock import Clock
from notification.outcomes import Claimed, Failed
from notification.settings import NotificationSettings
from notification.signatures import signature
from servicekit.context import current_context, traceparent

USER_AGENT = "sluice-notification/1"
# Of the answer's body; it is read only so that the connection ends in peace, and never kept.
_READ_BYTES = 16 * 1024
_READ_SECONDS = 1.0
_LONGEST_RETRY_AFTER_DIGITS = 9
# "Try again": timeout, too early, too many requests. Other refusals would be the same the next time.
_PASSING = frozenset({408, 425, 429})
_CAUSES: tuple[tuple[type[Exception], str], ...] = (
    (httpcore.ConnectError, "the connection failed"),
    (httpcore.RemoteProtocolError, "the receiver ended the connection without an answer in HTTP"),
    (httpcore.NetworkError, "the connection broke"),
)


@dataclass(frozen=True)
class _Answer:
    status: int
    retry_after: str


class WebhookSender:
    """Makes one attempt on a webhook channel."""

    def __init__(
        self,
        settings: NotificationSettings,
        policy: AddressPolicy,
        tls: ssl.SSLContext,
        clock: Clock,
        resolve: Resolver,
    ) -> None:
        self._timeout = settings.delivery_timeout_seconds
        self._longest_wait = settings.delivery_retry_cap_seconds
        self._policy = policy
        self._resolve = resolve
        self._tls = tls
        self._clock = clock

    async def send(self, delivery: Claimed) -> None:
        """POST the body and take any 2xx for arrived. Raises Failed."""
        # Taken apart by the same code that checked it when the channel was made.
        url = httpx.URL(delivery.address)
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        backend = CheckedBackend(self._policy, self._resolve)
        answer: _Answer | None = None
        try:
            with anyio.move_on_after(self._timeout):
                # A connection of its own for each: none outlives the check of its address.
                async with (
                    httpcore.AsyncConnectionPool(
                        ssl_context=self._tls, network_backend=backend, max_keepalive_connections=0
                    ) as pool,
                    pool.stream(
                        "POST", target, headers=self._headers(url, delivery), content=delivery.body.encode()
                    ) as response,
                ):
                    answer = _Answer(response.status, _header(response, b"retry-after"))
                    await _drain(response)
        except AddressRefused as error:
            raise Failed(str(error), permanent=True) from error
        except UnknownHost as error:
            raise Failed(str(error)) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            if answer is None:
                raise Failed(_said(error)) from error
        finally:
            await backend.close()
        if answer is None:
            raise Failed(f"no answer within {self._timeout:g} s")
        self._judge(answer)

    def _judge(self, answer: _Answer) -> None:
        status = answer.status
        if 200 <= status < 300:
            return
        if 300 <= status < 400:
            raise Failed(f"the receiver answered {status}; redirects are not followed", permanent=True)
        wait = float(answer.retry_after or 0)
        passing = status >= 500 or status in _PASSING
        said = f"the receiver answered {status}"
        raise Failed(said, permanent=not passing, retry_after=min(wait, self._longest_wait))

    def _headers(self, url: httpx.URL, delivery: Claimed) -> list[tuple[bytes, bytes]]:
        timestamp = int(self._clock().timestamp())
        headers = {
            "Host": url.netloc.decode(),
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "webhook-id": str(delivery.id),
            "webhook-timestamp": str(timestamp),
            "traceparent": traceparent(current_context()),
        }
        if delivery.secret:
            headers["webhook-signature"] = signature(delivery.secret, str(delivery.id), timestamp, delivery.body)
        return [(name.encode(), value.encode()) for name, value in headers.items()]


def _header(response: httpcore.Response, wanted: bytes) -> str:
    """Return a header that holds a number of seconds; a date, which it may be too, counts as none."""
    found = next((value for name, value in response.headers if name.lower() == wanted), b"")
    return found.decode() if found.isdigit() and len(found) <= _LONGEST_RETRY_AFTER_DIGITS else ""


async def _drain(response: httpcore.Response) -> None:
    read = 0
    with anyio.move_on_after(_READ_SECONDS):
        async for part in response.aiter_stream():
            read += len(part)
            if read > _READ_BYTES:
                return


def _said(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the receiver's certificate is not accepted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "TLS failed"
        cause = cause.__cause__ or cause.__context__
    return next((said for kind, said in _CAUSES if isinstance(error, kind)), "the request could not be made")
