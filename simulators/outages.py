"""Outages as the grid runs them: who is without power until when, who says a last word, who reports back."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.layout import Ints, Mask
from schemas.readings import ReadingBatch
from schemas.supply import LAST_GASP, POWER_UP
from simulators.columns import fixed_text, instants
from simulators.faults import FaultClass
from simulators.grid import Grid
from simulators.randomness import draw, fraction, lane, salt
from simulators.schedule import Event, Events

#: The first transformer of a feeder is back after this share of the outage, the last one at its end.
_FIRST_BACK = 0.6
#: Share of meters whose capacitor lasts for a message when power goes (utilities report 80 to 95 %).
_LAST_GASP_SHARE = 0.85
_LAST_GASP = salt("last gasp")


def restorations(events: Events, grid: Grid) -> Events:
    """Return all outages by transformer: a feeder comes back transformer by transformer, from the substation on."""
    single = events.of(FaultClass.TRANSFORMER_OUTAGE)
    wide = [_staggered(event, grid) for event in events.of(FaultClass.FEEDER_OUTAGE)]
    return Events.concat([single, *wide])


def _staggered(event: Event, grid: Grid) -> Events:
    transformers = np.arange(grid.feeder_start[event.element], grid.feeder_start[event.element + 1])
    back = _FIRST_BACK + (1 - _FIRST_BACK) * grid.transformer_position[transformers]
    end = event.start_s + np.rint((event.end_s - event.start_s) * back / 60).astype(np.int64) * 60
    count = len(transformers)
    return Events(
        np.full(count, event.fault, dtype=np.int8),
        transformers,
        grid.transformer_start[transformers],
        grid.transformer_start[transformers + 1],
        np.full(count, event.start_s),
        end,
        np.full(count, event.size),
        np.full(count, event.bits, dtype=np.uint64),
    )


@dataclass(frozen=True)
class Notices:
    """Messages of meters about their power: readings without values.

    Attributes:
        meter: int64[n].
        time_s: int64[n], seconds since the epoch.
        gasp: bool[n], whether it is a last gasp; otherwise power is back.
    """

    meter: Ints
    time_s: Ints
    gasp: Mask

    def batch(self, numbers: npt.NDArray[np.bytes_]) -> ReadingBatch:
        """Return them as readings without values; `source_quality` says what they are.

        Args:
            numbers: meter numbers of the whole grid.
        """
        words = pa.array([POWER_UP, LAST_GASP]).take(pa.array(self.gasp.astype(np.int8)))
        return ReadingBatch.from_columns(
            meter_number=fixed_text(numbers[self.meter]), reading_time=instants(self.time_s), source_quality=words
        )


def notices(outages: Events, grid: Grid, start_s: int, end_s: int) -> Notices:
    """Return what meters say in (start, end] about their power, by time and meter."""
    meters, times, gasps = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, dtype=bool)]
    for event in outages:
        meter = np.arange(event.first, event.last)
        bits = draw(grid.keys[meter], _LAST_GASP, event.start_s)
        lasts = fraction(lane(bits, 0)) < _LAST_GASP_SHARE
        gasp = event.start_s + 1 + (fraction(lane(bits, 1)) * 8).astype(np.int64)
        back = event.end_s + 5 + (fraction(lane(bits, 2)) * 50).astype(np.int64)
        meters += [meter[lasts], meter]
        times += [gasp[lasts], back]
        gasps += [np.ones(int(lasts.sum()), dtype=bool), np.zeros(len(meter), dtype=bool)]
    meter, time_s, gasp_flag = np.concatenate(meters), np.concatenate(times), np.concatenate(gasps)
    inside = np.flatnonzero((time_s > start_s) & (time_s <= end_s))
    order = inside[np.lexsort((meter[inside], time_s[inside]))]
    return Notices(meter[order], time_s[order], gasp_flag[order])
