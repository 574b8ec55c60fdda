"""The fleet: all meters of a grid, or of a part of it, as batches of readings."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

import numpy as np
import pyarrow as pa

from schemas.layout import Floats, Ints
from schemas.readings import ReadingBatch
from simulators.day import CHUNK, Day
from simulators.grid import Grid
from simulators.local_time import DAY_MINUTES, DAY_S, EPOCH_DAY, day_of
from simulators.measurement import COLUMNS, Energies, Gauge, Surroundings
from simulators.network import Drops, drops
from simulators.premises import Premises
from simulators.randomness import draw, salt
from simulators.weather import Weather

BATCH_ROWS = 500_000


@dataclass(frozen=True)
class GridDay:
    """A UTC day of the fleet's part of the grid.

    Attributes:
        energy: what its meters draw and feed in.
        load_w: int64[48, t], mean load of each transformer without its losses, negative when it feeds in [W].
        voltages: that follow from it.
    """

    energy: Day
    load_w: Ints
    voltages: Drops


@dataclass(frozen=True)
class Span:
    """Consecutive intervals of one UTC day.

    Attributes:
        day: since the epoch.
        first: number of the first interval of the day.
        count: how many.
        minutes: length of each.
    """

    day: int
    first: int
    count: int
    minutes: int

    @property
    def edges(self) -> Ints:
        """Minutes of the day at which the intervals begin and end, int64[count + 1]."""
        return (self.first + np.arange(self.count + 1)) * self.minutes

    @property
    def numbers(self) -> Ints:
        """Numbers of the intervals since the epoch, int64[count]."""
        return self.day * (DAY_MINUTES // self.minutes) + self.first + np.arange(self.count)

    @property
    def ends_s(self) -> Ints:
        """Ends of the intervals, int64[count] [s since the epoch]."""
        return self.day * DAY_S + self.edges[1:] * 60


class Fleet:
    """Readings of a grid, each a function of seed, meter and time alone.

    Args:
        grid: whose meters.
        seed: of weather and behaviour.
        part: (which, of how many): a process generates the meters of its own feeders.
    """

    def __init__(self, grid: Grid, seed: int, part: tuple[int, int] = (0, 1)) -> None:
        self.grid = replace(grid, keys=draw(grid.keys, salt("fleet", seed), 0))
        self.feeders, self.transformers, self.meters = _part(grid, *part)
        self.weather = Weather(seed)
        self.premises = Premises(self.grid, self.weather)
        self.day = lru_cache(maxsize=2)(self._day)

    def readings(
        self, start: datetime, steps: int, interval_s: int, *, batch_rows: int = BATCH_ROWS
    ) -> Iterator[ReadingBatch]:
        """Generate consecutive intervals of all meters, ordered by time, then meter.

        Args:
            start: start of the first interval; moved back to a whole interval of the UTC day.
            steps: how many intervals.
            interval_s: their length [s]: whole minutes that divide a day.
            batch_rows: a batch holds as many whole intervals as fit into this many rows, and at least one.

        Yields: batches of whole intervals; `reading_time` is the end of the interval.

        Raises:
            ValueError: an interval that does not divide a day into whole minutes.
        """
        if interval_s < 60 or interval_s % 60 or DAY_S % interval_s:
            raise ValueError(f"an interval is whole minutes that divide a day, not {interval_s} s")
        first = (day_of(start) * DAY_S + int(start.timestamp()) % DAY_S) // interval_s
        most = max(1, batch_rows // (self.meters.stop - self.meters.start))
        for begin in range(first, first + steps, most):
            spans = _spans(begin, min(begin + most, first + steps), interval_s // 60)
            yield ReadingBatch.concat([self._batch(span) for span in spans])

    def _day(self, number: int) -> GridDay:
        energy = self.premises.day(self.meters, number)
        transformer = self.grid.transformer_start[self.transformers] - self.meters.start
        net = np.diff(energy.drawn_wh, axis=0)
        net[:, energy.solar] -= np.diff(energy.fed_wh, axis=0)
        load_w = 2 * np.add.reduceat(net, transformer, axis=1, dtype=np.int64)
        voltages = drops(self.grid, self.transformers, self.feeders, load_w, number)
        return GridDay(energy, load_w, voltages)

    def _batch(self, span: Span) -> ReadingBatch:
        known = self.day(span.day)
        meters = self.meters.stop - self.meters.start
        columns = {name: np.empty((span.count, meters)) for name in COLUMNS}
        seconds = span.ends_s.astype(np.float64)
        # The busbar and the load are known by half hours: an interval sees the one that it ends in.
        around = Surroundings(
            voltages=known.voltages.at((span.edges[1:] - 1) // 30),
            temperature_c=self.weather.temperature_c(seconds),
            frequency_hz=self.weather.frequency_hz(seconds),
        )
        for start in range(0, meters, CHUNK):
            here = slice(start, min(start + CHUNK, meters))
            gauge = Gauge(self.grid, slice(self.meters.start + here.start, self.meters.start + here.stop))
            energies = _energies(known.energy, here, span.edges)
            for name, values in gauge.measure(energies, around, span.minutes, span.numbers).items():
                columns[name][:, here] = values
        return self._as_batch(span, columns)

    def _as_batch(self, span: Span, columns: dict[str, Floats]) -> ReadingBatch:
        numbers = self.grid.meter_numbers[self.meters]
        width, rows = numbers.itemsize, len(numbers) * span.count
        text = pa.StringArray.from_buffers(
            rows,
            pa.py_buffer(np.arange(0, (rows + 1) * width, width, dtype=np.int32)),
            pa.py_buffer(np.tile(numbers, span.count)),
        )
        times = (span.ends_s + EPOCH_DAY * DAY_S) * 1_000_000
        return ReadingBatch.from_columns(
            meter_number=text,
            reading_time=np.repeat(times, len(numbers)).view("datetime64[us]"),
            sequence=np.repeat(span.numbers, len(numbers)),
            **{name: values.reshape(-1) for name, values in columns.items()},
        )


def _energies(day: Day, here: slice, edges: Ints) -> Energies:
    drawn = day.drawn(here, edges)
    solar, fed = day.fed(here, edges)
    return Energies(day.register_wh[here] + drawn[1:], np.diff(drawn, axis=0), solar, np.diff(fed, axis=0))


def _spans(begin: int, end: int, minutes: int) -> Iterator[Span]:
    """Cut a run of intervals, numbered from the epoch, at midnights."""
    per_day = DAY_MINUTES // minutes
    for day in range(begin // per_day, -(-end // per_day)):
        first = max(begin, day * per_day)
        yield Span(day, first - day * per_day, min(end, (day + 1) * per_day) - first, minutes)


def _part(grid: Grid, which: int, of: int) -> tuple[slice, slice, slice]:
    """Return the feeders, transformers and meters of one of several parts with about equally many meters."""
    if not 0 <= which < of:
        raise ValueError(f"there is no part {which} of {of}")
    start = grid.transformer_start[grid.feeder_start]
    cuts = np.searchsorted(start, np.arange(of + 1) * grid.meters / of)
    feeders = slice(int(cuts[which]), int(cuts[which + 1]))
    transformers = slice(int(grid.feeder_start[feeders.start]), int(grid.feeder_start[feeders.stop]))
    meters = slice(int(grid.transformer_start[transformers.start]), int(grid.transformer_start[transformers.stop]))
    return feeders, transformers, meters
