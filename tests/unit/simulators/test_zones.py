from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from schemas.errors import ConfigurationError
from schemas.layout import Ints
from simulators.replay.zones import parse_zone, to_utc

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001


def clock(*texts: str) -> Ints:
    return np.array(texts, dtype="datetime64[us]").astype(np.int64)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("UTC", 0),
        ("+10:00", 600),
        ("UTC+10", 600),
        ("-03:30", -210),
        ("+0545", 345),
        ("Europe/Paris", 60),
    ],
)
def test_zones_are_read_by_name_or_by_offset(text: str, offset: int) -> None:
    winter = to_utc(clock("2024-01-15T12:00"), parse_zone(text))
    assert (clock("2024-01-15T12:00") - winter.time_us).tolist() == [offset * 60_000_000]


@pytest.mark.parametrize("text", ["Mars/Olympus", "Europe", "", "+25:00", "../etc/passwd", "10"])
def test_what_is_no_zone_is_named(text: str) -> None:
    with pytest.raises(ConfigurationError, match="unknown time zone"):
        parse_zone(text)


def test_hours_that_come_twice_or_never_are_marked() -> None:
    times = to_utc(
        clock(
            *("2024-03-31T01:59", "2024-03-31T02:00", "2024-03-31T02:59", "2024-03-31T03:00"),
            *("2024-10-27T01:59", "2024-10-27T02:00", "2024-10-27T02:59", "2024-10-27T03:00"),
        ),
        ZoneInfo("Europe/Paris"),
    )
    assert times.never.tolist() == [False, True, True, False, False, False, False, False]
    assert times.twice.tolist() == [False, False, False, False, False, True, True, False]


@pytest.mark.parametrize("zone", ["Europe/Paris", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu"])
def test_every_quarter_hour_of_a_year_agrees_with_the_standard_library(zone: str) -> None:
    first, last = clock("2024-01-01", "2025-01-01").tolist()
    local = np.arange(first, last, 15 * 60 * 1_000_000)
    times = to_utc(local, ZoneInfo(zone))
    expected = [
        (_EPOCH + timedelta(microseconds=value)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        for value in local.tolist()
    ]
    found = [datetime.fromtimestamp(value / 1e6, UTC) for value in times.time_us.tolist()]
    sure = ~(times.twice | times.never)
    assert [f for f, ok in zip(found, sure, strict=True) if ok] == [
        e for e, ok in zip(expected, sure, strict=True) if ok
    ]
    assert 0 < times.twice.sum() <= 4 or zone == "Asia/Kathmandu"


def test_no_times_are_no_times() -> None:
    assert to_utc(clock(), ZoneInfo("Europe/Paris")).time_us.dtype == np.int64
