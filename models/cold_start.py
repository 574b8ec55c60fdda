"""Cold start: what a meter of which less than a day is known should do, by the profile of its class.

Its level is its own, the mean of what it has shown so far; how that depends on the hour is its class's. A meter that
has only been seen at night is thus not found strange in the morning.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from models.calibrated import Calibrated, shares_of
from models.manifest import Calibration, ClassProfile
from processors.calibration import score_of
from processors.hours import HOURS_OF_WEEK, hour_of_week
from processors.judgement import Judgement, Past
from schemas.layout import Floats, Ints, Mask
from schemas.meter_class import CLASSES
from schemas.readings import ReadingBatch

_DAY_S, _HOUR_S = 86_400.0, 3_600.0
#: Before that a level says nothing [s].
_LEAST_KNOWN_S = _HOUR_S
#: A class needs so many readings of first days; others count as `unknown`, which is all of them.
_LEAST_READINGS = 500
#: No reading shapes a profile more than this many times its meter's mean, and no hour is below this part of it.
_MOST_RATIO, _LEAST_SHAPE = 5.0, 0.05
#: Keeps the logarithm of nothing finite.
_FLOOR = 0.01
_UNKNOWN = 0
_HOURS = np.arange(HOURS_OF_WEEK)
_BIN_OF_HOUR = np.where(_HOURS >= 120, 24 + _HOURS % 24, _HOURS % 24)
_BINS = 48


@dataclass(frozen=True)
class FirstDays:
    """Readings beside the mean of their meters, one value per reading.

    Attributes:
        ratio: float64[n], power over the mean of the meter's past day, or of as much as there is.
        hour: int64[n], hour of the UTC week.
        covered_s: float64[n], how much of the past is known [s].
        meter_class: int64[n], code of the meter's class.
    """

    ratio: Floats
    hour: Ints
    covered_s: Floats
    meter_class: Ints

    @classmethod
    def of(cls, batch: ReadingBatch, found: Judgement) -> "FirstDays":
        """Return the readings of a batch whose meters have a mean."""
        return cls.beside(batch, found.past)[0]

    @classmethod
    def beside(cls, batch: ReadingBatch, past: Past) -> tuple["FirstDays", Mask]:
        """Return readings beside their past, and which of the batch they are."""
        energy = batch.floats("consumption_kwh")
        known = np.asarray((past.day_mean_kw > 0) & (past.covered_s >= _LEAST_KNOWN_S) & ~np.isnan(energy))
        power = energy[known] * _HOUR_S / past.interval_s[known].astype(np.float64)
        return cls(
            power / past.day_mean_kw[known],
            hour_of_week(batch.time_us[known]),
            past.covered_s[known].astype(np.float64),
            past.meter_class[known].astype(np.int64),
        ), known

    @classmethod
    def concat(cls, parts: Sequence["FirstDays"]) -> "FirstDays":
        """Put readings one behind the other."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def where(self, mask: Mask) -> "FirstDays":
        """Return the readings where the mask is true."""
        return FirstDays(*(getattr(self, field.name)[mask] for field in fields(self)))

    @property
    def cold(self) -> Mask:
        """bool[n], where less than a day is known."""
        return np.asarray(self.covered_s < _DAY_S)


def profiles(readings: FirstDays) -> list[ClassProfile]:
    """Fit the profile of each class that is there often enough, and that of all, `unknown`.

    Args:
        readings: first days calibrate, later ones shape.
    """
    found = list[ClassProfile]()
    for code, name in enumerate(CLASSES):
        mine = readings if code == _UNKNOWN else readings.where(readings.meter_class == code)
        if np.count_nonzero(mine.cold) >= _LEAST_READINGS and not mine.cold.all():
            found.append(_profile(name, mine))
    return found


def _profile(name: str, readings: FirstDays) -> ClassProfile:
    late, first = readings.where(~readings.cold), readings.where(readings.cold)
    place = _BIN_OF_HOUR[late.hour]
    count = np.bincount(place, minlength=_BINS)
    total = np.bincount(place, np.clip(late.ratio, 0.0, _MOST_RATIO), minlength=_BINS)
    shape = np.maximum(np.where(count > 0, total / np.maximum(count, 1), 1.0), _LEAST_SHAPE)
    off = _off(shape, first)
    shares = shares_of(len(off))
    thresholds = np.quantile(off, 1.0 - np.array(shares)).tolist()
    calibration = Calibration(size_edges_kw=[], shares=shares, thresholds=[thresholds])
    return ClassProfile(meter_class=name, shape=shape.tolist(), calibration=calibration)


def _off(shape: Floats, readings: FirstDays) -> Floats:
    """Return the logarithm of power over what the meter's level and its class's shape expect."""
    week = shape[_BIN_OF_HOUR]
    total = np.concatenate([[0.0], np.cumsum(np.tile(week, 2))])
    hours = np.clip(np.ceil(readings.covered_s / _HOUR_S), 1, 24).astype(np.int64)
    end = readings.hour + HOURS_OF_WEEK + 1
    seen = (total[end] - total[end - hours]) / hours
    off: Floats = np.log(readings.ratio * seen / week[readings.hour] + _FLOOR)
    return off


class ColdStart:
    """Scores readings of meters of which less than a day is known.

    Args:
        classes: as the manifest has them; none score nothing.
    """

    def __init__(self, classes: Sequence[ClassProfile]) -> None:
        self._profiles = {
            CLASSES.index(one.meter_class): (np.array(one.shape), Calibrated(one.calibration))
            for one in classes
            if one.meter_class in CLASSES
        }

    def score(self, batch: ReadingBatch, past: Past, budget: float) -> npt.NDArray[np.float32]:
        """Return float32[n], 0 to 1; NaN where a meter's own past is known, or nothing at all.

        Args:
            batch: n readings.
            past: what was known of their meters before them.
            budget: what scores stand for; see `processors.calibration`.
        """
        scores = np.full(len(batch), np.nan, dtype=np.float32)
        new = np.asarray(past.covered_s < _DAY_S)
        if _UNKNOWN not in self._profiles or not new.any():
            return scores
        readings, known = FirstDays.beside(batch, past)
        at, first = np.flatnonzero(known)[readings.cold], readings.where(readings.cold)
        share = np.ones(len(at))
        code = np.where(np.isin(first.meter_class, list(self._profiles)), first.meter_class, _UNKNOWN)
        for number in np.unique(code).tolist():
            shape, calibrated = self._profiles[number]
            mine = code == number
            off = _off(shape, first.where(mine))
            share[mine] = calibrated.share(off, past.day_mean_kw[at][mine])
        scores[at] = score_of(share, past.interval_s[at], budget)
        return scores
