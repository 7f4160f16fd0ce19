"""Optimistic concurrency: a task's version is its ETag, If-Match says which version a change is meant for."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from servicekit.problems import Problem


def etag(version: int) -> str:
    """Return the strong entity tag of a version."""
    return f'"{version}"'


@dataclass(frozen=True)
class Precondition:
    """The If-Match header of a request; None where there is none."""

    tags: frozenset[str] | None

    def check(self, version: int) -> None:
        """Answer 412 unless the header is absent, `*`, or names this version (weak tags never match)."""
        if self.tags is not None and not self.tags & {"*", etag(version)}:
            raise self._failed(version)

    def overtaken(self) -> Problem:
        """Return the problem of a change that another one overtook between reading and writing."""
        if self.tags is not None:
            return self._failed(None)
        detail = "The task was changed at the same moment; read it again and retry."
        return Problem(HTTPStatus.CONFLICT, detail, kind="conflict")

    @staticmethod
    def _failed(version: int | None) -> Problem:
        return Problem(
            HTTPStatus.PRECONDITION_FAILED,
            "The task is at another version than If-Match says; read it again.",
            kind="version-mismatch",
            headers={"ETag": etag(version)} if version is not None else None,
        )


async def if_match(request: Request) -> Precondition:
    """Read the If-Match headers, several in one or one each."""
    values = request.headers.getlist("If-Match")
    if not values:
        return Precondition(None)
    return Precondition(frozenset(tag.strip() for value in values for tag in value.split(",")))


IfMatch = Annotated[Precondition, Depends(if_match)]
