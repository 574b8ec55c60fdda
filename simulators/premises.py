"""What each customer draws from and feeds into the grid: household, car, panels and battery together."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from schemas.layout import Floats, Ints
from simulators.consumption import Consumption
from simulators.day import CHUNK, Columns, Day, Half
from simulators.grid import Grid, Rows
from simulators.load_shape import LoadShape, drawn_number
from simulators.local_time import HALF_HOURS
from simulators.solar import Solar
from simulators.storage import Flows, Storage
from simulators.vehicles import Vehicles
from simulators.weather import Weather

_EDGE_MINUTES = 30 * np.arange(HALF_HOURS + 1)


@dataclass(frozen=True)
class Premises:
    """All customers of a grid.

    Args:
        grid: whose meters.
        weather: what they live under.
    """

    grid: Grid
    weather: Weather

    @cached_property
    def consumption(self) -> Consumption:
        """The households."""
        return Consumption(self.grid, LoadShape(self.weather))

    @cached_property
    def vehicles(self) -> Vehicles:
        """The cars."""
        return Vehicles(self.grid)

    @cached_property
    def solar(self) -> Solar:
        """The panels."""
        return Solar(self.grid, self.weather)

    @cached_property
    def storage(self) -> Storage:
        """The batteries."""
        return Storage(self.grid)

    def day(self, meters: Rows, day: int) -> Day:
        """Work out a UTC day.

        Args:
            meters: which, rising; what a meter gets does not depend on the others.
            day: since the epoch.
        """
        count = meters.stop - meters.start if isinstance(meters, slice) else len(meters)
        register, drawn = np.empty(count, dtype=np.int64), np.empty((HALF_HOURS + 1, count), dtype=np.int32)
        for start in range(0, count, CHUNK):
            here = slice(start, min(start + CHUNK, count))
            register[here], drawn[:, here] = self.consumption.day(_some(meters, here), day)
        at, owners = _among(self.vehicles.owner, meters)
        charging = self.vehicles.charging(owners, day)
        register[at] += charging.until_midnight
        drawn[:, at] += charging.since_midnight(_EDGE_MINUTES[:, None]).astype(np.int32)
        solar, owners = _among(self.solar.owner, meters)
        fed = np.zeros((HALF_HOURS + 1, len(solar)), dtype=np.int32)
        for start in range(0, len(solar), CHUNK):
            part, here = solar[start : start + CHUNK], slice(start, start + CHUNK)
            register[part], drawn[:, part], fed[1:, here] = self._with_sun(owners[here], day, drawn[:, part])
        return Day(self.consumption, meters, day, register, drawn, at, charging, solar, fed)

    def _with_sun(self, owners: Columns, day: int, use: Half) -> tuple[Ints, Ints, Ints]:
        """Return register, energy drawn and energy fed in of homes with panels, which would use as much."""
        flows = self._flows(owners, day, use)
        midnight = self.consumption.midnights(owners, day, drawn_number(self.grid.profile[owners]))
        fed = np.rint(np.cumsum(flows.fed, axis=0)).astype(np.int64)
        return midnight[0], _apportioned(midnight[1] - midnight[0], flows.drawn), fed

    def _flows(self, owners: Columns, day: int, use: Half) -> Flows:
        generated = self.solar.generated(owners, day)
        return self.storage.run(
            owners,
            np.diff(use, axis=0).astype(np.float64),
            generated,
            self._charge_at_midnight(owners, day),
            self._charge_at_midnight(owners, day + 1),
        )

    def _charge_at_midnight(self, owners: Columns, day: int) -> Floats:
        sunshine = self.weather.sunshine_kwh(np.array([day - 1.0]))[0]
        cover = self.solar.expected_wh(owners, sunshine) / self.grid.daily_wh[owners]
        return self.storage.at_midnight(owners, day, cover)


def _among(owner: Columns, meters: Rows) -> tuple[Columns, Columns]:
    """Return the positions within `meters` of those that own something, and their meters."""
    if isinstance(meters, slice):
        first, last = np.searchsorted(owner, (meters.start, meters.stop))
        owners = owner[first:last]
        return owners - meters.start, owners
    place = np.minimum(np.searchsorted(owner, meters), len(owner) - 1)
    at = np.flatnonzero(owner[place] == meters) if len(owner) else np.empty(0, dtype=np.intp)
    return at, meters[at]


def _some(meters: Rows, here: slice) -> Rows:
    """Return the rows at some positions among rows."""
    if isinstance(meters, slice):
        return slice(meters.start + here.start, meters.start + here.stop)
    return meters[here]


def _apportioned(total_wh: Ints, parts: Floats) -> Ints:
    """Share out whole totals in proportion to parts, int64[parts + 1, n] as running sums.

    The total is known for any day without working out the days before, the parts follow the sun and the battery of
    this day; the standby use of the electronics takes what a day without any other draw would leave over.
    """
    running = np.cumsum(parts + 1.0, axis=0)
    shared = np.rint(running * (total_wh / running[-1])).astype(np.int64)
    return np.concatenate([np.zeros((1, len(total_wh)), dtype=np.int64), shared])
