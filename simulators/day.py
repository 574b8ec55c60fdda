"""One UTC day of some meters, worked out at half hours and opened to the minute where that is asked for."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from schemas.layout import Ints
from simulators.consumption import Consumption
from simulators.grid import Rows
from simulators.local_time import HALF_HOURS
from simulators.vehicles import Charging

#: Meters worked on at once: their half hours stay in the cache of one core.
CHUNK = 8_192

Columns = npt.NDArray[np.intp]
Half = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Day:
    """Energy of one UTC day.

    Attributes:
        consumption: the households, for what lies inside half hours.
        meters: which, rising.
        number: of the day, since the epoch.
        register_wh: int64[n], drawn from the epoch to midnight [Wh].
        drawn_wh: int32[49, n], drawn since midnight at the edge of each half hour [Wh].
        cars: int[c], which of the n meters have a car.
        charging: of those.
        solar: int[s], which of the n meters have panels.
        fed_wh: int32[49, s], fed in since midnight by those [Wh].
    """

    consumption: Consumption = field(repr=False)
    meters: Rows
    number: int
    register_wh: Ints = field(repr=False)
    drawn_wh: Half = field(repr=False)
    cars: Columns = field(repr=False)
    charging: Charging = field(repr=False)
    solar: Columns = field(repr=False)
    fed_wh: Half = field(repr=False)

    def run(self, here: slice) -> slice:
        """Return which meters of the grid some positions are; for a day of neighbouring meters.

        Raises:
            TypeError: the meters are not neighbours.
        """
        if not isinstance(self.meters, slice):
            raise TypeError("the meters of this day are no run of neighbours")
        return slice(self.meters.start + here.start, self.meters.start + here.stop)

    def drawn(self, here: slice, minutes: Ints) -> Ints:
        """Return what was drawn until some minutes of the day.

        Args:
            here: which of the day's meters, by position.
            minutes: int64[k], rising, 0 to 1440.

        Returns: int64[k, n], since midnight [Wh].
        """
        table = self.drawn_wh[:, here]
        found = np.empty((len(minutes), table.shape[1]), dtype=np.int64)
        for half_hour in np.unique(minutes // 30).tolist():
            rows = np.flatnonzero(minutes // 30 == half_hour)
            inside = (minutes[rows] - 30 * half_hour).tolist()
            if inside == [0]:
                found[rows[0]] = table[half_hour]
            else:
                found[rows] = self._within(here, half_hour, inside)
        return found

    def drawn_each(self, minutes: Ints) -> Ints:
        """Return what each meter had drawn until its own minute of the day, int64[n] since midnight [Wh]."""
        half_hour = np.minimum(minutes // 30, HALF_HOURS - 1)
        inside, which = np.unique(minutes - 30 * half_hour, return_inverse=True)
        columns = np.arange(len(minutes))
        return self._within(slice(0, len(minutes)), half_hour, inside.tolist())[which, columns]

    def fed(self, here: slice, minutes: Ints) -> tuple[Columns, Ints]:
        """Return what was fed in until some minutes of the day.

        Args:
            here: which of the day's meters, by position.
            minutes: int64[k], 0 to 1440.

        Returns: int[s], those of the run that have panels, by position in it; int64[k, s], since midnight [Wh].
        """
        first, last = np.searchsorted(self.solar, (here.start, here.stop))
        table = self.fed_wh[:, first:last].astype(np.int64)
        half_hour = np.minimum(minutes // 30, HALF_HOURS - 1)
        part = (minutes - 30 * half_hour)[:, None]
        return self.solar[first:last] - here.start, table[half_hour] + np.diff(table, axis=0)[half_hour] * part // 30

    def _within(self, here: slice, half_hour: int | Ints, minutes: list[int]) -> Ints:
        """Return what was drawn until minutes after the start of a half hour, of the same or of each meter's own."""
        first, last = np.searchsorted(self.cars, (here.start, here.stop))
        cars, charging = self.cars[first:last] - here.start, self.charging.of(slice(int(first), int(last)))
        columns = np.arange(here.start, here.stop)
        edges = [self.drawn_wh[half_hour + later, columns].astype(np.int64) for later in (0, 1)]
        begin = np.broadcast_to(30 * np.asarray(half_hour), columns.shape)[cars]
        for edge, later in zip(edges, (0, 30), strict=True):
            edge[cars] -= charging.since_midnight(begin + later)
        number = self.number * HALF_HOURS + half_hour
        meters = self.run(here) if isinstance(self.meters, slice) else self.meters[here]
        found = np.stack(self.consumption.within(meters, number, (edges[0], edges[1]), minutes))
        found[:, cars] += charging.since_midnight(begin + np.array(minutes)[:, None])
        return found
