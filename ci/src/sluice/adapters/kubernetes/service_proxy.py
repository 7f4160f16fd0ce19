"""A service of the cluster, reached through the API server: no port-forward, no ingress, one credential."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote, unquote

import httpx

from sluice.adapters.kubernetes.answers import refusal, refused, unreachable

Kind = Literal["services", "pods"]


def proxy_path(kind: Kind, namespace: str, name: str, port: int | str, scheme: str = "http") -> str:
    """Return the path of a service's or a pod's port below the API server, with a slash at its end.

    WebSockets go the same way: `scheme` is what the API server speaks, and it hands an upgrade on.
    """
    # Without a scheme the API server guesses by the port's name.
    return f"api/v1/namespaces/{quote(namespace)}/{kind}/{quote(f'{scheme}:{name}:{port}')}/proxy/"


class ServiceProxy:
    """Speaks HTTP with one port of a service, or of one particular pod.

    Headers pass both ways, Authorization excepted: the API server takes it for itself. Errors of the service
    come back as responses; those of the API server (no endpoints, forbidden, no answer) raise ClusterError.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        namespace: str,
        name: str,
        port: int | str,
        scheme: str = "http",
        *,
        kind: Kind = "services",
    ) -> None:
        self._client = client
        self._what = f"the {kind.removesuffix('s')} {namespace}/{name}:{port}"
        self._prefix = proxy_path(kind, namespace, name, port, scheme)

    def __repr__(self) -> str:
        return f"ServiceProxy({self._what})"

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        timeout_seconds: float = 30,
    ) -> httpx.Response:
        """Send a request to a path of the service. Raises ClusterError when it cannot be reached."""
        try:
            response = await self._client.request(
                method,
                self._prefix + path.lstrip("/"),
                params=params,
                headers=headers,
                json=json,
                content=content,
                timeout=timeout_seconds,
            )
        except httpx.TransportError as error:
            raise unreachable(self._client, self._what, error) from error
        if response.is_error and (message := refusal(response)):
            raise refused(response, f"the way to {self._what}", message)
        # The API server puts its own way in front of a redirect's path; the caller knows the service's.
        own_way = "/" + unquote(self._prefix).rstrip("/")
        if (location := response.headers.get("Location", "")).startswith(own_way):
            response.headers["Location"] = location.removeprefix(own_way)
        return response

    async def get(self, path: str, *, params: Mapping[str, str] | None = None) -> httpx.Response:
        """Get a path of the service. Raises ClusterError when it cannot be reached."""
        return await self.request("GET", path, params=params)
