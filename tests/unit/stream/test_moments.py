"""Moments on the command line."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from stream.cli.moments import Moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T13:00:00+01:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
    ],
)
def test_an_instant_is_taken_in_utc(text: str, moment: datetime) -> None:
    assert Moment().convert(text, None, None) == moment


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7_200), ("1.5d", 129_600)])
def test_an_age_counts_back_from_now(text: str, seconds: int) -> None:
    age = datetime.now(UTC) - Moment().convert(text, None, None)
    assert age - timedelta(seconds=seconds) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-01-31", "write 2026-01-31T00:00:00Z for UTC"),
        ("yesterday", "neither a time"),
        ("2026-01-31T12:00:00", "lacks its offset"),
        ("-5m", "neither a time"),
    ],
)
def test_anything_else_is_refused_with_what_to_write(text: str, words: str) -> None:
    with pytest.raises(click.BadParameter, match=words):
        Moment().convert(text, None, None)
