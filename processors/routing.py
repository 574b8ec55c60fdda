"""Who is told of what: by severity, kind, region and time of day."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, field_validator

from schemas.alert_events import AlertEvent, AlertState, Change
from schemas.alerts import AlertKind, Severity

#: What people are told of: that something begins, that nobody has acknowledged it, and that it is over.
BEGINS = (Change.OPENED, Change.REOPENED, Change.UNSILENCED)
ENDS = (Change.CLEARED, Change.RESOLVED)
TOLD = (*BEGINS, Change.ESCALATED, Change.ACKNOWLEDGED, *ENDS)


class Route(BaseModel):
    """Alerts that match go to these channels; what is not said matches all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    severity: tuple[Severity, ...] = tuple(Severity)
    kinds: tuple[AlertKind, ...] | None = None
    regions: tuple[str, ...] | None = None
    begins: time | None = Field(default=None, description="local time from which on; both or none")
    ends: time | None = Field(default=None, description="local time until which; before `begins` it is the next day's")
    timezone: str = "UTC"
    to: tuple[str, ...] = Field(min_length=1, description="channels")
    escalate_after_s: PositiveFloat | None = Field(default=None, description="unacknowledged for so long [s], ...")
    escalate_to: tuple[str, ...] = Field(default=(), description="... these are told too")

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError):
            raise ValueError(f"there is no time zone {name}") from None
        return name

    def matches(self, alert: AlertState, now: datetime) -> bool:
        """Whether an alert goes this way now."""
        return (
            alert.severity in self.severity
            and (self.kinds is None or alert.kind in self.kinds)
            and (self.regions is None or alert.region in self.regions)
            and self._in_hours(now)
        )

    def _in_hours(self, now: datetime) -> bool:
        if self.begins is None or self.ends is None:
            return True
        local = now.astimezone(ZoneInfo(self.timezone)).time()
        if self.begins <= self.ends:
            return self.begins <= local < self.ends
        return local >= self.begins or local < self.ends


def channels_of(event: AlertEvent, routes: tuple[Route, ...], now: datetime) -> list[str]:
    """Return the channels that are to be told of an event, each once; none where nobody is to be.

    A part of another alert, what is silenced and what flaps goes to nobody; that it is over goes on the ways on which
    its beginning went, whatever the time of day: whoever was not told of an alert is not told of its end.
    """
    alert = event.data.alert
    if event.data.change not in TOLD or alert.parent_id is not None or alert.silenced:
        return []
    if alert.flapping and event.data.change in {Change.REOPENED, Change.CLEARED}:
        return []
    found: list[str] = []
    for route in routes:
        ends = event.data.change in ENDS
        if ends or route.matches(alert, now):
            found += route.to
            if ends or event.data.change is Change.ESCALATED:
                found += route.escalate_to
    return list(dict.fromkeys(found))


def escalation_s(alert: AlertState, routes: tuple[Route, ...], now: datetime) -> float | None:
    """Return how long an alert may go unacknowledged [s], None for ever."""
    return min(
        (r.escalate_after_s for r in routes if r.escalate_after_s is not None and r.matches(alert, now)), default=None
    )
