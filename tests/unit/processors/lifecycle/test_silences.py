"""Silences and maintenance windows cover an element and what it feeds, while they last."""

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
