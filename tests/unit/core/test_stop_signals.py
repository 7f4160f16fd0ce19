"""Being told to stop, by a real signal to a real process."""

import os
import signal
import sys
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from tests.unit.core.support import ENVIRONMENT

from sluice.adapters.signals import stopped_by_signal

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_cancels_the_work_and_is_named(number: signal.Signals) -> None:
    ended = ""
    with anyio.fail_after(20):
        async with stopped_by_signal() as stopped:
            with stopped.scope:
                os.kill(os.getpid(), number)
                await anyio.sleep_forever()
            ended = "what must be written is written"
            await anyio.lowlevel.checkpoint()
    assert stopped.reason == f"stopped by {number.name}"
    assert ended


async def test_without_a_signal_nothing_happens() -> None:
    with anyio.fail_after(20):
        async with stopped_by_signal() as stopped:
            with stopped.scope:
                await anyio.lowlevel.checkpoint()
    assert stopped.reason == ""
    assert not stopped.scope.cancel_called


SECOND = """
import sys, anyio
from pathlib import Path
from sluice.adapters.signals import stopped_by_signal
async def main():
    async with stopped_by_signal() as stopped:
        with stopped.scope:
            Path(sys.argv[1]).write_text("ready")
            await anyio.sleep_forever()
        with anyio.CancelScope(shield=True):
            Path(sys.argv[1]).write_text("writing")
            await anyio.sleep_forever()
anyio.run(main)
"""


async def test_a_second_signal_ends_the_program_at_once(tmp_path: Path) -> None:
    state = tmp_path / "state"

    async def reaches(text: str) -> None:
        with anyio.fail_after(20):
            while not state.exists() or state.read_text() != text:
                await anyio.sleep(0.01)

    process = await anyio.open_process([sys.executable, "-c", SECOND, str(state)], stderr=None, env=ENVIRONMENT)
    try:
        await reaches("ready")
        process.send_signal(signal.SIGTERM)
        await reaches("writing")
        process.send_signal(signal.SIGTERM)
        with anyio.fail_after(20):
            assert await process.wait() == -signal.SIGTERM
    finally:
        if process.returncode is None:
            process.kill()
        await process.aclose()
