"""Programs of the host: their ends, their output, their deadlines, and nothing left of them."""

import gc
import os
import sys
import time
from pathlib import Path

import anyio
import pytest
from tests.unit.core.support import ENVIRONMENT, alive, program

from sluice.adapters import process
from sluice.adapters.process import beside, run
from sluice.errors import CommandFailed, HostError, NotReady

pytestmark = pytest.mark.anyio


def python(source: str) -> list[str | Path]:
    return [sys.executable, "-IS", "-c", source]


async def gone(pid: int, within: float = 10) -> bool:
    """Whether a process ends in time."""
    with anyio.move_on_after(within):
        while alive(pid):
            await anyio.sleep(0.01)
    return not alive(pid)


async def read_pids(file: Path, count: int) -> list[int]:
    with anyio.fail_after(20):
        while not file.exists() or len(file.read_text().split()) < count:
            await anyio.sleep(0.01)
    return [int(word) for word in file.read_text().split()]


async def test_output_and_status_are_told() -> None:
    lines: list[str] = []
    done = await run(
        python("import sys; print('one'); print('two', file=sys.stderr); print('three', end='')"),
        deadline_seconds=20, on_line=lines.append,
    )  # fmt: skip
    assert done.status == 0
    assert done.stdout == "one\nthree"
    assert sorted(done.tail.splitlines()) == ["one", "three", "two"]
    assert sorted(lines) == ["one", "three", "two"]


async def test_a_failure_tells_the_last_lines_and_the_status() -> None:
    source = "import sys\nfor i in range(100): print('line', i)\nsys.exit(3)"
    with pytest.raises(CommandFailed) as caught:
        await run(python(source), deadline_seconds=20, what="counting", next_command="count by hand")
    error = caught.value
    assert error.status == 3
    assert "line 99" in error.seen
    assert "line 80" not in error.seen
    assert str(error).startswith("counting failed with exit status 3\n")
    assert error.next_command == "count by hand"


async def test_a_failure_may_be_an_answer() -> None:
    assert (await run(python("raise SystemExit(4)"), deadline_seconds=20, check=False)).status == 4


async def test_a_program_that_a_signal_ended_has_failed() -> None:
    source = "import os; os.kill(os.getpid(), 9)"
    with pytest.raises(CommandFailed) as caught:
        await run(python(source), deadline_seconds=20)
    assert caught.value.status == -9


async def test_the_deadline_ends_the_whole_group(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    # A child and a grandchild, both deaf to SIGTERM; each writes down who it is.
    source = f"""
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
note = lambda: os.write(os.open({str(pids)!r}, os.O_CREAT | os.O_APPEND | os.O_WRONLY), b'%d ' % os.getpid())
if os.fork() == 0:
    os.fork()
note()
print('at it', flush=True)
time.sleep(300)
"""
    found: list[int] = []
    errors: list[NotReady] = []

    async def work() -> None:
        try:
            await run(python(source), deadline_seconds=2.5, what="sleeping")
        except NotReady as error:
            errors.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(work)
        found += await read_pids(pids, 3)
        assert len(set(found)) == 3
        assert all(map(alive, found))
    assert errors[0].failed == "sleeping did not end within 2 s"
    assert "at it" in errors[0].seen
    assert [pid for pid in found if not await gone(pid)] == []


async def test_being_cancelled_ends_the_program(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    source = f"import os, time; open({str(pids)!r}, 'w').write('%d ' % os.getpid()); time.sleep(300)"
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: run(python(source), deadline_seconds=300))
        [pid] = await read_pids(pids, 1)
        group.cancel_scope.cancel()
    assert await gone(pid)


async def test_a_program_beside_a_block_ends_with_it_and_its_failure_ends_the_block(tmp_path: Path) -> None:
    pids, log = tmp_path / "pids", tmp_path / "log"
    source = f"import os, time; open({str(pids)!r}, 'w').write('%d ' % os.getpid()); time.sleep(300)"
    async with beside(python(source), deadline_seconds=300, cwd=tmp_path, log=log, what="sleeping"):
        [pid] = await read_pids(pids, 1)
    assert await gone(pid)
    with anyio.fail_after(20), pytest.raises(BaseExceptionGroup) as caught:
        async with beside(python("raise SystemExit(3)"), deadline_seconds=300, cwd=tmp_path, log=log, what="failing"):
            await anyio.sleep_forever()
    assert [getattr(one, "failed", "") for one in caught.value.exceptions] == ["failing failed with exit status 3"]


async def test_a_daemon_that_holds_the_pipe_does_not_hold_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_LINGER_SECONDS", 0.3)
    pids = tmp_path / "pids"
    source = f"""
import os, time
if os.fork() == 0:
    os.setsid()
    open({str(pids)!r}, 'w').write('%d ' % os.getpid())
    time.sleep(300)
print('begun', flush=True)
"""
    before = time.monotonic()
    done = await run(python(source), deadline_seconds=60)
    assert (done.status, done.stdout) == (0, "begun")
    assert time.monotonic() - before < 20
    [daemon] = await read_pids(pids, 1)
    assert alive(daemon), "a daemon that a program leaves on purpose is not ours to end"
    os.kill(daemon, 9)


async def test_nothing_of_an_ended_program_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await run(python("print('x')"), deadline_seconds=20)
        with pytest.raises(NotReady):
            await run(python("import time; time.sleep(100)"), deadline_seconds=0.2)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before + 1


async def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(HostError, match="no-such-program cannot be started") as caught:
        await run(["no-such-program", "--token", "x"], deadline_seconds=5)
    assert caught.value.next_command == "./nox -s doctor"


async def test_a_file_that_is_no_program_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF half of a download")
    broken.chmod(0o755)
    with pytest.raises((HostError, CommandFailed), match="broken"):
        await run([broken], deadline_seconds=5)


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="No such file or directory"):
        await run(python("pass"), deadline_seconds=5, cwd=tmp_path / "nowhere")


