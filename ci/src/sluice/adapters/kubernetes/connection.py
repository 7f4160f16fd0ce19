"""An HTTP client for the API server that a kubeconfig names."""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import anyio.to_thread
import httpx
from kubernetes import config
from kubernetes.client import Configuration

from sluice.errors import ClusterError

_TIMEOUT = httpx.Timeout(30, connect=5)


@asynccontextmanager
async def connect(kubeconfig: Path, *, context: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """Open a client whose base is the API server, with the kubeconfig's CA and credentials.

    Client certificates, tokens, exec plugins (OKE, AKS, GKE) and proxy-url work as in kubectl; a token that
    expires is fetched anew. Raises ClusterError when the kubeconfig cannot be used. Reads time out at 30 s.
    """
    # Loading may run an exec plugin, which takes a second or more.
    configuration = await anyio.to_thread.run_sync(_load, kubeconfig, context)
    client = httpx.AsyncClient(
        base_url=configuration.host,
        verify=_tls(configuration, kubeconfig),
        auth=_BearerToken(configuration) if configuration.api_key else None,
        proxy=configuration.proxy,
        # kubectl never sends loopback addresses through HTTPS_PROXY; kind's server has one.
        trust_env=not _is_loopback(configuration.host),
        timeout=_TIMEOUT,
        headers={"User-Agent": "sluice"},
        event_hooks={"request": [_ServerName(configuration.tls_server_name)]},
    )
    async with client:
        yield client


@dataclass(frozen=True)
class WebSocketAccess:
    """What a WebSocket client needs to open a connection to an API server.

    `server` is its base with the scheme ws or wss, `tls` is None for ws, `server_name` is set where the certificate is
    checked for another name than the server's own, `direct` where no proxy of the environment may stand in between.
    """

    server: str
    tls: ssl.SSLContext | None
    server_name: str | None
    direct: bool
    headers: dict[str, str]


async def websocket_access(kubeconfig: Path, *, context: str = "") -> WebSocketAccess:
    """Return how WebSockets reach the API server, with the same CA and credentials as `connect`.

    A token in `headers` is the one of now: ask again for a connection that is opened much later. Raises ClusterError
    when the kubeconfig cannot be used.
    """
    configuration = await anyio.to_thread.run_sync(_load, kubeconfig, context)
    token = await _token(configuration) if configuration.api_key else None
    tls = _tls(configuration, kubeconfig)
    return WebSocketAccess(
        server="ws" + configuration.host.removeprefix("http"),
        tls=tls if isinstance(tls, ssl.SSLContext) else None,
        server_name=configuration.tls_server_name,
        direct=_is_loopback(configuration.host),
        headers={"Authorization": token} if token else {},
    )


def _load(kubeconfig: Path, context: str) -> Configuration:
    configuration = Configuration()
    configuration.proxy = None  # the environment's proxy is httpx's business, it knows NO_PROXY
    next_command = f"kubectl --kubeconfig {kubeconfig} config view"
    try:
        config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(kubeconfig),
            context=context or None,
            client_configuration=configuration,
            persist_config=False,
        )
    except Exception as error:  # noqa: BLE001 - a broken file surfaces as ConfigException, yaml or type errors alike
        raise ClusterError(
            f"the kubeconfig {kubeconfig} cannot be used",
            seen=str(error).splitlines()[0] if str(error) else type(error).__name__,
            expected=f"a kubeconfig with the context {context}" if context else "a kubeconfig with a current context",
            next_command=next_command,
        ) from None
    if configuration.host.startswith("https") and not configuration.api_key and not configuration.cert_file:
        raise ClusterError(
            f"the kubeconfig {kubeconfig} gave no credentials for {configuration.host}",
            seen="neither a client certificate nor a token; an exec plugin may have failed, see above",
            expected="credentials",
            next_command=next_command,
        )
    return configuration


def _tls(configuration: Configuration, kubeconfig: Path) -> ssl.SSLContext | bool:
    if not configuration.host.startswith("https"):
        return True
    try:
        tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        if not configuration.verify_ssl:
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        if configuration.cert_file:
            tls.load_cert_chain(configuration.cert_file, configuration.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ClusterError(
            f"the certificates of {kubeconfig} cannot be read",
            seen=str(error),
            expected="a CA, and a client certificate with its key, in PEM",
            next_command=f"kubectl --kubeconfig {kubeconfig} config view --raw=false",
        ) from None
    return tls


async def _token(configuration: Configuration) -> str | None:
    """The value of the header Authorization. Asking may run a plugin, which takes a second or more."""
    found: str | None = await anyio.to_thread.run_sync(
        configuration.get_api_key_with_prefix, "BearerToken", "authorization"
    )
    return found


class _BearerToken(httpx.Auth):
    """Asks the kubeconfig's loader for the token each time: it knows when one has expired."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if token := await _token(self._configuration):
            request.headers["Authorization"] = token
        yield request


class _ServerName:
    """A request hook that sets the name the API server's certificate is checked for (`tls-server-name`)."""

    def __init__(self, name: str | None) -> None:
        self._name = name

    async def __call__(self, request: httpx.Request) -> None:
        if self._name:
            request.extensions = {**request.extensions, "sni_hostname": self._name}


def _is_loopback(server: str) -> bool:
    host = httpx.URL(server).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
