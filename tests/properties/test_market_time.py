"""What holds of settlement intervals at every time, in every zone."""

from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from processors.market_time import clock_of, day_start, intervals, intervals_in_day
from schemas.markets import Market

ZONES = ("Europe/Madrid", "America/New_York", "Australia/Sydney", "Australia/Lord_Howe", "Asia/Kolkata", "Etc/GMT+5")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
times_us = st.integers(946_684_800_000_000, 4_000_000_000_000_000)


@st.composite
def markets(draw: st.DrawFn) -> Market:
    return Market.model_validate(
        {
            "market": "m",
            "name": "m",
            "kind": "day_ahead",
            "currency": "EUR",
            "symbols": ["A"],
            "timezone": draw(st.sampled_from(ZONES)),
            "interval_s": draw(st.sampled_from([300, 900, 1800, 3600, 86_400])),
            "label": draw(st.sampled_from(["start", "end"])),
        }
    )


@given(markets(), st.lists(times_us, min_size=1, max_size=20))
def test_every_time_is_in_one_interval_of_one_day(market: Market, times: list[int]) -> None:
    time_us = np.array(times)
    found = intervals(market, time_us)
    if market.label == "end":
        assert ((found.start_us < time_us) & (time_us <= found.end_us)).all()
    else:
        assert ((found.start_us <= time_us) & (time_us < found.end_us)).all()
    assert (found.index >= 0).all()
    assert (found.index < intervals_in_day(market, found.day)).all()
    assert (found.start_us >= day_start(market, found.day)).all()
    assert (found.end_us <= day_start(market, found.day + 1)).all()


@given(markets(), times_us)
def test_intervals_follow_one_another_without_gap(market: Market, time: int) -> None:
    found = intervals(market, np.array([time]))
    after = intervals(market, found.end_us, label="start")
    assert after.start_us == found.end_us
    label: Literal["start", "end"] = market.label
    edge = found.end_us if label == "end" else found.start_us
    assert intervals(market, edge).start_us == found.start_us


@given(st.sampled_from(ZONES), times_us)
def test_clocks_agree_with_the_standard_library(zone: str, time: int) -> None:
    offset = (EPOCH + timedelta(microseconds=time)).astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    assert clock_of(zone).local_us(np.array([time]))[0] - time == offset // timedelta(microseconds=1)
