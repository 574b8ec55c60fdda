"""Who is told of what, when, and after how long somebody else is."""

from datetime import time
from typing import Any

import pytest

from processors.lifecycle import changes
from processors.routing import Route, channels_of, escalation_s
from schemas.alert_events import AlertEvent, AlertNews, Change
from schemas.alerts import AlertKind, Severity
from tests.alerting import NOON, after, opened

CRITICAL = Route(
    severity=(Severity.CRITICAL,), to=("pager", "chat", "mail"), escalate_after_s=900, escalate_to=("boss",)
)
WARNING = Route(severity=(Severity.WARNING,), to=("chat", "mail"))
INFO = Route(severity=(Severity.INFO,), to=("digest",))
ROUTES = (CRITICAL, WARNING, INFO)


def event(change: Change = Change.OPENED, **said: Any) -> AlertEvent:
    alert = opened().model_copy(update=said)
    return AlertEvent.of(AlertNews(change=change, by="engine", alert=alert), NOON)


@pytest.mark.parametrize(
    ("severity", "channels"),
    [("critical", ["pager", "chat", "mail"]), ("warning", ["chat", "mail"]), ("info", ["digest"])],
)
def test_severity_says_where_it_goes(severity: str, channels: list[str]) -> None:
    assert channels_of(event(severity=Severity(severity)), ROUTES, NOON) == channels


@pytest.mark.parametrize(
    "said",
    [{"parent_id": "x"}, {"silenced": True}],
    ids=["part of another", "silenced"],
)
def test_nobody_is_told_of_what_is_part_of_another_or_silenced(said: dict[str, Any]) -> None:
    assert channels_of(event(**said), ROUTES, NOON) == []


@pytest.mark.parametrize("change", [Change.UPDATED, Change.ATTACHED, Change.SILENCED])
def test_nobody_is_told_of_what_changes_nothing_for_them(change: Change) -> None:
    assert channels_of(event(change), ROUTES, NOON) == []


def test_what_flaps_is_told_once() -> None:
    assert channels_of(event(Change.REOPENED, flapping=True), ROUTES, NOON) == []
    assert channels_of(event(Change.RESOLVED, flapping=True), ROUTES, NOON) != []


def test_its_end_goes_wherever_it_may_have_gone() -> None:
    assert channels_of(event(Change.CLEARED), ROUTES, NOON) == ["pager", "chat", "mail", "boss", "digest"]


def test_the_next_in_line_is_told_when_it_escalates() -> None:
    assert channels_of(event(Change.ESCALATED, severity=Severity.CRITICAL), ROUTES, NOON)[-1] == "boss"
    assert escalation_s(opened(severity=Severity.CRITICAL), ROUTES, NOON) == 900
    assert escalation_s(opened(), ROUTES, NOON) is None


def test_kind_and_region_choose() -> None:
    route = Route(kinds=(AlertKind.VOLTAGE_SAG,), regions=("NSW",), to=("nsw",))
    assert channels_of(event(region="NSW"), (route,), NOON) == ["nsw"]
    assert channels_of(event(region="VIC"), (route,), NOON) == []
    assert channels_of(event(region="NSW", kind=AlertKind.FLATLINE), (route,), NOON) == []


@pytest.mark.parametrize(
    ("begins", "ends", "zone", "told"),
    [
        (time(12), time(13), "UTC", True),
        (time(11), time(12), "UTC", False),
        (time(22), time(6), "Australia/Sydney", True),
        (time(7), time(19), "Australia/Sydney", False),
    ],
    ids=["at its begin", "at its end", "over midnight", "local time"],
)
def test_the_time_of_day_chooses(begins: time, ends: time, zone: str, told: bool) -> None:
    route = Route(begins=begins, ends=ends, timezone=zone, to=("day",))
    assert (channels_of(event(), (route,), NOON) == ["day"]) is told


def test_who_took_it_on_is_told_to_those_who_were_told_of_it() -> None:
    news = changes.acknowledge(opened(), "ada", after(1))
    assert channels_of(AlertEvent.of(news, NOON), ROUTES, NOON) == ["chat", "mail"]
