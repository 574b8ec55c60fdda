"""Electric cars: what they drive, when they charge at home, and how full they are; open at any minute."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats, Ints
from simulators.cascade import halving, needed, share
from simulators.customers import KINDS
from simulators.grid import Grid
from simulators.local_time import DAY_MINUTES, HALF_HOURS, local_hours
from simulators.randomness import Bits, draw, fraction, lane, normal, salt
from simulators.regions import REGIONS

EV_KIND = next(number for number, kind in enumerate(KINDS) if kind.name == "ev_charging")

_TRAITS, _PLUG_IN, _DRIVES = salt("car"), salt("plug in"), salt("drives")
#: Home chargers on 16 A single phase, 32 A single phase and 16 A three phase [W].
_CHARGERS_W: Floats = np.array([3_680.0, 7_360.0, 11_040.0])
_CHARGER_SHARES = (0.25, 0.60)
#: Mean driving of 38 km a day at 0.19 kWh/km with charging losses.
_MEDIAN_DRIVE_WH = 7_200.0
_CAPACITIES_WH: Floats = np.array([38_000.0, 52_000.0, 64_000.0, 77_000.0])
#: A car stands at home for this long [minutes]; a charger that would need longer charges harder.
_STAY_MINUTES = 14 * 60
#: Share of owners whose charger waits for the night tariff.
_NIGHT_TARIFF_SHARE = 0.30
_BLOCK_DAYS = 32
_DAY_CUTS = halving(_BLOCK_DAYS)
_DRIVE_SPREAD = 0.5


@dataclass(frozen=True)
class Session:
    """One charging session of each of some cars.

    Attributes:
        start: int64[n], minutes since the epoch.
        before_wh: int64[n], charged since the epoch up to the start [Wh].
        energy_wh: int64[n], charged in it; 0 on days without charging [Wh].
        power_w: float64[n].
    """

    start: Ints
    before_wh: Ints
    energy_wh: Ints
    power_w: Floats

    def charged(self, minute: Ints | int) -> Ints:
        """Return what has been charged in it until a minute since the epoch, int64[n] [Wh]."""
        ramp = np.floor((minute - self.start) * (self.power_w / 60.0)).astype(np.int64)
        charged: Ints = np.clip(ramp, 0, self.energy_wh)
        return charged

    def of(self, cars: slice) -> "Session":
        """Return that of some of the cars."""
        return Session(self.start[cars], self.before_wh[cars], self.energy_wh[cars], self.power_w[cars])


@dataclass(frozen=True)
class Charging:
    """What cars take in a UTC day: the rest of the evening before, and this evening.

    Attributes:
        day: since the epoch.
        evening: sessions that started on the day before.
        tonight: sessions that start on this day.
    """

    day: int
    evening: Session
    tonight: Session

    @cached_property
    def until_midnight(self) -> Ints:
        """Charged from the epoch to the start of the day, int64[n] [Wh]."""
        midnight = self.day * DAY_MINUTES
        return self.evening.before_wh + self.evening.charged(midnight) + self.tonight.charged(midnight)

    def since_midnight(self, minutes: Ints) -> Ints:
        """Return what was charged until minutes of the day, int64 of the shape that [..., n] broadcasts to [Wh]."""
        moments = self.day * DAY_MINUTES + minutes
        total: Ints = self.evening.before_wh + self.evening.charged(moments) + self.tonight.charged(moments)
        return total - self.until_midnight

    def of(self, cars: slice) -> "Charging":
        """Return that of some of the cars."""
        return Charging(self.day, self.evening.of(cars), self.tonight.of(cars))


@dataclass(frozen=True)
class Vehicles:
    """The cars of a grid: one at each meter of the kind.

    Args:
        grid: whose meters.
    """

    grid: Grid

    @cached_property
    def owner(self) -> npt.NDArray[np.intp]:
        """Meters that have a car, rising."""
        return np.flatnonzero(self.grid.kind == EV_KIND)

    def charging(self, meters: Ints, day: int) -> "Charging":
        """Return how the cars of owners charge on a UTC day."""
        evening, tonight = (self.session(meters, day + offset) for offset in (-1, 0))
        return Charging(day, evening, tonight)

    def state_of_charge(self, meters: Ints, day: int, minutes: Ints) -> Floats:
        """Return how full the batteries are, float64[t, n] in 0 to 1; what a day takes is driven in the morning."""
        traits = draw(self.grid.keys[meters], _TRAITS, 1)
        model = _CAPACITIES_WH.take((fraction(lane(traits, 0)) * len(_CAPACITIES_WH)).astype(np.intp))
        capacity = np.maximum(model, 2.0 * self._period(meters) * self._mean_wh(meters))
        charging = self.charging(meters, day)
        missing = self._driven(meters, day + 1) - charging.until_midnight - charging.since_midnight(minutes[:, None])
        return np.clip(0.92 - missing / capacity, 0.05, 1.0)

    def session(self, meters: Ints, day: int) -> Session:
        """Return the session that starts in the evening of a local day."""
        period = self._period(meters)
        since = (day + (self.grid.keys[meters] & np.uint64(15)).astype(np.int64)) % period
        last = day - since
        before = self._driven(meters, np.where(since == 0, day + 1 - period, last + 1))
        energy = np.where(since == 0, self._driven(meters, day + 1) - before, 0)
        index = np.digitize(fraction(lane(self._traits(meters), 2)), _CHARGER_SHARES)
        power = np.maximum(_CHARGERS_W[index], energy * (60.0 / _STAY_MINUTES))
        return Session(self._start(meters, day), before, energy, power)

    def _traits(self, meters: Ints) -> Bits:
        return draw(self.grid.keys[meters], _TRAITS, 0)

    def _period(self, meters: Ints) -> Ints:
        """Return every how many days an owner plugs in."""
        return 1 + (fraction(lane(self._traits(meters), 0)) * 4).astype(np.int64)

    def _mean_wh(self, meters: Ints) -> Floats:
        mean: Floats = np.rint(_MEDIAN_DRIVE_WH * np.exp(0.35 * normal(lane(self._traits(meters), 1))))
        return mean

    def _start(self, meters: Ints, day: int) -> Ints:
        bits = draw(self.grid.keys[meters], _PLUG_IN, day)
        arrival = 17.9 + 1.4 * normal(lane(bits, 0))
        night = fraction(lane(self._traits(meters), 3)) < _NIGHT_TARIFF_SHARE
        clock = np.where(night, 23.0 + fraction(lane(bits, 1)) * 0.5, np.clip(arrival, 14.0, 22.5))
        # Local noon names the offset: no clock changes between noon and the night that starts there in the evening.
        offset = np.array([local_hours(region, max(day, 0))[HALF_HOURS // 2] - 12.25 for region in REGIONS])
        hours = clock - offset[self.grid.meter_region[meters]]
        start: Ints = day * DAY_MINUTES + np.rint(hours * 60).astype(np.int64)
        return start

    def _driven(self, meters: Ints, days: Ints | int) -> Ints:
        """Return what cars have used from the epoch to the start of each day, int64[n] [Wh]."""
        days = np.broadcast_to(np.asarray(days, dtype=np.int64), meters.shape)
        mean = self._mean_wh(meters)
        block, inside = days // _BLOCK_DAYS, days % _BLOCK_DAYS
        entity = self.grid.keys[meters]
        start, whole = np.zeros(len(meters), dtype=np.int64), (mean * _BLOCK_DAYS).astype(np.int64)
        total = {0: start, _BLOCK_DAYS: whole}
        for cut in needed(_DAY_CUTS, np.unique(inside).tolist()):
            bend = np.exp(_DRIVE_SPREAD * normal(lane(draw(entity, _DRIVES, block * _BLOCK_DAYS + cut.middle), 0)))
            ratio = np.float64(cut.middle - cut.start), np.float64(cut.end - cut.middle)
            total[cut.middle] = total[cut.start] + share(total[cut.end] - total[cut.start], *ratio, bend)
        table = np.stack([total.get(day, start) for day in range(_BLOCK_DAYS)])
        driven: Ints = block * whole + table[inside, np.arange(len(meters))]
        return driven
