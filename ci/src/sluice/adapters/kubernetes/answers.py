"""What the API server answers when it refuses, as ClusterError."""

import json

import httpx

from sluice.errors import ClusterError


def refusal(response: httpx.Response) -> str:
    """The message of a Kubernetes Status in a response that has been read, or "" where it holds none."""
    try:
        body = json.loads(response.content)
    except ValueError:
        return ""
    if not isinstance(body, dict) or body.get("kind") != "Status" or body.get("apiVersion") != "v1":
        return ""
    return str(body.get("message") or body.get("reason") or "no message")


def refused(response: httpx.Response, what: str, message: str = "") -> ClusterError:
    """The error to raise for a response that is not a success; `what` is what was asked for."""
    message = message or refusal(response) or response.text[:300] or "no message"
    hint = " (are the credentials of the kubeconfig still valid?)" if response.status_code in (401, 403) else ""
    return ClusterError(
        f"the API server refused {what}",
        seen=f"{response.status_code}: {message}{hint}",
        expected="a success",
        next_command=f"kubectl get --raw '{response.request.url.raw_path.decode()}'",
    )


def unreachable(client: httpx.AsyncClient, what: str, error: httpx.HTTPError) -> ClusterError:
    """The error to raise when there was no answer at all."""
    return ClusterError(
        f"the API server at {client.base_url} did not answer when asked for {what}",
        seen=f"{type(error).__name__}: {error}".rstrip(": "),
        expected="an answer",
        next_command="kubectl cluster-info, with the kubeconfig of this run",
    )
