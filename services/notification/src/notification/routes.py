"""The routes under /api/v1/channels and /api/v1/deliveries."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from notification.channels import ChannelStore
from notification.deliveries import DeliveryQuery, DeliveryStore
from notification.schemas import ChannelContent, ChannelList, ChannelView, DeliveryPage, DeliveryView
from servicekit.identity import CurrentUser

CHANNELS = "/api/v1/channels"
DELIVERIES = "/api/v1/deliveries"


def channel_router(store: ChannelStore) -> APIRouter:
    """Build the router of the channels; each route calls the store once and shows the result."""
    router = APIRouter(prefix=CHANNELS, tags=["channels"])

    @router.post("", status_code=HTTPStatus.CREATED)
    async def create_channel(user: CurrentUser, content: ChannelContent, response: Response) -> ChannelView:
        channel = await store.create(user, content)
        response.headers["Location"] = f"{CHANNELS}/{channel.id}"
        return ChannelView.of(channel)

    @router.get("")
    async def list_channels(user: CurrentUser) -> ChannelList:
        return ChannelList(items=[ChannelView.of(channel) for channel in await store.all(user)])

    @router.get("/{channel_id}")
    async def read_channel(user: CurrentUser, channel_id: uuid.UUID) -> ChannelView:
        return ChannelView.of(await store.get(user, channel_id))

    @router.delete("/{channel_id}", status_code=HTTPStatus.NO_CONTENT)
    async def delete_channel(user: CurrentUser, channel_id: uuid.UUID) -> None:
        await store.delete(user, channel_id)

    return router


def delivery_router(store: DeliveryStore, wake: Callable[[], None]) -> APIRouter:
    """Build the router of the deliveries; `wake` tells the worker that one is due again."""
    router = APIRouter(prefix=DELIVERIES, tags=["deliveries"])

    @router.get("")
    async def list_deliveries(user: CurrentUser, query: Annotated[DeliveryQuery, Query()]) -> DeliveryPage:
        deliveries, next_cursor = await store.page(user, query)
        return DeliveryPage(items=[DeliveryView.of(delivery) for delivery in deliveries], next_cursor=next_cursor)

    @router.post("/{delivery_id}/retry")
    async def retry_delivery(user: CurrentUser, delivery_id: uuid.UUID) -> DeliveryView:
        delivery = await store.retry(user, delivery_id)
        wake()
        return DeliveryView.of(delivery)

    return router
