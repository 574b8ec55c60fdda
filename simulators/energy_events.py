"""Faults that change energy: registers stay exact, because a fault takes its share of what the register counted.

A fault between two moments removes floor(share x (C(t) - C(start))) from the running total C, with t kept between its
start and its end. That is again a running total of whole watt-hours, so intervals, registers and loads stay in step
whatever the interval, and what was removed stays removed afterwards.
"""

from dataclasses import dataclass

import numpy as np

from schemas.layout import Floats, Ints, Mask
from simulators.day import Columns
from simulators.faults import NUMBER, FaultClass
from simulators.grid import Grid
from simulators.local_time import DAY_MINUTES, HALF_HOURS
from simulators.network import MIX_POWER_FACTOR
from simulators.outages import restorations
from simulators.premises import Premises
from simulators.schedule import Events


@dataclass(frozen=True)
class Probe:
    """Meters and moments at which running totals are needed, ordered by meter.

    Attributes:
        meter: int64[p].
        minute: int64[p], since the epoch.
    """

    meter: Ints
    minute: Ints


@dataclass(frozen=True)
class Layer:
    """Faults of one kind, none of which overlap on a meter.

    Attributes:
        meter: int64[e], rising.
        from_wh: int64[e], running total at the start, as the layers before leave it [Wh].
        to_wh: int64[e], the same at the end [Wh].
        share: float64[e], what is removed; negative for what is added.
    """

    meter: Ints
    from_wh: Ints
    to_wh: Ints
    share: Floats

    def among(self, meters: slice) -> tuple[slice, Columns]:
        """Return the faults of a run of meters, and which of the run they are on."""
        first, last = np.searchsorted(self.meter, (meters.start, meters.stop))
        return slice(int(first), int(last)), self.meter[first:last] - meters.start

    def removed(self, which: slice, total_wh: Ints) -> Ints:
        """Return what some of the faults have removed when the total stands at total_wh, int64[k, e] [Wh]."""
        part = np.clip(total_wh, self.from_wh[which], self.to_wh[which]) - self.from_wh[which]
        share = self.share[which]
        whole: Ints = (np.sign(share) * np.floor(np.abs(share) * part)).astype(np.int64)
        return whole

    def apply(self, meters: slice, total_wh: Ints) -> tuple[Columns, Ints]:
        """Take away what was removed from running totals, int64[k, n], in place; return it with its columns."""
        which, columns = self.among(meters)
        removed = self.removed(which, total_wh[:, columns])
        np.subtract.at(total_wh.T, columns, removed.T)
        return columns, removed


@dataclass(frozen=True)
class EnergyEvents:
    """All faults of a run that change energy, or what registers make of it.

    Attributes:
        load: what customers really draw: outages and overloads, in this order.
        metering: what meters count of it: dead, bypassed, and reversed ones, in this order.
        marks: registers that roll over or are reset; they remove nothing, `from_wh` is where it happens.
        rolled: bool[e], which of the marks are rollovers.
        mark_s: int64[e], when, seconds since the epoch.
        outages: the outages as scheduled, with those of feeders cut into transformers.
    """

    load: tuple[Layer, ...]
    metering: tuple[Layer, ...]
    marks: Layer
    rolled: Mask
    mark_s: Ints
    outages: Events

    @property
    def reversed_polarity(self) -> Layer:
        """The last layer: what it removes shows as fed in."""
        return self.metering[-1]


def energy_events(events: Events, grid: Grid, premises: Premises, meters: slice) -> EnergyEvents:
    """Work out the faults that change energy on a run of meters."""
    mine = events.touching(meters)
    outages = restorations(mine, grid)
    marks = mine.of(FaultClass.REGISTER_ROLLOVER, FaultClass.REGISTER_RESET)
    marks = marks.where(np.argsort(marks.first, kind="stable"))
    kinds = (
        outages,
        _overloads(mine.of(FaultClass.OVERLOAD), grid, premises),
        *(mine.of(fault) for fault in (FaultClass.ZERO, FaultClass.THEFT, FaultClass.REVERSED_POLARITY)),
        marks.resized(np.zeros(len(marks))),
    )
    layers = _layers([_by_meter(kind) for kind in kinds], premises)
    rolled = marks.fault == NUMBER[FaultClass.REGISTER_ROLLOVER]
    return EnergyEvents(tuple(layers[:2]), tuple(layers[2:5]), layers[5], rolled, marks.start_s, outages)


