"""What users see of their deliveries: a list by pages, and another try for a dead one."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import datetime, timedelta
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import and_, delete, or_, select, update

from notification.clock import Clock
from notification.models import Delivery, DeliveryState
from notification.settings import NotificationSettings
from servicekit.database import Database
from servicekit.problems import Problem


class DeliveryQuery(BaseModel):
    """The query string of the list. Unknown names are refused: a filter with a typo would show everything."""

    model_config = ConfigDict(extra="forbid")

    state: DeliveryState | None = None
    channel_id: uuid.UUID | None = None
    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=200)


class DeliveryStore:
    """List, retry and forget; each call is one transaction, and users' calls name the owner."""

    def __init__(self, settings: NotificationSettings, database: Database, clock: Clock) -> None:
        self._kept = timedelta(days=settings.deliveries_kept_days)
        self._database = database
        self._clock = clock

    async def page(self, owner: str, query: DeliveryQuery) -> tuple[list[Delivery], str | None]:
        """Return one page of the owner's deliveries, newest first, and the cursor of the next one if there is one."""
        statement = select(Delivery).where(Delivery.owner == owner)
        if query.state is not None:
            statement = statement.where(Delivery.state == query.state)
        if query.channel_id is not None:
            statement = statement.where(Delivery.channel_id == query.channel_id)
        if query.cursor is not None:
            created_at, last_id = _position(query.cursor)
            same_moment = and_(Delivery.created_at == created_at, Delivery.id < last_id)
            statement = statement.where(or_(Delivery.created_at < created_at, same_moment))
        newest_first = (Delivery.created_at.desc(), Delivery.id.desc())
        async with self._database.transaction() as session:
            found = list((await session.scalars(statement.order_by(*newest_first).limit(query.limit + 1))).all())
        page = found[: query.limit]
        return page, _cursor(page[-1]) if len(found) > query.limit else None

    async def retry(self, owner: str, delivery_id: uuid.UUID) -> Delivery:
        """Make a dead delivery due again, with all its attempts; answer 409 for any other."""
        async with self._database.transaction() as session:
            mine = (Delivery.id == delivery_id, Delivery.owner == owner)
            revived: Delivery | None = await session.scalar(
                update(Delivery)
                .where(*mine, Delivery.state == DeliveryState.DEAD)
                .values(state=DeliveryState.PENDING, attempts=0, next_attempt_at=self._clock())
                .returning(Delivery)
            )
            if revived is not None:
                return revived
            state = await session.scalar(select(Delivery.state).where(*mine))
        if state is None:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no such delivery.", kind="delivery-not-found")
        detail = f"The delivery is {state}; only a dead one can be tried again."
        raise Problem(HTTPStatus.CONFLICT, detail, kind="delivery-not-dead")

    async def forget(self) -> None:
        """Delete what was delivered or given up and is older than the setting says."""
        done = Delivery.state != DeliveryState.PENDING
        async with self._database.transaction() as session:
            await session.execute(delete(Delivery).where(done, Delivery.created_at < self._clock() - self._kept))


def _cursor(last: Delivery) -> str:
    content = json.dumps([last.created_at.isoformat(), last.id.hex], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[datetime, uuid.UUID]:
    """Check a cursor as strictly as a request's body: anybody can make one up."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        created_at, delivery_id = json.loads(raw)
        position = datetime.fromisoformat(created_at), uuid.UUID(hex=delivery_id)
        if position[0].tzinfo is None:
            raise ValueError("an instant has a zone")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        detail = "The cursor is not one that this service gave"
        errors = [{"in": "query", "pointer": "#/cursor", "code": "cursor_invalid", "detail": detail}]
        said = "The request holds values that are not acceptable; see errors."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, said, kind="validation-failed", errors=errors) from error
    return position
