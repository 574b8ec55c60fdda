"""What becomes of an alert: one CloudEvent per change, for people and tools that know nothing of the engine."""

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.alerts import AlertKind, Severity

#: Media type of a record: the CloudEvents 1.0 JSON format, section 3 (structured mode).
CLOUD_EVENT = "application/cloudevents+json; charset=UTF-8"
_TYPE = "meterstream.alert."


class Condition(StrEnum):
    """On which side of the expected something is."""

    ABOVE = "above"
    BELOW = "below"
    PRESENT = "present"


class Status(StrEnum):
    """Where an alert stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"
    RESOLVED = "resolved"


#: An alert that is not over.
STANDING = (Status.OPEN, Status.ACKNOWLEDGED)


class Change(StrEnum):
    """What has become of an alert."""

    OPENED = "opened"
    UPDATED = "updated"
    ATTACHED = "attached"
    SILENCED = "silenced"
    UNSILENCED = "unsilenced"
    ACKNOWLEDGED = "acknowledged"
    ESCALATED = "escalated"
    CLEARED = "cleared"
    REOPENED = "reopened"
    RESOLVED = "resolved"


class AlertState(BaseModel):
    """One problem: one kind of condition of one element, from its first sign to its end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alert_id: str = Field(description="kind, condition, element and first sign give it; it stays when it is reopened")
    kind: AlertKind
    condition: Condition = Field(description="measured against expected")
    element: str = Field(description="what it is about, such as `meter/M0001`, `feeder/F12` or `market/omie/ES`")
    status: Status
    severity: Severity
    sequence: int = Field(ge=1, description="changes so far; of two states the one with more is the newer one")
    first_seen: AwareDatetime = Field(description="event time of the first sign")
    last_seen: AwareDatetime = Field(description="event time of the newest sign, or of the newest unusual reading")
    ended_at: AwareDatetime | None = Field(default=None, description="event time of the end, null while it stands")
    duration_s: float = Field(ge=0, description="from the first sign to the end, or to the newest sign [s]")
    count: int = Field(ge=1, description="signs so far; of a group, the alerts attached to it")
    score: float = Field(ge=0, le=1, description="how sure: the highest score of its signs")
    measured: float = Field(description="what was measured last, in `unit`")
    expected: float = Field(description="what was expected then, in `unit`")
    unit: str
    reasons: str = Field(default="", description="what was unusual, each with its own score, the most unusual first")
    message: str = Field(description="what happened, one sentence for a person")
    action: str = Field(description="what to do first")
    panel: str | None = Field(default=None, description="address of the panel that shows it")
    region: str | None = Field(default=None, description="where, by the registry")
    substation: str | None = None
    feeder: str | None = None
    transformer: str | None = None
    parent_id: str | None = Field(
        default=None, description="the alert that this one is a part of; nobody is told of it"
    )
    children: int = Field(
        default=0,
        ge=0,
        description="what is attached to it: alerts, or of an outage the meters; `alert_children` has each",
    )
    customers: int = Field(default=1, ge=0, description="customers affected")
    acknowledged_at: AwareDatetime | None = None
    acknowledged_by: str | None = None
    escalation: int = Field(default=0, ge=0, description="how often it went to the next in line, unacknowledged")
    silenced: bool = Field(default=False, description="a silence or a maintenance window covers it")
    flapping: bool = Field(default=False, description="it comes and goes: it has to hold longer to be over")
    flap_penalty: float = Field(default=0.0, ge=0, description="returns, each counting half after a half-life")
    flapped_at: AwareDatetime | None = Field(default=None, description="event time of the newest return")

    @property
    def standing(self) -> bool:
        """Whether it is not over."""
        return self.status in STANDING


class AlertChild(BaseModel):
    """What is attached to an alert, which nobody is told of by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    element: str = Field(description="a meter of an outage, or what an alert of a group is about")
    since: AwareDatetime = Field(description="event time: it lost its power, or its alert was first seen")
    until: AwareDatetime | None = Field(description="event time: its power was back, or its alert over; null before")


class AlertNews(BaseModel):
    """What has changed, who changed it, and where the alert stands now."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    change: Change
    by: str = Field(description="who: `engine`, or the name of an operator")
    note: str = Field(default="", description="what they say")
    alert: AlertState


class AlertEvent(BaseModel):
    """One change of one alert, as a CloudEvent 1.0 in JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    specversion: Literal["1.0"] = "1.0"
    id: str = Field(description="alert and sequence: a repeat after a crash has the same")
    source: Literal["urn:meterstream:alerts"] = "urn:meterstream:alerts"
    type: str = Field(pattern=r"^meterstream\.alert\.[a-z]+$", description="`meterstream.alert.` and the change")
    subject: str = Field(description="the element")
    time: AwareDatetime = Field(description="when the change was recorded")
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: Literal["urn:meterstream:alert_event"] = "urn:meterstream:alert_event"
    data: AlertNews

    @classmethod
    def of(cls, news: AlertNews, recorded_at: datetime) -> "AlertEvent":
        """Make the event of a change."""
        alert = news.alert
        return cls(
            id=f"{alert.alert_id}-{alert.sequence}",
            type=f"{_TYPE}{news.change}",
            subject=alert.element,
            time=recorded_at,
            data=news,
        )


def problem_id(kind: AlertKind, condition: Condition, element: str, first_seen: datetime) -> str:
    """Return the id of a problem: a digest of what, where and since when, and of nothing else."""
    text = f"{kind}\0{condition}\0{element}\0{round(first_seen.timestamp() * 1e6)}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]