@dataclass(frozen=True)
class Spread:
    """Events spread over their meters, ordered by meter and time.

    Attributes:
        start: where they begin.
        end: where they end.
        share: float64[p].
        event: int64[p], which of the events.
    """

    start: Probe
    end: Probe
    share: Floats
    event: Ints


def _by_meter(events: Events) -> Spread:
    counts = events.last - events.first
    row = np.repeat(np.arange(len(events)), counts)
    meter = events.first[row] + np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    order = np.lexsort((events.start_s[row], meter))
    row, meter = row[order], meter[order]
    start, end = Probe(meter, events.start_s[row] // 60), Probe(meter, events.end_s[row] // 60)
    return Spread(start, end, events.size[row], row)


def _layers(spread: list[Spread], premises: Premises) -> list[Layer]:
    """Measure every start and end on the totals that the layers before leave."""
    edges = [(_totals(part.start, premises), _totals(part.end, premises)) for part in spread]
    layers: list[Layer] = []
    for number, part in enumerate(spread):
        layer = Layer(part.start.meter, *edges[number], part.share)
        for later in range(number + 1, len(spread)):
            probe = spread[later].start.meter
            edges[later] = (_through(layer, probe, edges[later][0]), _through(layer, probe, edges[later][1]))
        layers.append(layer)
    return layers


def _through(layer: Layer, meter: Ints, total_wh: Ints) -> Ints:
    """Return running totals of single meters as a layer leaves them."""
    first, last = np.searchsorted(layer.meter, meter), np.searchsorted(layer.meter, meter, side="right")
    total = total_wh.copy()
    for offset in range(int((last - first).max(initial=0))):
        hit = np.flatnonzero(first + offset < last)
        fault = first[hit] + offset
        part = np.clip(total_wh[hit], layer.from_wh[fault], layer.to_wh[fault]) - layer.from_wh[fault]
        share = layer.share[fault]
        total[hit] -= (np.sign(share) * np.floor(np.abs(share) * part)).astype(np.int64)
    return total


def _totals(probe: Probe, premises: Premises) -> Ints:
    """Return the energy drawn since the epoch, int64[p] [Wh], without any fault."""
    total = np.empty(len(probe.meter), dtype=np.int64)
    days = probe.minute // DAY_MINUTES
    for day in np.unique(days).tolist():
        rows = np.flatnonzero(days == day)
        known = premises.day(probe.meter[rows], day)
        total[rows] = known.register_wh + known.drawn_each(probe.minute[rows] - day * DAY_MINUTES)
    return total


def _overloads(events: Events, grid: Grid, premises: Premises) -> Events:
    """Turn the peak load that transformers are to reach into the share by which their customers draw more."""
    if not len(events):
        return events
    spread = _by_meter(events)
    first, last = events.start_s // 1800, (events.end_s - 1) // 1800
    peak_w = np.ones(len(events))
    for day in range(int(first.min()) // HALF_HOURS, int(last.max()) // HALF_HOURS + 1):
        acting = np.flatnonzero((first // HALF_HOURS <= day) & (last // HALF_HOURS >= day))
        rows = np.flatnonzero(np.isin(spread.event, acting))
        drawn_wh = np.diff(premises.day(spread.start.meter[rows], day).drawn_wh, axis=0)
        number = day * HALF_HOURS + np.arange(HALF_HOURS)[:, None]
        during = (number >= first) & (number <= last)
        usual_w = 2 * np.stack([np.bincount(spread.event[rows], step, len(events)) for step in drawn_wh])
        peak_w = np.maximum(peak_w, (usual_w * during).max(axis=0))
    wanted_w = events.size * grid.transformer_kva[events.element] * (1000 * MIX_POWER_FACTOR)
    return events.resized(-np.maximum(wanted_w / peak_w - 1, 0.2))
