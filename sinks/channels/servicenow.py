"""ServiceNow incidents by its Table API.

Guarantee: at least once, and one ticket per alert: it is looked up by `correlation_id` before one is made.
"""

from typing import Any

from schemas.alert_events import Change
from schemas.alerts import Severity
from sinks.channels.channel import Notice
from sinks.channels.http import Http, basic

_TABLE = "/api/now/table/incident"
_URGENCY = {Severity.CRITICAL: "1", Severity.WARNING: "2", Severity.INFO: "3"}
#: Customers affected up to which the impact is low, and medium.
_LOW, _MEDIUM = 100, 1_000
_RESOLVED, _SHORT = "6", 160


class ServiceNow:
    """One instance.

    Args:
        url: `https://INSTANCE.service-now.com`.
        user: who writes tickets.
        password: theirs.
        group: who works on them.
        close_code: of a ticket that is resolved, as the instance has them.
    """

    keyed = True
    follows = True

    def __init__(
        self, url: str, user: str, password: str, group: str = "", close_code: str = "Solution provided"
    ) -> None:
        self._url = url.rstrip("/") + _TABLE
        token = basic(user, password)
        self._http = Http("servicenow", {"Authorization": token, "Accept": "application/json"})
        self._group, self._close_code = group, close_code

    async def send(self, notice: Notice) -> None:
        """Make the alert's ticket, or bring it up to date; see `Channel.send`."""
        query = {"sysparm_query": f"correlation_id={notice.key}", "sysparm_fields": "sys_id", "sysparm_limit": "1"}
        found = (await self._http.call("GET", self._url, params=query) or {}).get("result") or []
        ticket = ticket_of(notice, self._group, self._close_code)
        if found:
            await self._http.call("PATCH", f"{self._url}/{found[0]['sys_id']}", ticket)
        elif not notice.over:
            await self._http.call("POST", self._url, ticket)

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.close()


def ticket_of(notice: Notice, group: str, close_code: str) -> dict[str, Any]:
    """Return the fields of the ticket; ServiceNow takes all of them as text."""
    alert = notice.alert
    text = "\n".join(f"{name}: {said}" for name, said in notice.facts.items())
    ticket = {
        "correlation_id": notice.key,
        "correlation_display": "meterstream",
        "urgency": _URGENCY[alert.severity],
        "impact": "3" if alert.customers <= _LOW else "2" if alert.customers <= _MEDIUM else "1",
        "short_description": notice.title[:_SHORT],
        "description": text,
        "category": "inquiry",
    }
    if group:
        ticket["assignment_group"] = group
    if notice.over:
        ticket |= {"state": _RESOLVED, "close_code": close_code, "close_notes": notice.title}
    elif notice.event.data.change is Change.ACKNOWLEDGED:
        ticket |= {"work_notes": f"acknowledged by {notice.event.data.by}: {notice.event.data.note}"}
    return ticket
