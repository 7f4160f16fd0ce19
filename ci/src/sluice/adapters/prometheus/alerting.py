"""Alerts and silences of an Alertmanager, by its HTTP API v2; `alertmanager` asks it about itself.

The format: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sluice.adapters.query_api import Http, ask_json
from sluice.errors import EvidenceError
from sluice.ports import HeldAlert, Silence

_SERVER = "Alertmanager"
_OPERATORS = {(True, False): "=", (False, False): "!=", (True, True): "=~", (False, True): "!~"}


class AlertmanagerAlerts:
    """Implements ports.Alerting over a ServiceProxy or any client whose base is an Alertmanager."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def alerts(self) -> tuple[HeldAlert, ...]:
        """The alerts that it holds, suppressed ones too. Raises EvidenceError when it is refused."""
        found = await ask_json(self._http, "/api/v2/alerts", {}, server=_SERVER)
        try:
            return tuple(HeldAlert(_at(one["startsAt"]), dict(one["labels"]), one["status"]["state"]) for one in found)
        except (LookupError, TypeError, ValueError) as error:
            raise _unfit("alerts", error) from None

    async def silences(self) -> tuple[Silence, ...]:
        """The silences that it knows, those that are over included while it keeps them. Raises EvidenceError."""
        found = await ask_json(self._http, "/api/v2/silences", {}, server=_SERVER)
        try:
            return tuple(
                Silence(_at(one["startsAt"]), _at(one["endsAt"]), one["createdBy"], one["comment"], _matches(one))
                for one in found
            )
        except (LookupError, TypeError, ValueError) as error:
            raise _unfit("silences", error) from None


def _matches(silence: Mapping[str, Any]) -> str:
    return ", ".join(
        f'{one["name"]}{_OPERATORS[one.get("isEqual", True), one["isRegex"]]}"{one["value"]}"'
        for one in silence["matchers"]
    )


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _unfit(what: str, error: Exception) -> EvidenceError:
    return EvidenceError(
        f"{_SERVER}'s answer about {what} cannot be read",
        seen=f"{type(error).__name__}: {error}",
        expected="what its API v2 promises",
        next_command="./nox -s doctor",
    )
