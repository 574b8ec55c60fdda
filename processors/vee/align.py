"""Readings onto the grid of their meter: irregular reads are aligned, and registers become interval energy."""

from typing import NamedTuple

import numpy as np

from schemas.layout import Floats, Ints

#: A reading within this share of an interval of a grid line belongs to that line.
_NEAR = 0.1
#: Registers tell an interval's energy where they are no further apart than this [intervals].
_CLOSE = 1.5


class Grid(NamedTuple):
    """The grid of a meter.

    Attributes:
        start_us: first line [us].
        interval_us: distance of its lines [us].
        lines: how many.
    """

    start_us: int
    interval_us: int
    lines: int

    @property
    def time_us(self) -> Ints:
        """All lines, int64[lines] [us]."""
        return self.start_us + self.interval_us * np.arange(self.lines, dtype=np.int64)


class Aligned(NamedTuple):
    """What is known by the interval.

    Attributes:
        kwh: float64[lines], energy of the interval that ends at each line [kWh], NaN where unknown.
        register_kwh: float64[lines], the register's standing at each line [kWh], NaN where unknown.
        place: int64[n], line of each reading; -1 for one that is on none.
    """

    kwh: Floats
    register_kwh: Floats
    place: Ints


def grid_of(time_us: Ints, until_us: int | None = None) -> Grid | None:
    """Find the grid that readings keep: their usual distance, and where most of them lie within it.

    Args:
        time_us: int64[n], ascending.
        until_us: how far the grid is to reach, beyond the last reading.

    Returns: the grid, None for fewer than three readings.
    """
    if len(time_us) < 3:
        return None
    steps, counts = np.unique(np.round(np.diff(time_us), -6), return_counts=True)
    interval = int(steps[counts.argmax()])
    if interval <= 0:
        return None
    phases, counts = np.unique(np.round(time_us % interval, -6) % interval, return_counts=True)
    phase = int(phases[counts.argmax()])
    first = int(np.ceil((time_us[0] - phase) / interval - _NEAR)) * interval + phase
    last = max(int(time_us[-1]), until_us if until_us is not None else int(time_us[-1]))
    return Grid(first, interval, int((last - first) / interval + _NEAR) + 1)


def align(time_us: Ints, kwh: Floats, register_kwh: Floats, grid: Grid) -> Aligned:
    """Put readings onto a grid.

    Args:
        time_us: int64[n], ascending [us].
        kwh: float64[n], energy of the interval that ends at each [kWh], NaN where the meter sends none.
        register_kwh: float64[n], its register [kWh], NaN where it sends none.
        grid: of the meter.

    Returns: energy and registers by the line. Where no reading of a line has an energy, the registers on both sides of
        its interval give it, interpolated to the lines; across a gap they do not.
    """
    position = (time_us - grid.start_us) / grid.interval_us
    place = np.rint(position).astype(np.int64)
    beside_us = np.abs(time_us - (grid.start_us + place * grid.interval_us))
    near = (beside_us <= _NEAR * grid.interval_us) & (place >= 0) & (place < grid.lines)
    place = np.where(near, place, -1)
    energy, register = np.full(grid.lines, np.nan), np.full(grid.lines, np.nan)
    for target, values in ((energy, kwh), (register, register_kwh)):
        known = near & ~np.isnan(values)
        target[place[known]] = values[known]
    counted = np.flatnonzero(~np.isnan(register_kwh))
    if len(counted) > 1:
        lines = np.arange(grid.lines, dtype=np.float64)
        at, standing = position[counted], register_kwh[counted]
        after = np.clip(np.searchsorted(at, lines), 1, len(at) - 1)
        close = (at[after] - at[after - 1] <= _CLOSE) & (lines >= at[after - 1]) & (lines <= at[after])
        at_line = np.where(np.isnan(register), np.where(close, np.interp(lines, at, standing), np.nan), register)
        differs = np.concatenate([[np.nan], np.diff(at_line)])
        energy = np.where(np.isnan(energy) & (differs >= 0), differs, energy)
    return Aligned(energy, register, place)
