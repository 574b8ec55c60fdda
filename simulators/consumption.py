"""What every customer draws, before solar, batteries and cars: whole watt-hours at any moment since the epoch."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from schemas.layout import Floats, Ints
from simulators.cascade import Cut, halving, needed, share
from simulators.customers import KINDS
from simulators.grid import Grid, Rows
from simulators.load_shape import LoadShape, year_number
from simulators.local_time import HALF_HOURS
from simulators.randomness import Bits, draw, lane, normal, salt

BLOCK_DAYS = 32
_DAYS, _HALF_HOURS, _MINUTES = salt("days"), salt("half hours"), salt("minutes")
_DAY_CUTS = halving(BLOCK_DAYS)
_HALF_HOUR_CUTS = halving(HALF_HOURS)
#: Cuts of a half hour [minutes]; in this order so that 15 and 5 minutes come out without the minutes.
_MINUTE_CUTS = (
    Cut(0, 15, 30, 0),
    Cut(0, 5, 15, 1), Cut(15, 20, 30, 1),
    Cut(5, 10, 15, 2), Cut(20, 25, 30, 2),
    *(cut for five in range(0, 30, 5) for cut in (
        Cut(five, five + 2, five + 5, 3), Cut(five, five + 1, five + 2, 4),
        Cut(five + 2, five + 3, five + 5, 4), Cut(five + 3, five + 4, five + 5, 5),
    )),
)  # fmt: skip

#: Standard deviation of the log odds of each cut, by depth, for a household. Fitted to the half hours of `sgsc_meters`
#: (in brackets, the median of its ten homes): spread about the home's own profile over its mean 1.17 (1.14), its
#: correlation from one half hour to the next 0.46 (0.52), spread of daily use over its mean 0.33 (0.37).
_DAY_SPREAD = 0.29
_HALF_HOUR_SPREADS = (0.55, 0.85, 1.15, 1.15, 0.85, 0.55)
_MINUTE_SPREADS = (0.7, 0.8, 0.8, 0.8, 0.8, 0.8)

_BURSTS: Floats = np.array([kind.bursts for kind in KINDS])
#: Year tables are worked out this many days at once.
_HORIZON_DAYS = 1_024


@dataclass
class Consumption:
    """The use of all meters of a grid.

    Args:
        grid: whose meters.
        shape: what is expected of each kind of customer.
    """

    grid: Grid
    shape: LoadShape
    _years: Floats = field(init=False, repr=False, default_factory=lambda: np.zeros((1, 1)))

    def __post_init__(self) -> None:
        self._day_shape = lru_cache(maxsize=4)(self.shape.day)

    def day(self, meters: Rows, day: int) -> tuple[Ints, Ints]:
        """Return the use until the start of a UTC day and since then.

        Args:
            meters: which.
            day: since the epoch.

        Returns: int64[n] [Wh] since the epoch; int64[49, n] [Wh] since midnight at the edge of each half hour.
        """
        midnight = self.midnights(meters, day, year_number(self.grid.profile[meters]))
        start, use = midnight[0], np.zeros((HALF_HOURS + 1, midnight.shape[1]), dtype=np.int64)
        use[-1] = midnight[1] - start
        expected = self._day_shape(day).take(self.grid.profile[meters], axis=1)
        bursts, keys = _BURSTS[self.grid.kind[meters]], self.grid.keys[meters]
        for cut in _HALF_HOUR_CUTS:
            bend = _bend(keys, _HALF_HOURS, day * HALF_HOURS + cut.middle, _HALF_HOUR_SPREADS[cut.depth] * bursts)
            _cut(use, expected, cut, bend)
        return start, use

    def within(
        self, meters: Rows, half_hour: int | Ints, edges: tuple[Ints, Ints], minutes: Iterable[int]
    ) -> list[Ints]:
        """Return the use at moments inside a half hour.

        Args:
            meters: which.
            half_hour: since the epoch; int64[n] where each meter's is another.
            edges: int64[n], [Wh] at its start and at its end, from any zero.
            minutes: whole minutes after its start, 0 to 30.

        Returns: int64[n] [Wh] for each minute, from the same zero.
        """
        minutes = list(minutes)
        known = {0: edges[0], 30: edges[1]}
        bursts, keys = _BURSTS[self.grid.kind[meters]], self.grid.keys[meters]
        for cut in needed(_MINUTE_CUTS, minutes):
            bend = _bend(keys, _MINUTES, half_hour * 30 + cut.middle, _MINUTE_SPREADS[cut.depth] * bursts)
            before, after = np.float64(cut.middle - cut.start), np.float64(cut.end - cut.middle)
            whole = known[cut.end] - known[cut.start]
            known[cut.middle] = known[cut.start] + share(whole, before, after, bend)
        return [known[minute] for minute in minutes]

    def midnights(self, meters: Rows, day: int, year_profile: Ints) -> Ints:
        """Return the energy since the epoch at the start and the end of a day, int64[2, n] [Wh].

        Args:
            meters: which.
            day: since the epoch.
            year_profile: int64[n], how their energy spreads over the years.
        """
        block, inside = divmod(day, BLOCK_DAYS)
        first = block * BLOCK_DAYS
        years = self._expected_until(first + BLOCK_DAYS)
        expected = years[first : first + BLOCK_DAYS + 1].take(year_profile, axis=1)
        daily_wh, bursts = self.grid.daily_wh[meters], _BURSTS[self.grid.kind[meters]]
        total = np.zeros((BLOCK_DAYS + 1, len(daily_wh)), dtype=np.int64)
        total[[0, -1]] = np.rint(daily_wh * expected[[0, -1]])
        for cut in needed(_DAY_CUTS, (inside, inside + 1)):
            _cut(total, expected, cut, _bend(self.grid.keys[meters], _DAYS, first + cut.middle, _DAY_SPREAD * bursts))
        return total[inside : inside + 2]

    def _expected_until(self, day: int) -> Floats:
        if len(self._years) <= day:
            self._years = self.shape.days(-(-(day + 1) // _HORIZON_DAYS) * _HORIZON_DAYS)
        return self._years


def _bend(keys: Bits, purpose: int, counter: int | Ints, spread: Floats) -> Floats:
    odds: Floats = np.exp(spread * normal(lane(draw(keys, purpose, counter), 0)))
    return odds


def _cut(total: Ints, expected: Floats, cut: Cut, bend: Floats) -> None:
    """Fill in one position of running totals."""
    before = expected[cut.middle] - expected[cut.start]
    after = expected[cut.end] - expected[cut.middle]
    total[cut.middle] = total[cut.start] + share(total[cut.end] - total[cut.start], before, after, bend)
