"""How errors read: what failed, the value seen, what was expected, the next command."""

from sluice.errors import CommandFailed, DiskFull, SettingsError, SluiceError, SupplyError


def test_an_error_tells_its_four_parts_in_order() -> None:
    error = SluiceError("it broke", seen="3", expected="4", next_command="do this")
    assert str(error) == "it broke\n  seen:     3\n  expected: 4\n  next:     do this"


def test_parts_that_are_not_known_are_left_out() -> None:
    assert str(SluiceError("it broke", expected="4")) == "it broke\n  expected: 4"
    assert str(SluiceError("it broke")) == "it broke"


def test_mistakes_of_one_file_are_told_together() -> None:
    error = SettingsError("sluice.toml", ["a", "b"], next_command="mend it")
    assert str(error) == "sluice.toml: 2 mistakes\n  - a\n  - b\n  next:     mend it"
    assert error.mistakes == ("a", "b")
    assert str(SettingsError("sluice.toml", ["a"])) == "sluice.toml: 1 mistake\n  - a"


def test_a_failed_program_carries_its_exit_status() -> None:
    error = CommandFailed("make failed", status=2, seen="no rule")
    assert error.status == 2
    assert str(error) == "make failed\n  seen:     no rule"


def test_the_tree_lets_a_caller_catch_what_it_can_handle() -> None:
    assert issubclass(DiskFull, SupplyError)
    assert issubclass(SupplyError, SluiceError)
