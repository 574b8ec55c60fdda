"""The fleet: all meters of a grid, or of a part of it, as batches of readings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

import numpy as np

from schemas.layout import Ints
from schemas.readings import ReadingBatch
from simulators.day import CHUNK, Columns, Day
from simulators.display import show
from simulators.energy_events import EnergyEvents, energy_events
from simulators.grid import Grid, Rows
from simulators.local_time import DAY_S, day_of
from simulators.measurement import COLUMNS, Gauge, Surroundings
from simulators.metering import counted, drawn, fed
from simulators.network import Drops, drops
from simulators.outages import Notices, notices
from simulators.premises import Premises
from simulators.randomness import draw, salt
from simulators.schedule import Events
from simulators.slab import Slab
from simulators.span import Span, check_interval, spans
from simulators.weather import Weather

BATCH_ROWS = 500_000


@dataclass(frozen=True)
class GridDay:
    """A UTC day of the fleet's part of the grid.

    Attributes:
        energy: what its meters draw and feed in, apart from faults.
        load_w: int64[48, t], mean load of each transformer without its losses, negative when it feeds in [W].
        voltages: that follow from it.
    """

    energy: Day
    load_w: Ints
    voltages: Drops


class Fleet:
    """Readings of a grid, each a function of seed, meter and time alone.

    Args:
        grid: whose meters.
        seed: of weather and behaviour.
        part: (which, of how many): a process generates the meters of its own feeders.
        faults: what goes wrong, from `schedule`; faults of transport show only in what is dispatched.
    """

    def __init__(self, grid: Grid, seed: int, part: tuple[int, int] = (0, 1), faults: Events | None = None) -> None:
        self.grid = replace(grid, keys=draw(grid.keys, salt("fleet", seed), 0))
        self.feeders, self.transformers, self.meters = _part(grid, *part)
        self.weather = Weather(seed)
        self.premises = Premises(self.grid, self.weather)
        self.faults = (Events.none() if faults is None else faults).touching(self.meters)
        self.energy_events: EnergyEvents = energy_events(self.faults, self.grid, self.premises, self.meters)
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
        minutes = check_interval(interval_s)
        first = (day_of(start) * DAY_S + int(start.timestamp()) % DAY_S) // interval_s
        meters = np.arange(self.meters.start, self.meters.stop)
        most = max(1, batch_rows // len(meters))
        for begin in range(first, first + steps, most):
            parts = [self._batch(span, meters) for span in spans(begin, min(begin + most, first + steps), minutes)]
            yield ReadingBatch.concat(parts)

    def slab(self, span: Span, meters: Columns) -> Slab:
        """Return what some meters show over consecutive intervals, faults of load, metering and display included.

        Args:
            span: which intervals.
            meters: int[n], rising; of this fleet's part.
        """
        slab = Slab.empty(span, meters, COLUMNS)
        around, energy = self._around(span), self.day(span.day).energy
        for start in range(self.meters.start, self.meters.stop, CHUNK):
            first, last = np.searchsorted(meters, (start, min(start + CHUNK, self.meters.stop)))
            wanted = meters[first:last]
            if len(wanted):
                here = slice(start - self.meters.start, min(start + CHUNK, self.meters.stop) - self.meters.start)
                energies = counted(energy, here, span, self.energy_events)
                if len(wanted) < here.stop - here.start:
                    energies = energies.of(wanted - start)
                gauge = Gauge(self.grid, _neighbours(wanted))
                for name, values in gauge.measure(energies, around, span.minutes, span.numbers).items():
                    slab.columns[name][:, first:last] = values
        for event in self.energy_events.outages.during(int(slab.span.edges_s[0]), int(slab.span.edges_s[-1])):
            slab.silent[slab.part(event.first, event.last, event.start_s, event.end_s)] = True
        show(self.faults, slab, self._shown_before(span.minutes))
        return slab

    def notices(self, start_s: int, end_s: int) -> Notices:
        """Return what meters say about their power in (start, end] [s since the epoch]."""
        return notices(self.energy_events.outages, self.grid, start_s, end_s)

    def _batch(self, span: Span, meters: Columns) -> ReadingBatch:
        slab = self.slab(span, meters)
        said = self.notices(int(span.edges_s[0]), int(span.edges_s[-1]))
        batch = slab.batch(self.grid.meter_numbers, slab.rows())
        if not len(self.faults):
            return batch
        batch = ReadingBatch.concat([batch, said.batch(self.grid.meter_numbers)])
        return batch.take(np.argsort(batch.time_us, kind="stable"))

    def _day(self, number: int) -> GridDay:
        energy = self.premises.day(self.meters, number)
        transformer = self.grid.transformer_start[self.transformers] - self.meters.start
        net = np.empty((48, len(energy.register_wh)), dtype=np.int32)
        edges = 30 * np.arange(49)
        for start in range(0, net.shape[1], CHUNK):
            here = slice(start, min(start + CHUNK, net.shape[1]))
            net[:, here] = np.diff(drawn(energy, here, edges, self.energy_events.load), axis=0)
            solar, into_grid = fed(energy, here, edges, self.energy_events.outages)
            net[:, here.start + solar] -= np.diff(into_grid, axis=0)
        load_w = 2 * np.add.reduceat(net, transformer, axis=1, dtype=np.int64)
        return GridDay(energy, load_w, drops(self.grid, self.transformers, self.feeders, load_w, number))

    def _around(self, span: Span) -> Surroundings:
        seconds = span.edges_s[1:].astype(np.float64)
        # The busbar and the load are known by half hours: an interval sees the one that it ends in.
        return Surroundings(
            voltages=self.day(span.day).voltages.at((span.edges[1:] - 1) // 30),
            temperature_c=self.weather.temperature_c(seconds),
            frequency_hz=self.weather.frequency_hz(seconds),
        )

    def _shown_before(self, minutes: int) -> Callable[[int, int], dict[str, float]]:
        """Return what finds the reading of a meter at the end of the interval that ended at a moment."""

        def find(meter: int, moment_s: int) -> dict[str, float]:
            (span,) = spans(moment_s // (60 * minutes) - 1, moment_s // (60 * minutes), minutes)
            here = slice(meter - self.meters.start, meter - self.meters.start + 1)
            energies = counted(self.day(span.day).energy, here, span, self.energy_events)
            gauge = Gauge(self.grid, slice(meter, meter + 1))
            shown = gauge.measure(energies, self._around(span), minutes, span.numbers)
            return {name: float(values[0, 0]) for name, values in shown.items()}

        return find


def _neighbours(meters: Columns) -> Rows:
    """Return meters as a slice where they are neighbours: columns of the grid are then views, not copies."""
    first, last = int(meters[0]), int(meters[-1]) + 1
    return slice(first, last) if last - first == len(meters) else meters


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
