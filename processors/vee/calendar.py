"""The clock on the wall: local days, days on which clocks are changed, and holidays, for whole columns of times."""

from dataclasses import dataclass, field

import numpy as np

from schemas.layout import Ints, Mask

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
#: Weekday of Sundays and holidays.
SUNDAY = 6


def _none() -> Ints:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Calendar:
    """A time zone and its holidays as plain numbers; by default UTC without holidays.

    Attributes:
        changes_us: int64[k], instants at which the offset from UTC changes [us], ascending.
        offsets_us: int64[k + 1], offset before the first change and from each on [us].
        holidays: int64[h], local days since 1970-01-01 that count as Sundays, ascending.
    """

    changes_us: Ints = field(default_factory=_none)
    offsets_us: Ints = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    holidays: Ints = field(default_factory=_none)

    def local_us(self, time_us: Ints) -> Ints:
        """Return what the clock on the wall showed [us since 1970-01-01 00:00 on that clock]."""
        local: Ints = time_us + self.offsets_us[np.searchsorted(self.changes_us, time_us, side="right")]
        return local

    def day(self, time_us: Ints) -> Ints:
        """Return the local day that the interval which ends at each time belongs to [days since 1970-01-01].

        An interval that ends at midnight belongs to the day before.
        """
        days: Ints = (self.local_us(time_us) - 1) // DAY_US
        return days

    def weekday(self, day: Ints) -> Ints:
        """Return the weekday of local days, Monday is 0; a holiday counts as a Sunday."""
        plain: Ints = (day + 3) % 7
        return np.where(np.isin(day, self.holidays), SUNDAY, plain) if len(self.holidays) else plain

    def seam(self, day: Ints) -> Mask:
        """Say which local days have 23 or 25 hours."""
        if not len(self.changes_us):
            return np.zeros(len(day), dtype=bool)
        return np.isin(day, np.unique((self.changes_us + self.offsets_us[:-1]) // DAY_US))
