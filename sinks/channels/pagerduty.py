"""PagerDuty by its Events API v2.

Guarantee: at least once, and one incident per alert: `dedup_key` is the alert's id.
"""

from typing import Any

from schemas.alert_events import Change
from sinks.channels.channel import Notice
from sinks.channels.http import Http

_URL = "https://events.pagerduty.com/v2/enqueue"
#: Longest summary that it takes.
_SUMMARY = 1_024


class PagerDuty:
    """A service of PagerDuty.

    Args:
        key: routing key of its integration.
        url: where events go.
    """

    keyed = True
    follows = True

    def __init__(self, key: str, url: str = _URL) -> None:
        self._key, self._url = key, url
        self._http = Http("pagerduty")

    async def send(self, notice: Notice) -> None:
        """Trigger, acknowledge or resolve; see `Channel.send`."""
        await self._http.call("POST", self._url, event_of(notice, self._key))

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.close()


def event_of(notice: Notice, key: str) -> dict[str, Any]:
    """Return the event as PagerDuty has it."""
    acknowledged = notice.event.data.change is Change.ACKNOWLEDGED
    event: dict[str, Any] = {
        "routing_key": key,
        "event_action": "resolve" if notice.over else "acknowledge" if acknowledged else "trigger",
        "dedup_key": notice.key,
    }
    if event["event_action"] == "trigger":
        alert = notice.alert
        event |= {
            "client": "meterstream",
            "payload": {
                "summary": notice.title[:_SUMMARY],
                "source": alert.element,
                "severity": alert.severity.value,
                "timestamp": alert.first_seen.isoformat(),
                "component": alert.element,
                "group": alert.feeder or alert.region or "meterstream",
                "class": alert.kind.value,
                "custom_details": notice.facts,
            },
            "links": [{"href": alert.panel, "text": "Panel"}] if alert.panel else [],
        }
    return event
