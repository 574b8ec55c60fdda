"""What the rules may ask about each reading: its own columns, and what was known of its meter before it came."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats, Ints, Mask
from schemas.readings import ReadingBatch


class Past(NamedTuple):
    """What was known of a reading's meter, one value per reading; NaN (or 0) where nothing was.

    Attributes:
        gap_s: time since the meter's reading before [s].
        usual_s: the meter's usual interval, a gap that came twice in a row [s].
        last_kwh: energy of the reading before [kWh].
        flat_s: how long energy has stood still, this reading included [s].
        still_s: how long voltage has stood still, this reading included [s].
        zero_s: how long energy has been zero, this reading included [s].
        estimated_s: how long the source has been estimating, this reading included [s].
        register_kwh: the newest register before [kWh].
        since_kwh: energy counted since that register, this reading included [kWh]; NaN where some of it is missing.
        third_kwh: third highest energy of one interval, of the day so far and of days before [kWh].
        highest_kwh: highest energy of one interval of the day so far [kWh].
        scale: power of ten by which the meter's unit has slipped, this reading included.
        grid_share: share of the meter's readings that used to be on the grid of its interval, 0 to 1.
        zero_days: on how many recent days there was a zero at this hour.
        days: complete days known of the meter.
        mean_kwh: the meter's mean day [kWh].
        day_kwh: energy of the day that ended before this reading [kWh]; only with the first reading after it.
        own_kwh, like_kwh, year_kwh: what that day is held against: the meter's mean day, that of its weekday, that of
            the month a year ago [kWh].
        device: murmur2 of the device's number that came before, 0 without one.
        nominal_s: length that meters are set to which is next to the usual interval [s].
        beside_s: how far the reading lies from a whole multiple of that since 1970 [s].
    """

    gap_s: Floats
    usual_s: Floats
    last_kwh: Floats
    flat_s: Floats
    still_s: Floats
    zero_s: Floats
    estimated_s: Floats
    register_kwh: Floats
    since_kwh: Floats
    third_kwh: Floats
    highest_kwh: Floats
    scale: Floats
    grid_share: Floats
    zero_days: Floats
    days: Floats
    mean_kwh: Floats
    day_kwh: Floats
    own_kwh: Floats
    like_kwh: Floats
    year_kwh: Floats
    device: Floats
    nominal_s: Floats
    beside_s: Floats

    @classmethod
    def unknown(cls, count: int) -> "Past":
        """Return the past of meters of which nothing is known, to be filled in."""
        return cls(*(np.full(count, np.nan) for _ in cls._fields))


@dataclass(frozen=True)
class Facts:
    """One batch as the rules see it, one value per reading.

    Attributes:
        batch: n readings.
        arrived_us: int64[n], arrival [us].
        past: what was known before.
        in_order: bool[n], newer than every earlier reading of its meter.
        newest_us: int64[n], time of the meter's newest reading before [us].
        repeated: int8[n], 0 for no repeat of the meter's newest reading, 1 for an identical one, 2 for another one.
        status: uint8[n], what the registry says of the meter.
        device: float64[n], murmur2 of the device's number, NaN without one.
        hour: int64[n], local hour that the interval ended in.
        seam: bool[n], a local day of 23 or 25 hours.
        estimated: bool[n], the source calls it estimated or substituted.
        mode: int8[n], 0 in normal service, 1 in test mode, 2 under maintenance.
    """

    batch: ReadingBatch
    arrived_us: Ints
    past: Past
    in_order: Mask
    newest_us: Ints
    repeated: npt.NDArray[np.int8]
    status: npt.NDArray[np.uint8]
    device: Floats
    hour: Ints
    seam: Mask
    estimated: Mask
    mode: npt.NDArray[np.int8]

    def floats(self, name: str) -> Floats:
        """Return a measured column, NaN where absent."""
        return self.batch.floats(name)

    @property
    def energy(self) -> Floats:
        """Energy drawn [kWh]."""
        return self.batch.floats("consumption_kwh")

    def where(self, mask: Mask, values: Any) -> Floats:
        """Return values where the mask is true and NaN elsewhere."""
        return np.where(mask, values, np.nan)
