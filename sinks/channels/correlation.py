"""An event for an external event manager, in the form of ServiceNow Event Management (`em_event`, JSONv2).

Guarantee: at least once; events of one alert have one `message_key`, by which the manager correlates them.
"""

import json
from typing import Any

from schemas.alerts import Severity
from sinks.channels.channel import Notice
from sinks.channels.http import Http, basic

_LEVELS = {Severity.CRITICAL: "1", Severity.WARNING: "4", Severity.INFO: "5"}
_CLEAR = "0"


class Correlation:
    """One event manager.

    Args:
        url: where it takes events, such as `https://INSTANCE.service-now.com/api/global/em/jsonv2`.
        user: who writes.
        password: theirs.
    """

    keyed = True
    follows = False

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = url
        self._http = Http("correlation", {"Authorization": basic(user, password)})

    async def send(self, notice: Notice) -> None:
        """Post the event; see `Channel.send`."""
        await self._http.call("POST", self._url, {"records": [record_of(notice)]})

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.close()


def record_of(notice: Notice) -> dict[str, Any]:
    """Return one event as an event manager has it; its time is UTC without an offset."""
    alert = notice.alert
    return {
        "source": "meterstream",
        "event_class": "meterstream",
        "node": alert.transformer or alert.element,
        "resource": alert.element,
        "type": alert.kind.value,
        "metric_name": alert.unit,
        "message_key": notice.key,
        "severity": _CLEAR if notice.over else _LEVELS[alert.severity],
        "resolution_state": "Closing" if notice.over else "New",
        "time_of_event": f"{notice.event.time:%Y-%m-%d %H:%M:%S}",
        "description": notice.title,
        "additional_info": json.dumps(notice.facts),
    }
