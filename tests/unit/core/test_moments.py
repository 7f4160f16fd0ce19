"""Times as texts that programs read."""

import pytest

from sluice.moments import rfc3339


@pytest.mark.parametrize(
    ("at", "text"),
    [(0.0, "1970-01-01T00:00:00Z"), (1794060000.0, "2026-11-07T14:00:00Z"), (1794060000.999, "2026-11-07T14:00:00Z")],
)
def test_a_time_is_told_in_utc_and_to_the_second(at: float, text: str) -> None:
    assert rfc3339(at) == text
