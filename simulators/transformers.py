"""Meters of the transformers themselves: what flows into them, which is what their customers draw and what is lost."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from schemas.layout import Floats, Ints
from schemas.readings import ReadingBatch
from simulators.columns import fixed_text, instants
from simulators.day import CHUNK, Columns
from simulators.fleet import Fleet
from simulators.local_time import DAY_S
from simulators.metering import drawn, fed
from simulators.network import MIX_POWER_FACTOR, NOMINAL_V
from simulators.planning import RATINGS_KVA
from simulators.span import Span
from simulators.transformer_thermal import Temperatures, temperatures

#: No-load and load losses of each rating [W]: EU regulation 548/2014, table I.1, tier 2.
_NO_LOAD_W: Floats = np.array([81.0, 130, 189, 270, 387, 540, 693, 1080, 1575, 1980])
_LOAD_W: Floats = np.array([750.0, 1250, 1750, 2350, 3250, 4600, 7600, 12000, 18500, 23000])
#: Losses of the lines behind a transformer at its rated load, as a share of the rating.
_LINE_LOSS = 0.012


def losses_w(load_w: Floats, kva: Floats) -> Floats:
    """Return what transformers and the lines behind them lose, float64[..., t] [W].

    Args:
        load_w: float64[..., t], what customers draw in sum, negative when they feed in [W].
        kva: float64[t], ratings [kVA], each one of RATINGS_KVA.
    """
    rating = np.searchsorted(RATINGS_KVA, kva)
    loading = load_w / (1000 * MIX_POWER_FACTOR) / kva
    lost: Floats = _NO_LOAD_W[rating] + loading * loading * (_LOAD_W[rating] + _LINE_LOSS * 1000 * kva)
    return lost


@dataclass(frozen=True)
class Flow:
    """What went through transformers in consecutive intervals.

    Attributes:
        customers_wh: int64[k, t], drawn less fed in by all meters behind each [Wh].
        lost_wh: int64[k, t], in the transformer and its lines [Wh].
    """

    customers_wh: Ints
    lost_wh: Ints

    @property
    def total_wh(self) -> Ints:
        """What comes from the feeder, negative when it goes back, int64[k, t] [Wh]."""
        return self.customers_wh + self.lost_wh


class TransformerMeters:
    """The meters at the transformers of a fleet.

    Args:
        fleet: whose.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._first = fleet.grid.transformer_start[fleet.transformers] - fleet.meters.start
        self._kva = fleet.grid.transformer_kva[fleet.transformers]
        self.temperatures = lru_cache(maxsize=2)(self._temperatures)

    def flow(self, span: Span) -> Flow:
        """Return what went through each transformer; what customers really draw, not what their meters make of it."""
        fleet, energy = self._fleet, self._fleet.day(span.day).energy
        meters = fleet.meters.stop - fleet.meters.start
        net = np.empty((span.count, meters), dtype=np.int64)
        for start in range(0, meters, CHUNK):
            here = slice(start, min(start + CHUNK, meters))
            net[:, here] = np.diff(drawn(energy, here, span.edges, fleet.energy_events.load), axis=0)
            solar, into_grid = fed(energy, here, span.edges, fleet.energy_events.outages)
            net[:, start + solar] -= np.diff(into_grid, axis=0)
        customers = np.add.reduceat(net, self._first, axis=1)
        hours = span.minutes / 60
        lost = losses_w(customers / hours, self._kva) * hours * self._powered(span)
        return Flow(customers, np.rint(lost).astype(np.int64))

    def readings(self, span: Span) -> tuple[ReadingBatch, Columns]:
        """Return what the meters show, ordered by time, then transformer; those without power are silent.

        Returns: readings; int[n], the place of each in the flattened [intervals, transformers].
        """
        flow, powered = self.flow(span), self._powered(span)
        half_hours = (span.edges[1:] - 1) // 30
        power_w = flow.total_wh * (60.0 / span.minutes)
        voltage = np.rint(self._fleet.day(span.day).voltages.terminals[half_hours] * (NOMINAL_V * 10)) / 10
        current = np.abs(power_w) / (3 * voltage * MIX_POWER_FACTOR)
        columns = {
            "consumption_kwh": np.maximum(flow.total_wh, 0) / 1000.0,
            "export_kwh": np.maximum(-flow.total_wh, 0) / 1000.0,
            "demand_kw": np.rint(np.maximum(power_w, 0) * 10) / 10_000,
            "voltage": voltage,
            "current_amps": np.rint(current * 1000) / 1000,
            "power_factor": np.full(voltage.shape, MIX_POWER_FACTOR),
            "temperature_c": np.rint(self.temperatures(span.day).top_oil[half_hours] * 10) / 10,
        }
        rows = np.flatnonzero((powered > 0).reshape(-1))
        numbers = self._fleet.grid.transformer_meter_numbers[self._fleet.transformers]
        batch = ReadingBatch.from_columns(
            meter_number=fixed_text(np.tile(numbers, span.count)),
            reading_time=instants(np.repeat(span.edges_s[1:], len(numbers))),
            sequence=np.repeat(span.numbers, len(numbers)),
            **{name: values.reshape(-1) for name, values in columns.items()},
        )
        return (batch.take(rows) if len(rows) < len(batch) else batch), rows

    def _powered(self, span: Span) -> Floats:
        """Return 0 where an interval ends without power, else 1, float64[k, t]."""
        powered = np.ones((span.count, len(self._kva)))
        ends = span.edges_s[1:]
        for event in self._fleet.energy_events.outages:
            rows = slice(*np.searchsorted(ends, (event.start_s, event.end_s), side="right"))
            powered[rows, event.element - self._fleet.transformers.start] = 0.0
        return powered

    def _temperatures(self, day: int) -> Temperatures:
        """Return the temperatures at the end of each half hour of a UTC day."""
        days = (day - 1, day) if day else (day, day)
        load_w = np.concatenate([self._fleet.day(number).load_w for number in days]).astype(np.float64)
        seconds = np.concatenate([number * DAY_S + 1800.0 * np.arange(1, 49) for number in days])
        grid = self._fleet.grid
        region = grid.substation_region[grid.feeder_substation[grid.transformer_feeder[self._fleet.transformers]]]
        air = self._fleet.weather.temperature_c(seconds)[:, region]
        found = temperatures(load_w / (1000 * MIX_POWER_FACTOR) / self._kva, air, 30.0)
        return Temperatures(found.top_oil[48:], found.hot_spot[48:])
