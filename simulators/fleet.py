"""The fleet: all meters of a grid, or of a part of it, as batches of readings."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.layout import Floats, Ints
from schemas.readings import ReadingBatch
from simulators.consumption import Consumption
from simulators.grid import Grid
from simulators.load_shape import LoadShape
from simulators.local_time import DAY_MINUTES, DAY_S, EPOCH_DAY, HALF_HOURS, day_of
from simulators.measurement import COLUMNS, Gauge
from simulators.network import Drops, drops
from simulators.randomness import draw, salt
from simulators.weather import Weather

#: Meters worked on at once: their half hours stay in the cache of one core.
_CHUNK = 8_192
BATCH_ROWS = 500_000


@dataclass(frozen=True)
class Day:
    """What is known of a whole UTC day before single intervals are asked for.

    Attributes:
        number: since the epoch.
        register_wh: int64[n], at its start.
        use_wh: int32[49, n], since its start, at each half hour.
        load_w: int64[48, t], mean load of each transformer without its losses.
        drops: voltages that follow.
    """

    number: int
    register_wh: Ints
    use_wh: npt.NDArray[np.int32]
    load_w: Ints
    drops: Drops


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
        self.consumption = Consumption(self.grid, LoadShape(self.weather))
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
        minutes = interval_s // 60
        first = (day_of(start) * DAY_MINUTES * 60 + int(start.timestamp()) % DAY_S) // interval_s
        per_day, most = DAY_S // interval_s, max(1, batch_rows // (self.meters.stop - self.meters.start))
        for begin in range(first, first + steps, most):
            yield self._run(begin, min(begin + most, first + steps), per_day)

    def _run(self, begin: int, end: int, per_day: int) -> ReadingBatch:
        """Generate the intervals from one number to another, counted from the epoch."""
        days = range(begin // per_day, -(-end // per_day))
        spans = [(day, max(begin, day * per_day), min(end, (day + 1) * per_day)) for day in days]
        minutes = DAY_MINUTES // per_day
        parts = [self._batch(day, start - day * per_day, stop - start, minutes) for day, start, stop in spans]
        return ReadingBatch.concat(parts)

    def _day(self, number: int) -> Day:
        meters = self.meters.stop - self.meters.start
        register = np.empty(meters, dtype=np.int64)
        use = np.empty((HALF_HOURS + 1, meters), dtype=np.int32)
        for chunk in _chunks(self.meters):
            here = slice(chunk.start - self.meters.start, chunk.stop - self.meters.start)
            register[here], use[:, here] = self.consumption.day(chunk, number)
        first = self.grid.transformer_start[self.transformers] - self.meters.start
        load_w = 2 * np.add.reduceat(np.diff(use, axis=0), first, axis=1, dtype=np.int64)
        voltages = drops(self.grid, self.transformers, self.feeders, load_w, number)
        return Day(number, register, use, load_w, voltages)

    def _batch(self, day: int, first: int, count: int, minutes: int) -> ReadingBatch:
        known = self.day(day)
        rows = self.meters.stop - self.meters.start
        columns = {name: np.empty((count, rows)) for name in COLUMNS}
        counters = day * (DAY_MINUTES // minutes) + first + np.arange(count)
        voltages = known.drops.at(((first + 1 + np.arange(count)) * minutes - 1) // 30)
        for chunk in _chunks(self.meters):
            here = slice(chunk.start - self.meters.start, chunk.stop - self.meters.start)
            edges = self._edges(known, chunk, first, count, minutes)
            gauge = Gauge(self.grid, chunk, self.transformers.start)
            for name, values in gauge.measure(known.register_wh[here], edges, minutes, counters, voltages).items():
                columns[name][:, here] = values
        return self._as_batch(day, first, count, minutes, columns)

    def _edges(self, known: Day, chunk: slice, first: int, count: int, minutes: int) -> Ints:
        """Return the use since midnight at the edges of consecutive intervals, int64[count + 1, n] [Wh]."""
        here = slice(chunk.start - self.meters.start, chunk.stop - self.meters.start)
        use = known.use_wh[:, here]
        moments = (first + np.arange(count + 1)) * minutes
        edges = np.empty((count + 1, use.shape[1]), dtype=np.int64)
        for half_hour in np.unique(moments // 30):
            rows = np.flatnonzero(moments // 30 == half_hour)
            inside = (moments[rows] - 30 * half_hour).tolist()
            if inside == [0]:
                edges[rows[0]] = use[half_hour]
                continue
            known_edges = use[half_hour].astype(np.int64), use[half_hour + 1].astype(np.int64)
            number = known.number * HALF_HOURS + int(half_hour)
            edges[rows] = self.consumption.within(chunk, number, known_edges, inside)
        return edges

    def _as_batch(self, day: int, first: int, count: int, minutes: int, columns: dict[str, Floats]) -> ReadingBatch:
        numbers = self.grid.meter_numbers[self.meters]
        width, rows = numbers.itemsize, len(numbers) * count
        text = pa.StringArray.from_buffers(
            rows,
            pa.py_buffer(np.arange(0, (rows + 1) * width, width, dtype=np.int32)),
            pa.py_buffer(np.tile(numbers, count)),
        )
        ends = (EPOCH_DAY + day) * DAY_S + (first + 1 + np.arange(count)) * minutes * 60
        sequence = day * (DAY_MINUTES // minutes) + first + np.arange(count)
        return ReadingBatch.from_columns(
            meter_number=text,
            reading_time=np.repeat(ends * 1_000_000, len(numbers)).view("datetime64[us]"),
            sequence=np.repeat(sequence, len(numbers)),
            **{name: values.reshape(-1) for name, values in columns.items()},
        )


def _chunks(meters: slice) -> Iterator[slice]:
    for start in range(meters.start, meters.stop, _CHUNK):
        yield slice(start, min(start + _CHUNK, meters.stop))


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
