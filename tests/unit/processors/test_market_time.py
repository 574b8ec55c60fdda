"""Settlement intervals, local days and trading hours, on the days when clocks are changed above all."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from processors.market_time import day_start, intervals, intervals_in_day, is_holiday, is_trading, settlement_day
from schemas.layout import Ints
from schemas.markets import Market
from stream.markets import load_markets

MARKETS = load_markets()
MINUTE_US = 60_000_000


def market(timezone: str, interval_s: int = 900, label: str = "start", **more: object) -> Market:
    fields = {"market": "m", "name": "m", "kind": "day_ahead", "currency": "EUR", "symbols": ["A"]}
    return Market.model_validate(fields | {"timezone": timezone, "interval_s": interval_s, "label": label} | more)


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def at(*texts: str) -> Ints:
    return np.array([us(text) for text in texts], dtype=np.int64)


def days(*texts: str) -> Ints:
    return np.array([(date.fromisoformat(text) - date(1970, 1, 1)).days for text in texts], dtype=np.int64)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Madrid", "2025-03-30", 23),
        ("Europe/Madrid", "2025-10-26", 25),
        ("Europe/Madrid", "2025-10-27", 24),
        ("America/New_York", "2025-03-09", 23),
        ("America/New_York", "2025-11-02", 25),
        ("Australia/Sydney", "2025-10-05", 23),
        ("Australia/Sydney", "2025-04-06", 25),
        ("Australia/Brisbane", "2025-10-05", 24),
        ("Asia/Kolkata", "2025-03-30", 24),
    ],
)
@pytest.mark.parametrize("interval_s", [300, 900, 1800, 3600])
def test_a_day_has_as_many_intervals_as_its_clock_gives_it(zone: str, day: str, hours: int, interval_s: int) -> None:
    one = market(zone, interval_s)
    count = hours * 3600 // interval_s
    assert intervals_in_day(one, days(day)).tolist() == [count]
    start = int(day_start(one, days(day))[0])
    found = intervals(one, start + np.arange(count) * interval_s * 1_000_000)
    assert found.day.tolist() == days(day).tolist() * count
    assert found.index.tolist() == list(range(count))
    assert found.end_us[-1] == day_start(one, days(day) + 1)[0]


@pytest.mark.parametrize(
    ("zone", "first", "second"),
    [
        ("Europe/Madrid", "2025-10-26T02:30:00+02:00", "2025-10-26T02:30:00+01:00"),
        ("America/New_York", "2025-11-02T01:30:00-04:00", "2025-11-02T01:30:00-05:00"),
        ("Australia/Sydney", "2025-04-06T02:30:00+11:00", "2025-04-06T02:30:00+10:00"),
    ],
)
def test_the_hour_that_comes_twice_is_two_intervals_of_one_day(zone: str, first: str, second: str) -> None:
    found = intervals(market(zone, 3600), at(first, second))
    assert found.day[0] == found.day[1]
    assert found.index[1] == found.index[0] + 1


def test_a_label_at_the_end_puts_an_edge_into_the_interval_before_it() -> None:
    nem = MARKETS["aemo_nem"]
    midnight = at("2025-02-01T00:00:00+10:00")
    assert settlement_day(nem, midnight).tolist() == days("2025-01-31").tolist()
    found = intervals(nem, midnight)
    assert (found.index.tolist(), found.end_us.tolist()) == ([287], midnight.tolist())
    moment = intervals(nem, midnight, label="start")
    assert (moment.day.tolist(), moment.index.tolist()) == (days("2025-02-01").tolist(), [0])


def test_a_time_inside_an_interval_is_in_it_whatever_the_label() -> None:
    inside = at("2025-02-01T00:02:00+10:00")
    for label in ("start", "end"):
        found = intervals(market("Australia/Brisbane", 300, label), inside)
        assert (found.start_us[0], found.end_us[0]) == tuple(
            at("2025-02-01T00:00:00+10:00", "2025-02-01T00:05:00+10:00")
        )


def test_a_daily_interval_is_the_local_day() -> None:
    found = intervals(market("Europe/Madrid", 86_400), at("2025-10-26T12:00:00Z", "2025-03-30T12:00:00Z"))
    assert ((found.end_us - found.start_us) // (60 * MINUTE_US)).tolist() == [25, 23]
    assert found.index.tolist() == [0, 0]


def test_ticks_may_have_intervals_of_their_own_length() -> None:
    moments = at("2025-06-01T10:50:00+02:00", "2025-06-01T10:50:00+02:00")
    found = intervals(MARKETS["omie"], moments, interval_s=np.array([900, 3600]))
    assert found.index.tolist() == [43, 10]


def test_times_before_and_after_all_known_clock_changes_have_an_interval() -> None:
    found = intervals(MARKETS["omie"], at("1950-06-01T00:00:00Z", "2150-06-01T00:00:00Z"))
    assert (found.start_us <= at("1950-06-01T00:00:00Z", "2150-06-01T00:00:00Z")).all()


def test_local_midnight_that_the_clock_jumps_over_begins_the_day_at_the_jump() -> None:
    (start,) = day_start(market("America/Sao_Paulo", 3600), days("2018-11-04"))
    assert start == us("2018-11-04T01:00:00-02:00")


def test_power_trades_at_every_hour_and_carbon_on_working_days() -> None:
    moments = at(
        "2025-06-02T07:59:59+02:00",
        "2025-06-02T08:00:00+02:00",
        "2025-06-02T18:00:00+02:00",
        "2025-06-07T12:00:00+02:00",
        "2025-12-25T12:00:00+01:00",
        "2025-12-23T17:59:59+01:00",
    )
    assert is_trading(MARKETS["eu_ets"], moments).tolist() == [False, True, False, False, False, True]
    assert is_trading(MARKETS["omie"], moments).all()
    assert is_trading(MARKETS["eu_ets"], moments[:0]).tolist() == []


def test_holidays_are_those_of_the_markets_own_calendar() -> None:
    assert is_holiday(MARKETS["omie"], days("2025-10-12", "2025-08-15", "2025-10-13")).tolist() == [False, True, False]
    assert is_holiday(MARKETS["pjm"], days("2025-07-04", "2025-12-26")).tolist() == [True, False]
    assert is_holiday(market("Europe/Madrid"), days("2025-12-25")).tolist() == [False]


def test_offsets_agree_with_the_standard_library() -> None:
    moments = [datetime(2025, month, day, 1, 30, tzinfo=UTC) for month in range(1, 13) for day in range(1, 29)]
    found = settlement_day(MARKETS["nyiso"], np.array([int(m.timestamp()) * 1_000_000 for m in moments]), label="start")
    expected = [(m.astimezone(ZoneInfo("America/New_York")).date() - date(1970, 1, 1)).days for m in moments]
    assert found.tolist() == expected
