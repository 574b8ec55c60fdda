"""Consecutive intervals of one UTC day."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from schemas.layout import Ints
from simulators.local_time import DAY_MINUTES, DAY_S


@dataclass(frozen=True)
class Span:
    """Consecutive intervals of one UTC day.

    Attributes:
        day: since the epoch.
        first: number of the first interval of the day.
        count: how many.
        minutes: length of each.
    """

    day: int
    first: int
    count: int
    minutes: int

    @property
    def edges(self) -> Ints:
        """Minutes of the day at which the intervals begin and end, int64[count + 1]."""
        return (self.first + np.arange(self.count + 1)) * self.minutes

    @property
    def numbers(self) -> Ints:
        """Numbers of the intervals since the epoch, int64[count]."""
        return self.day * (DAY_MINUTES // self.minutes) + self.first + np.arange(self.count)

    @property
    def edges_s(self) -> Ints:
        """The edges, int64[count + 1] [s since the epoch]."""
        return self.day * DAY_S + self.edges * 60


def check_interval(interval_s: int) -> int:
    """Return the interval in minutes.

    Raises:
        ValueError: it does not divide a day into whole minutes.
    """
    if interval_s < 60 or interval_s % 60 or DAY_S % interval_s:
        raise ValueError(f"an interval is whole minutes that divide a day, not {interval_s} s")
    return interval_s // 60


def spans(begin: int, end: int, minutes: int) -> Iterator[Span]:
    """Cut a run of intervals, numbered from the epoch, at midnights."""
    per_day = DAY_MINUTES // minutes
    for day in range(begin // per_day, -(-end // per_day)):
        first = max(begin, day * per_day)
        yield Span(day, first - day * per_day, min(end, (day + 1) * per_day) - first, minutes)
