"""What judgement says of readings, and what was known of their meters before."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from processors.calibration import BUDGET
from processors.signals import SIGNALS
from schemas.layout import Floats, Mask

_F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Past:
    """What was known of each reading's meter before it came, one value per reading; NaN where nothing was.

    Attributes:
        interval_s: float32[n], the meter's usual interval [s].
        last_kw: float32[n], mean power of the interval before [kW].
        day_mean_kw: float32[n], mean power over about a day [kW].
        peak_kw: float32[n], highest mean power of an interval [kW].
        covered_s: float32[n], time that the past covers [s].
        meter_class: float32[n], code of the meter's class, `schemas.meter_class`.
    """

    interval_s: npt.NDArray[np.float32]
    last_kw: npt.NDArray[np.float32]
    day_mean_kw: npt.NDArray[np.float32]
    peak_kw: npt.NDArray[np.float32]
    covered_s: npt.NDArray[np.float32]
    meter_class: npt.NDArray[np.float32]

    @classmethod
    def unknown(cls, count: int) -> "Past":
        """Return the past of meters of which nothing is known, to be filled in."""
        return cls(*(np.full(count, np.nan, dtype=np.float32) for _ in range(6)))


@dataclass(frozen=True)
class Judgement:
    """What was found, one value per reading.

    Attributes:
        flag: int8[n], code of a `QualityFlag`.
        score: float32[n], 0 to 1, higher is more unusual; NaN where there is nothing to judge by.
        expected_kwh: float64[n], what the meter usually uses at this time of the week [kWh]; NaN where unknown.
        band_kwh: float64[n], how far above that 98 % of its readings are at most [kWh]; NaN where unknown.
        z: float32[n], deviation of power from that [standard deviations]; NaN where not judged.
        volts_off: float32[n], deviation of voltage from the usual [V]; NaN where not judged.
        usual_voltage: float32[n], mean voltage of the meter before [V]; NaN where unknown.
        rarity: float32[n, 12], share of the meter's readings whose signal is as high, in the order of SIGNALS; NaN
            where nothing is known.
        severity: int8[n], 1 where something worth a warning begins, 2 where something critical does, 0 otherwise; what
            goes on is told once.
        in_order: bool[n], false for readings that are not newer than the newest already seen of their meter.
        past: what was known before.
        budget: what the scores stand for; see `processors.calibration`.
    """

    flag: npt.NDArray[np.int8]
    score: npt.NDArray[np.float32]
    expected_kwh: Floats
    band_kwh: Floats
    z: npt.NDArray[np.float32]
    volts_off: npt.NDArray[np.float32]
    usual_voltage: npt.NDArray[np.float32]
    rarity: npt.NDArray[np.float32]
    severity: npt.NDArray[np.int8]
    in_order: Mask
    past: Past
    budget: float

    @property
    def columns(self) -> "Found":
        """The columns of judgement and past together, to be filled in by a compiled pass."""
        return Found(*(getattr(self if hasattr(self, name) else self.past, name) for name in Found._fields))

    @classmethod
    def nothing(cls, n: int, budget: float = BUDGET) -> "Judgement":
        """Return the judgement of readings of which nothing can be said, to be filled in."""
        return cls(
            np.zeros(n, dtype=np.int8),
            np.full(n, np.nan, dtype=np.float32),
            np.full(n, np.nan),
            np.full(n, np.nan),
            np.full(n, np.nan, dtype=np.float32),
            np.full(n, np.nan, dtype=np.float32),
            np.full(n, np.nan, dtype=np.float32),
            np.full((n, len(SIGNALS)), np.nan, dtype=np.float32),
            np.zeros(n, dtype=np.int8),
            np.zeros(n, dtype=bool),
            Past.unknown(n),
            budget,
        )


class Found(NamedTuple):
    """Columns of `Judgement` and its `Past`, which say what they are."""

    flag: npt.NDArray[np.int8]
    score: _F32
    expected_kwh: Floats
    band_kwh: Floats
    z: _F32
    volts_off: _F32
    usual_voltage: _F32
    rarity: _F32
    severity: npt.NDArray[np.int8]
    in_order: Mask
    interval_s: _F32
    last_kw: _F32
    day_mean_kw: _F32
    peak_kw: _F32
    covered_s: _F32
    meter_class: _F32
