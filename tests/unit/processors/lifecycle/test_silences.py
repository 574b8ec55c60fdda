"""Silences and maintenance windows cover an element and what it feeds, while they last."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from processors.lifecycle.advance import Turn, silence_all
from processors.lifecycle.place import Place
from processors.lifecycle.silences import Silence, covered
from schemas.alert_events import Change
from schemas.alerts import AlertKind
from tests.alerting import after, opened

ALERT = opened(0, "meter/M1", Place("NSW", "S1", "F1", "T1"))


def silence(element: str, kind: AlertKind | None = None) -> Silence:
    return Silence(element, kind, after(0), after(60), "ada", "line work")


@pytest.mark.parametrize(
    "element",
    ["meter/M1", "transformer/T1", "feeder/F1", "substation/S1", "region/NSW", f"alert/{ALERT.alert_id}"],
)
def test_it_covers_an_element_and_what_this_feeds(element: str) -> None:
    assert covered(ALERT, [silence(element)]) is not None


@pytest.mark.parametrize("element", ["meter/M", "feeder/T1", "region/", "alert/x"])
def test_it_covers_nothing_else(element: str) -> None:
    assert covered(ALERT, [silence(element)]) is None


def test_it_may_cover_one_kind_only() -> None:
    assert covered(ALERT, [silence("meter/M1", AlertKind.FLATLINE)]) is None
    assert covered(ALERT, [silence("meter/M1", AlertKind.VOLTAGE_SAG)]) is not None


@pytest.mark.parametrize(("minutes", "silenced"), [(-0.1, False), (0, True), (59.9, True), (60, False)])
def test_it_lasts_from_its_begin_to_its_end(minutes: float, silenced: bool) -> None:
    turn = Turn()
    silence_all(turn, [ALERT], [silence("feeder/F1")], after(minutes))
    assert turn.current(ALERT).silenced is silenced


def test_who_asked_and_why_is_told_and_its_end_too() -> None:
    turn = Turn()
    silence_all(turn, [ALERT], [silence("feeder/F1")], after(1))
    silence_all(turn, [turn.current(ALERT)], [silence("feeder/F1")], after(2))
    silence_all(turn, [turn.current(ALERT)], [], after(61))
    assert [(news.change, news.by, news.note) for news in turn.news] == [
        (Change.SILENCED, "ada", "line work"),
        (Change.UNSILENCED, "engine", ""),
    ]


def window(begin: str, hours: float, **said: Any) -> Silence:
    begins_at = datetime.fromisoformat(begin)
    return Silence("feeder/F1", None, begins_at, begins_at + timedelta(hours=hours), "ada", "backups", **said)


SUNDAYS = window("2026-02-01T02:00+11:00", 2, every_days=7, timezone="Australia/Sydney")
NIGHTS = window("2026-02-01T23:00+00:00", 3, every_days=1, until=datetime.fromisoformat("2026-02-03T23:00+00:00"))


@pytest.mark.parametrize(
    ("recurring", "moment", "holds"),
    [
        (SUNDAYS, "2026-01-25T02:30+11:00", False),
        (SUNDAYS, "2026-02-01T02:00+11:00", True),
        (SUNDAYS, "2026-02-01T04:00+11:00", False),
        (SUNDAYS, "2026-02-07T02:30+11:00", False),
        (SUNDAYS, "2026-02-08T03:59+11:00", True),
        # Clocks went back an hour on 5 April: the same local time is an hour later.
        (SUNDAYS, "2026-04-12T01:30+10:00", False),
        (SUNDAYS, "2026-04-12T02:00+10:00", True),
        # On 4 October there is no 02:00: clocks go from there to 03:00.
        (SUNDAYS, "2026-10-04T01:59+10:00", False),
        (SUNDAYS, "2026-10-04T03:00+11:00", True),
        (SUNDAYS, "2026-10-04T05:00+11:00", False),
        (NIGHTS, "2026-02-01T22:59+00:00", False),
        (NIGHTS, "2026-02-02T01:59+00:00", True),
        (NIGHTS, "2026-02-02T12:00+00:00", False),
        # The last one goes on past midnight, and after `until` none begins.
        (NIGHTS, "2026-02-03T01:00+00:00", True),
        (NIGHTS, "2026-02-03T23:30+00:00", False),
    ],
)
def test_a_maintenance_window_returns_at_the_same_local_time(recurring: Silence, moment: str, holds: bool) -> None:
    assert recurring.in_force(datetime.fromisoformat(moment)) is holds


def test_a_window_that_returns_covers_each_time_and_not_between() -> None:
    turn = Turn()
    for moment in ("2026-02-01T02:30+11:00", "2026-02-02T02:30+11:00", "2026-02-08T02:30+11:00"):
        silence_all(turn, [turn.current(ALERT)], [SUNDAYS], datetime.fromisoformat(moment))
    assert [news.change for news in turn.news] == [Change.SILENCED, Change.UNSILENCED, Change.SILENCED]


@pytest.mark.parametrize(
    ("hours", "said", "says"),
    [
        (25, {"every_days": 1}, "it would last longer than until it returns"),
        (2, {"every_days": 1, "timezone": "Mars"}, "there is no time zone Mars"),
        (2, {"timezone": "../etc/passwd"}, "there is no time zone"),
    ],
)
def test_what_does_not_go_together_is_named(hours: float, said: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        window("2026-02-01T02:00+00:00", hours, **said)
