"""The service: one route that says hello to its user."""

from fastapi import APIRouter

from servicekit.app import Service, create_app
from servicekit.identity import CurrentUser
from servicekit.metrics import Metrics
from servicekit.settings import ServiceSettings, TokenSettings

router = APIRouter(prefix="/api/v1/__service__", tags=["greetings"])


class GreetingSettings(ServiceSettings, TokenSettings):
    """What every service has, and whose tokens are believed."""

    service_name: str = "__service__"


@router.get("")
async def greet(user: CurrentUser) -> dict[str, str]:
    """Say hello."""
    return {"hello": user}


def build(settings: GreetingSettings) -> Service:
    """Build the service."""
    return create_app(settings, metrics=Metrics(), routers=[router])
