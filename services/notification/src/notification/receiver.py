"""A receiver of webhooks for E2E suites, off unless asked for: it keeps what it gets, in this process's memory."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from servicekit.identity import CurrentUser

_NAMES = 100
_REQUESTS = 50
# Kept by name, so that a token which somebody sends here is not shown to others.
_HEADERS = ("content-type", "traceparent", "user-agent", "webhook-id", "webhook-signature", "webhook-timestamp")

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Status = Annotated[int, Field(ge=200, le=599)]


class Script(BaseModel):
    """The statuses to answer with, one a request; 200 when they are used up."""

    model_config = ConfigDict(extra="forbid")

    statuses: list[Status] = Field(max_length=100)


class Received(BaseModel):
    """One request as it came, and what it was answered."""

    status: int
    headers: dict[str, str]
    body: str


class ReceivedList(BaseModel):
    """The last requests, oldest first."""

    items: list[Received]


@dataclass
class _Box:
    statuses: deque[int] = field(default_factory=deque)
    requests: deque[Received] = field(default_factory=lambda: deque(maxlen=_REQUESTS))


def receiver_router() -> APIRouter:
    """Build the router under `/faults/receiver`; anybody may post there, as to any receiver of webhooks."""
    router = APIRouter(prefix="/faults/receiver", include_in_schema=False)
    boxes: OrderedDict[str, _Box] = OrderedDict()

    def box(name: str) -> _Box:
        found = boxes.setdefault(name, _Box())
        boxes.move_to_end(name)
        if len(boxes) > _NAMES:
            boxes.popitem(last=False)
        return found

    @router.put("/{name}", status_code=HTTPStatus.NO_CONTENT)
    async def script(_user: CurrentUser, name: Name, content: Script) -> None:
        box(name).statuses = deque(content.statuses)

    @router.post("/{name}")
    async def receive(name: Name, request: Request) -> Response:
        body = await request.body()
        found = box(name)
        status = found.statuses.popleft() if found.statuses else HTTPStatus.OK
        kept = {header: request.headers[header] for header in _HEADERS if header in request.headers}
        found.requests.append(Received(status=status, headers=kept, body=body.decode(errors="replace")))
        return Response(status_code=status)

    @router.get("/{name}")
    async def received(_user: CurrentUser, name: Name) -> ReceivedList:
        return ReceivedList(items=list(boxes[name].requests) if name in boxes else [])

    return router
