"""sluice.toml and the environment: defaults, who wins, and every mistake at once with its place."""

from pathlib import Path

import pytest

from sluice.errors import SettingsError
from sluice.settings import Settings, load_settings


def load(folder: Path, text: str | None = None, **environment: str) -> Settings:
    if text is not None:
        (folder / "sluice.toml").write_text(text)
    return load_settings(folder, environment)


def mistakes(folder: Path, text: str | None = None, **environment: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(folder, text, **environment)
    return list(caught.value.mistakes)


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings()


def test_the_file_is_read(tmp_path: Path) -> None:
    found = load(tmp_path, '[cluster]\nname = "mine"\napi_names = ["a", "b"]\n[deadlines]\ncharts = 12.5\n')
    assert found.cluster.name == "mine"
    assert found.cluster.api_names == ("a", "b")
    assert found.deadlines.charts == 12.5
    assert found.supply.parallel == 2


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    found = load(tmp_path, '[cluster]\nname = "mine"\nregistry_port = 6000\n', SLUICE_CLUSTER_NAME="theirs")
    assert (found.cluster.name, found.cluster.registry_port) == ("theirs", 6000)


def test_a_list_is_given_with_commas(tmp_path: Path) -> None:
    assert load(tmp_path, SLUICE_RUN_SUITES="api, logs,").run.suites == ("api", "logs")


def test_variables_that_are_no_tables_are_not_settings(tmp_path: Path) -> None:
    assert load(tmp_path, SLUICE_BIN="/somewhere", SLUICE_E2E_RESULTS="x", PATH="/bin") == Settings()


def test_all_mistakes_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    text = """\
[cluster]
name = "Not A Name"
registry_port = 80

[deadlines]
chart = 5
images = -1

[clutser]
name = "x"

[run]
suites = ["api", "No Suite"]
"""
    found = mistakes(tmp_path, text)
    assert [mistake.partition(" ")[0] for mistake in found] == [
        "sluice.toml:2:", "sluice.toml:3:", "sluice.toml:7:", "sluice.toml:6:", "sluice.toml:13:", "sluice.toml:9:",
    ]  # fmt: skip
    told = "\n".join(found)
    for said in (
        "cluster.name: String should match pattern", "seen 'Not A Name'", "cluster.registry_port", "seen 80",
        "deadlines.chart: no such setting, seen 5", "deadlines.images", "clutser: no such setting", "run.suites.1",
    ):  # fmt: skip
        assert said in told


def test_mistakes_of_the_environment_name_the_variable(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path, "[cluster]\nregistry_port = 1\n", SLUICE_SUPPLY_PARALLEL="many", SLUICE_RUN_RUNTIME="podman"
    )
    assert len(found) == 3
    assert found[0].startswith("sluice.toml:2: cluster.registry_port")
    assert any(one.startswith("SLUICE_SUPPLY_PARALLEL: supply.parallel") and "'many'" in one for one in found)
    assert any(one.startswith("SLUICE_RUN_RUNTIME: run.runtime") and "'podman'" in one for one in found)


def test_a_misspelt_variable_is_a_mistake(tmp_path: Path) -> None:
    found = mistakes(tmp_path, SLUICE_CLUSTER_NAM="x", SLUICE_RUN_DISK_FLOOR="1")
    assert found == ["SLUICE_CLUSTER_NAM: no such setting", "SLUICE_RUN_DISK_FLOOR: no such setting"]


@pytest.mark.parametrize(
    ("text", "line"),
    [('[cluster]\nname = "x\n', 2), ("[cluster\n", 1), ("a = 1\na = 2\n", 2), ('[run]\nfolder = """', 2)],
)
def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    assert mistakes(tmp_path, text)[0].startswith(f"sluice.toml:{line}: ")


def test_what_is_no_text_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "sluice.toml").write_bytes(b"[cluster]\nname = '\xff\xfe'\n")
    assert "utf-8" in mistakes(tmp_path)[0]


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "sluice.toml").mkdir()
    assert "directory" in mistakes(tmp_path)[0].lower()


def test_a_value_in_the_place_of_a_table_is_told_even_beside_a_variable(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "cluster = 3\n", SLUICE_CLUSTER_NAME="x")[0].startswith("sluice.toml:1: cluster: ")


def test_the_cache_follows_the_settings_then_xdg_then_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert Settings().cache == tmp_path / ".cache" / "sluice"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert Settings().cache == tmp_path / "xdg" / "sluice"
    assert load(tmp_path, SLUICE_RUN_CACHE="~/here").cache == tmp_path / "here"


def test_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, "[cluster]\nregistry_port = 1\n")
    shown = str(caught.value)
    assert shown.startswith("the settings cannot be used: 1 mistake\n  - sluice.toml:2: ")
    assert "  expected: the tables and keys that docs/reference/settings.md lists\n  next:     mend sluice" in shown
