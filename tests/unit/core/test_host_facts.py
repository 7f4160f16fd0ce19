"""What this machine has, read from files of known content."""

import socket
from pathlib import Path

import pytest

from sluice.adapters import host

FULL = 0x1FFFFFFFFFF


def missing(folder: Path, bounding: int | None, last: int = 40) -> tuple[int, ...]:
    status, last_cap = folder / "status", folder / "cap_last_cap"
    line = "" if bounding is None else f"CapBnd:\t{bounding:016x}\n"
    status.write_text(f"Name:\tpython\nCapEff:\t0000000000000000\n{line}CapAmb:\t0000000000000000\n")
    last_cap.write_text(f"{last}\n")
    return host.missing_capabilities(status, last_cap)


def test_a_full_host_lacks_nothing(tmp_path: Path) -> None:
    assert missing(tmp_path, FULL) == ()


def test_missing_bits_are_told_lowest_first(tmp_path: Path) -> None:
    assert missing(tmp_path, FULL & ~(1 << 24) & ~(1 << 16)) == (16, 24)


def test_what_an_older_kernel_does_not_know_is_not_missing(tmp_path: Path) -> None:
    assert missing(tmp_path, 0x3FFFFFFFFF, last=37) == ()


def test_what_only_a_newer_kernel_knows_is_not_asked_for(tmp_path: Path) -> None:
    assert missing(tmp_path, FULL, last=45) == ()


def test_a_system_that_tells_no_capabilities_has_none_to_miss(tmp_path: Path) -> None:
    assert missing(tmp_path, None) == ()
    assert host.missing_capabilities(tmp_path / "nothing", tmp_path / "nothing") == ()


def test_the_room_of_a_folder_to_be_made_is_that_of_its_parent(tmp_path: Path) -> None:
    assert host.free_bytes(tmp_path / "not" / "yet") == pytest.approx(host.free_bytes(tmp_path), rel=0.5)
    assert host.free_bytes(tmp_path) > 0


def test_a_port_in_use_is_not_free() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert not host.port_is_free(port)
    assert host.port_is_free(port)


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1"])
def test_a_port_taken_on_all_addresses_is_not_free(address: str) -> None:
    with socket.socket() as other:
        other.bind((address, 0))
        other.listen()
        assert not host.port_is_free(other.getsockname()[1])
