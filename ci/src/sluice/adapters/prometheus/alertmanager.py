"""What an Alertmanager runs with, and who it knows, by its HTTP API v2; `alerting` asks it for alerts.

The format: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from typing import Any

import yaml

from sluice.adapters.query_api import Http, ask_json
from sluice.errors import EvidenceError

_SERVER, _PATH = "Alertmanager", "/api/v2/status"


class AlertmanagerStatus:
    """Asks an Alertmanager over a ServiceProxy or any client whose base it is."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def config(self) -> dict[str, Any]:
        """The configuration that it runs with; it shows no secret of it. Raises EvidenceError when it is refused."""
        status = await self._status()
        try:
            return dict(yaml.safe_load(status["config"]["original"]))
        except (LookupError, TypeError, ValueError, yaml.YAMLError) as error:
            raise _unfit(error) from None

    async def peers(self) -> int:
        """How many Alertmanagers know each other, this one among them. Raises EvidenceError when it is refused."""
        status = await self._status()
        try:
            return max(1, len(status["cluster"].get("peers") or ()))  # one that is alone has none
        except (LookupError, TypeError, AttributeError) as error:
            raise _unfit(error) from None

    async def _status(self) -> Any:
        return await ask_json(self._http, _PATH, {}, server=_SERVER)


def _unfit(error: Exception) -> EvidenceError:
    return EvidenceError(
        f"{_SERVER}'s answer about {_PATH} cannot be read",
        seen=type(error).__name__,
        expected="a status, as its API v2 promises",
        next_command="./nox -s doctor",
    )
