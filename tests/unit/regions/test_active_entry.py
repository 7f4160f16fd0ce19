"""The entry's file, and what a region says of itself: read back as written, forward only, nothing else believed."""

from pathlib import Path

import pytest

from sluice.errors import FailoverError
from sluice.regions.active import Active, path_of, read, write
from sluice.regions.model import REGIONS, Marker, Role, cluster_of, node_of, other


def test_it_is_read_back(tmp_path: Path) -> None:
    assert read(tmp_path) is None
    for active in (Active("east", 1), Active("east", 1, "/runs/a"), Active("west", 2), Active("east", 3)):
        write(tmp_path, active)
        assert read(tmp_path) == active


@pytest.mark.parametrize("back", [Active("east", 1), Active("west", 1), Active("east", 2)])
def test_it_does_not_go_back(tmp_path: Path, back: Active) -> None:
    write(tmp_path, Active("west", 2))
    with pytest.raises(FailoverError) as caught:
        write(tmp_path, back)
    assert "west is active in epoch 2" in str(caught.value)
    assert read(tmp_path) == Active("west", 2)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"region": "north", "epoch": 1}', '{"region": "east", "epoch": "x"}']
)
def test_another_file_leads_nowhere(tmp_path: Path, text: str) -> None:
    path_of(tmp_path).parent.mkdir()
    path_of(tmp_path).write_text(text)
    with pytest.raises(FailoverError) as caught:
        read(tmp_path)
    assert "regions -- status" in caught.value.next_command


@pytest.mark.parametrize("role", ["primary", "standby", "fenced"])
@pytest.mark.parametrize("alone", [True, False])
def test_a_marker_is_read_back(role: Role, alone: bool) -> None:
    for marker in (Marker("east", role, 7, first=True, alone=alone), Marker("west", role, 1, alone=alone)):
        assert Marker.read(marker.data("sluice")) == marker


def test_a_region_knows_its_node_and_the_others() -> None:
    data = Marker("east", "primary", 1).data("mine")
    assert (data["host"], data["peer-host"]) == ("mine-east-control-plane", "mine-west-control-plane")
    assert [other(name) for name in REGIONS] == ["west", "east"]
    assert node_of("mine", "west").startswith(cluster_of("mine", "west"))


@pytest.mark.parametrize("wrong", [{"role": "leader"}, {"epoch": "-1"}, {"epoch": ""}, {"name": "north"}])
def test_what_is_no_marker_is_none(wrong: dict[str, str]) -> None:
    data = Marker("east", "primary", 1).data("sluice") | wrong
    with pytest.raises(ValueError, match="role"):
        Marker.read(data)
