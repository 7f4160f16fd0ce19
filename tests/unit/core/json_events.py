"""What tests read JSON lines with."""

import json
from datetime import datetime
from typing import Any

import pytest


def events(text: str) -> list[dict[str, Any]]:
    """The JSON lines, each held to what all have."""
    found = [
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        for line in text.split("\n")[:-1]
    ]
    for one in found:
        assert one["v"] == 1
        assert one["time"].endswith("Z")
        assert datetime.fromisoformat(one["time"])
    return found
