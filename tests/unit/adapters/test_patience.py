"""patiently: again while the API server is not reached, never against its answer, and not for ever."""

import pytest

from sluice.adapters.kubernetes.patience import patiently
from sluice.errors import CommandFailed

pytestmark = pytest.mark.anyio

AWAY = 'Error: kubernetes cluster unreachable: Get "https://127.0.0.1:34711/version": EOF'


class Command:
    def __init__(self, *said: str) -> None:
        self.said = list(said)
        self.runs = 0

    async def __call__(self) -> str:
        self.runs += 1
        if self.said:
            raise CommandFailed("it failed", status=1, seen=self.said.pop(0))
        return "done"


async def test_an_api_server_that_is_away_for_a_moment_is_asked_again() -> None:
    command = Command(AWAY, "read: connection reset by peer", "net/http: TLS handshake timeout")
    assert await patiently(command, pause_seconds=0) == "done"
    assert command.runs == 4


async def test_what_the_server_answered_is_final() -> None:
    command = Command("Error: Deployment.apps is invalid: spec.replicas: -1")
    with pytest.raises(CommandFailed, match="it failed"):
        await patiently(command, pause_seconds=0)
    assert command.runs == 1


async def test_at_the_end_of_the_patience_the_last_cause_is_told() -> None:
    command = Command(*[AWAY] * 50, "connection refused at last")
    with pytest.raises(CommandFailed) as caught:
        await patiently(command, longest_seconds=0, pause_seconds=0)
    assert caught.value.seen == AWAY
    assert command.runs == 1
