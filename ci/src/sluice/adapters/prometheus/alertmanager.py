"""What an Alertmanager holds, runs with, and whom it knows, by its HTTP API v2.

The format: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import yaml

from sluice.adapters.query_api import Http, ask_json
from sluice.errors import EvidenceError
from sluice.ports import HeldAlert, Silence

_SERVER, _STATUS = "Alertmanager", "/api/v2/status"
_OPERATORS = {(True, False): "=", (False, False): "!=", (True, True): "=~", (False, True): "!~"}


class AlertmanagerApi:
    """Implements ports.Alerting, and tells of itself, over a ServiceProxy or any client whose base is an Alertmanager.

    Each method raises EvidenceError when it is refused.
    """

    def __init__(self, http: Http) -> None:
        self._http = http

    async def alerts(self) -> tuple[HeldAlert, ...]:
        """The alerts that it holds, suppressed ones too."""
        found = await ask_json(self._http, "/api/v2/alerts", {}, server=_SERVER)
        try:
            return tuple(HeldAlert(_at(one["startsAt"]), dict(one["labels"]), one["status"]["state"]) for one in found)
        except (LookupError, TypeError, ValueError) as error:
            raise _unfit("alerts", f"{type(error).__name__}: {error}") from None

    async def silences(self) -> tuple[Silence, ...]:
        """The silences that it knows, those that are over included while it keeps them."""
        found = await ask_json(self._http, "/api/v2/silences", {}, server=_SERVER)
        try:
            return tuple(
                Silence(_at(one["startsAt"]), _at(one["endsAt"]), one["createdBy"], one["comment"], _matches(one))
                for one in found
            )
        except (LookupError, TypeError, ValueError) as error:
            raise _unfit("silences", f"{type(error).__name__}: {error}") from None

    async def status(self) -> tuple[dict[str, Any], int]:
        """The configuration that it runs with, which shows no secret of it, and how many know each other."""
        found = await ask_json(self._http, _STATUS, {}, server=_SERVER)
        try:
            peers = max(1, len(found["cluster"].get("peers") or ()))  # one that is alone has none
            return dict(yaml.safe_load(found["config"]["original"])), peers
        except (LookupError, TypeError, ValueError, AttributeError, yaml.YAMLError) as error:
            raise _unfit(_STATUS, type(error).__name__) from None  # its words would quote the configuration


def _matches(silence: Mapping[str, Any]) -> str:
    return ", ".join(
        f'{one["name"]}{_OPERATORS[one.get("isEqual", True), one["isRegex"]]}"{one["value"]}"'
        for one in silence["matchers"]
    )


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _unfit(what: str, seen: str) -> EvidenceError:
    return EvidenceError(
        f"{_SERVER}'s answer about {what} cannot be read",
        seen=seen,
        expected="what its API v2 promises",
        next_command="./nox -s doctor",
    )
