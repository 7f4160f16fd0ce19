"""Questions to a target's API server, and how a check that cannot be made is told."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import httpx

from sluice.adapters.kubernetes.answers import refused, unreachable
from sluice.doctor import Finding
from sluice.errors import SluiceError, in_a_line
from sluice.run import side_by_side

Check = Callable[[], Awaitable[list[Finding]]]
SECONDS = 30.0  # of each check
AT_ONCE = 8


@dataclass(frozen=True)
class Right:
    """Something that a deploy does to the cluster; without a namespace, to objects that have none."""

    verb: str
    resource: str  # perhaps with a subresource: pods/log
    group: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{'.' + self.group if self.group else ''}{where}"


class Api:
    """Reads objects, and asks what we may do."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def get(self, path: str) -> dict[str, Any] | None:
        """Return what is at a path; None where nothing is. Raises ClusterError."""
        response = await self._request("GET", path)
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if response.is_error:
            raise refused(response, path)
        found: dict[str, Any] = response.json()
        return found

    async def items(self, path: str) -> list[dict[str, Any]]:
        """Return the objects of a list; none where there is no such kind. Raises ClusterError."""
        return list((await self.get(path) or {}).get("items") or ())

    async def served(self, path: str) -> bool:
        """Return whether something answers at a path. An API whose server is away is a 404 or a 503."""
        return (await self._request("GET", path)).is_success

    async def may(self, right: Right) -> bool:
        """Return whether we may do something, by a SelfSubjectAccessReview, which is kept nowhere."""
        resource, _, subresource = right.resource.partition("/")
        asked = {
            "verb": right.verb,
            "group": right.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": right.namespace,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in asked.items() if value}},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        response = await self._request("POST", path, json=body)
        if response.is_error:
            raise refused(response, "a SelfSubjectAccessReview")
        return bool(response.json()["status"]["allowed"])

    async def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return await self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise unreachable(self._client, path, error) from None


async def bounded(what: str, check: Check, *, seconds: float = SECONDS) -> list[Finding]:
    """Return what a check finds; where it cannot be made, or not in time, that is the finding."""
    try:
        with anyio.fail_after(seconds):
            return await check()
    except TimeoutError:
        return [Finding(what, "lacks", f"no answer within {seconds:.0f} s", "run it again; kubectl cluster-info")]
    except SluiceError as error:
        return [Finding(what, "lacks", in_a_line(error), error.next_command)]
    except (httpx.HTTPError, OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        seen = f"what came cannot be read: {type(error).__name__}: {error}"
        return [Finding(what, "lacks", seen, "see docs/promotion.md, or report it")]


async def all_of(checks: Sequence[tuple[str, Check]], *, seconds: float = SECONDS) -> list[Finding]:
    """Return what checks find, in their order; they are made side by side."""

    async def one(named: tuple[str, Check]) -> list[Finding]:
        return await bounded(*named, seconds=seconds)

    return [finding for found in await side_by_side(one, checks, width=AT_ONCE) for finding in found]
