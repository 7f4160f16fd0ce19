"""The service: one route that says hello to its user."""

from fastapi import APIRouter

from servicekit.app import Service, create_app
from servicekit.identity import CurrentUser
from servicekit.metrics import Metrics
from servicekit.settings import ServiceSettings, TokenSettings

router = APIRouter(prefix="/api/v1/hello", tags=["hello"])


class HelloSettings(ServiceSettings, TokenSettings):
    """What every service has, and whose tokens are believed."""

    service_name: str = "hello"


@router.get("")
async def greet(user: CurrentUser) -> dict[str, str]:
    """Say hello."""
    return {"hello": user}


def build(settings: HelloSettings) -> Service:
    """Build the service."""
    return create_app(settings, metrics=Metrics(), routers=[router])