async def test_input_travels_on_stdin_and_is_in_no_argument_and_no_log(tmp_path: Path) -> None:
    source = """
import sys
given = sys.stdin.read()
print(len(given), given in open('/proc/self/cmdline').read())
"""
    done = await run(python(source), deadline_seconds=20, stdin=b"hush" * 1000, log=tmp_path / "log")
    assert done.stdout == "4000 False"
    assert "hush" not in (tmp_path / "log").read_text()


async def test_a_program_does_not_eat_what_is_typed_for_us() -> None:
    ours, typed = os.pipe()
    os.write(typed, b"for whoever started us")
    os.close(typed)
    before = os.dup(0)
    os.dup2(ours, 0)
    try:
        done = await run(python("import sys; print(repr(sys.stdin.read()))"), deadline_seconds=20)
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(ours)
    assert done.stdout == "''"


async def test_a_program_that_does_not_read_its_input_is_no_failure() -> None:
    assert (await run(python("pass"), deadline_seconds=20, stdin=b"x" * 1_000_000)).status == 0


async def test_the_environment_given_is_added_to_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    source = "import os; print(os.environ['OURS'], os.environ['THEIRS'])"
    assert (await run(python(source), deadline_seconds=20, env={"THEIRS": "2"})).stdout == "1 2"


async def test_the_log_is_appended_to_and_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "log"
    for _ in range(2):
        await run(python(r"import os; os.write(1, b'a\xff\r\nb')"), deadline_seconds=20, log=log)
    assert log.read_text(encoding="utf-8") == "a\ufffd\nb\n" * 2


async def test_a_log_that_cannot_be_written_does_not_stop_the_program() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    assert (await run(python("print('x')"), deadline_seconds=20, log=Path("/dev/full"))).stdout == "x"


async def test_a_timeout_of_a_callback_is_not_taken_for_the_deadline(tmp_path: Path) -> None:
    def broken(line: str) -> None:
        raise TimeoutError("the callback's own")

    quick = program(tmp_path / "quick", "print('x')")
    with pytest.raises(ExceptionGroup) as caught:
        await run([quick], deadline_seconds=20, on_line=broken)
    assert caught.group_contains(TimeoutError, match="the callback's own")


async def test_a_program_dies_with_us(tmp_path: Path) -> None:
    if not process._dies_with_us():
        pytest.skip("no setpriv on this host")
    pids = tmp_path / "pids"
    child = f"import os, time; open({str(pids)!r}, 'w').write('%d ' % os.getpid()); time.sleep(300)"
    parent = f"""
import anyio, sys
from sluice.adapters.process import run
anyio.run(lambda: run([sys.executable, '-IS', '-c', {child!r}], deadline_seconds=300))
"""
    us = await anyio.open_process([sys.executable, "-c", parent], env=ENVIRONMENT)
    try:
        [pid] = await read_pids(pids, 1)
    finally:
        us.kill()
        await us.aclose()
    assert await gone(pid)
