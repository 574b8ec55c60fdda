"""When the demo's simulated time begins, and how it runs against the clock on the wall; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

#: What the fleet's meters send: one reading per quarter of an hour, one quarter of an hour per second.
INTERVAL_S = 900
TICK_S = 1.0
#: The engine calls nothing unusual before it knows a day of a meter's past; the first meters get just enough.
BACKFILL_STEPS = 2 * 86_400 // INTERVAL_S
SCOUT_STEPS = 100
SCOUTS = 50
#: Distance that is left to the present at the end.
_MARGIN = timedelta(days=1)
#: A demo without an end has this many seconds before its time catches up with the wall's [s].
_OPEN_END_S = 4 * 3_600.0


@dataclass(frozen=True)
class Plan:
    """The demo's simulated time.

    Attributes:
        start: beginning of the first interval.
        ticks: intervals of the live part, None for no end.
    """

    start: datetime
    ticks: int | None

    @classmethod
    def before(cls, now: datetime, seconds: float | None) -> Self:
        """Place a demo so that its time stays behind the present.

        Args:
            now: the present.
            seconds: how long the demo feeds [s], None for no end.
        """
        ticks = None if seconds is None else int(seconds / TICK_S)
        live_s = (_OPEN_END_S if seconds is None else seconds) / TICK_S * INTERVAL_S
        start = now - _MARGIN - timedelta(seconds=BACKFILL_STEPS * INTERVAL_S + live_s)
        return cls(start - timedelta(seconds=start.timestamp() % INTERVAL_S), ticks)

    def interval(self, step: int) -> datetime:
        """Return the beginning of an interval."""
        return self.start + timedelta(seconds=step * INTERVAL_S)

    def reading_time(self, step: int) -> datetime:
        """Return the time of an interval's readings: its end."""
        return self.interval(step + 1)
