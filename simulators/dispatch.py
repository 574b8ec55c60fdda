"""From what meters show to what is sent and when: jitter, and the faults that happen on the way."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from schemas.layout import Floats, Ints
from schemas.readings import ReadingBatch
from simulators.cohorts import Cohort
from simulators.day import Columns
from simulators.fleet import Fleet
from simulators.garbage import Garbage, garbage_bytes
from simulators.randomness import Bits, draw, fraction, keys, lane, salt
from simulators.span import Span, spans
from simulators.transformers import TransformerMeters
from simulators.wire import send

_PHASE, _JITTER = salt("phase"), salt("jitter")
#: Part of the jitter that changes from interval to interval; the rest is the sender's own place in the queue.
_RESTLESS = 0.1


@dataclass(frozen=True)
class Dispatch:
    """What is sent in a span of time, ordered by sending time.

    Attributes:
        batch: readings.
        due_s: float64[n], when each is sent, seconds since the epoch.
        meter: int64[n], who sends it, position in the grid's senders.
        garbage: what else is sent.
    """

    batch: ReadingBatch
    due_s: Floats
    meter: Ints
    garbage: list[Garbage] = field(default_factory=list)


@dataclass(frozen=True)
class Timing:
    """When meters send.

    Attributes:
        jitter_s: readings leave within so many seconds after their interval; 0 is all at its edge [s].
        together: all meters of a transformer at once, as a concentrator sends them.
    """

    jitter_s: float = 0.0
    together: bool = False


@dataclass(frozen=True)
class Dispatcher:
    """Sends a fleet's readings.

    Args:
        fleet: whose.
        cohorts: which meters report how often.
        timing: when they send.
        transformer_meters: send too, where they are given; as often as the first cohort.
    """

    fleet: Fleet
    cohorts: tuple[Cohort, ...]
    timing: Timing
    transformer_meters: TransformerMeters | None = None

    def run(self, start_s: int, end_s: int, batch_rows: int) -> Iterator[Dispatch]:
        """Generate everything that is sent because of intervals that end in (start, end].

        What is late beyond the end comes last, with its own times: nothing generated is left out.

        Args:
            start_s: seconds since the epoch, on the grid of the longest interval.
            end_s: the same.
            batch_rows: about how many readings to work on at once.
        """
        tick_s = max(cohort.minutes for cohort in self.cohorts) * 60
        rows = sum(len(cohort.meters) * (tick_s // 60 // cohort.minutes) for cohort in self.cohorts)
        stride_s = max(1, batch_rows // max(rows, 1)) * tick_s
        waiting = Dispatch(ReadingBatch.empty(), np.empty(0), np.empty(0, np.int64))
        for begin in range(start_s, end_s, stride_s):
            until = min(begin + stride_s, end_s)
            parts = [waiting, *(part for cohort in self.cohorts for part in self._cohort(cohort, begin, until))]
            everything = _in_order([*parts, *self._transformers(begin, until), self._notices(begin, until)])
            now, waiting = _split(everything, until)
            yield now
        yield waiting

    def _cohort(self, cohort: Cohort, begin_s: int, end_s: int) -> Iterator[Dispatch]:
        length = cohort.minutes * 60
        for span in spans(begin_s // length, end_s // length, cohort.minutes):
            slab = self.fleet.slab(span, cohort.meters)
            wire = send(slab, self._due(span, self._senders(cohort.meters)), self.fleet.faults)
            batch = slab.batch(self.fleet.grid.meter_numbers, wire.rows)
            meter = cohort.meters[wire.rows % len(cohort.meters)].astype(np.int64)
            spoilt = [
                Garbage(due, int(cohort.meters[row % len(cohort.meters)]), garbage_bytes(bits, size))
                for due, row, bits, size in wire.garbage
            ]
            yield Dispatch(batch, wire.due_s, meter, spoilt)

    def _transformers(self, begin_s: int, end_s: int) -> Iterator[Dispatch]:
        if self.transformer_meters is None:
            return
        first, length = self.fleet.grid.meters, self.cohorts[0].minutes * 60
        for span in spans(begin_s // length, end_s // length, length // 60):
            batch, rows = self.transformer_meters.readings(span)
            sender = np.arange(first + self.fleet.transformers.start, first + self.fleet.transformers.stop)
            due = self._due(span, self._concentrators[self.fleet.transformers]).reshape(-1)[rows]
            yield Dispatch(batch, due, sender[rows % len(sender)])

    @cached_property
    def _concentrators(self) -> Bits:
        """Generator keys of the concentrators, one at each transformer."""
        grid = self.fleet.grid
        return keys(grid.seed, "concentrator", np.arange(len(grid.transformer_kva)))

    def _senders(self, meters: Columns) -> Bits:
        grid = self.fleet.grid
        return self._concentrators[grid.meter_transformer[meters]] if self.timing.together else grid.keys[meters]

    def _due(self, span: Span, sender: Bits) -> Floats:
        """Return when each reading would be sent if nothing went wrong, float64[k, n] [s since the epoch]."""
        ends = span.edges_s[1:].astype(np.float64)[:, None]
        if not self.timing.jitter_s:
            return np.repeat(ends, len(sender), axis=1)
        phase = fraction(lane(draw(sender, _PHASE, 0), 0))
        restless = fraction(lane(draw(sender, _JITTER, span.numbers[:, None]), 0))
        due: Floats = ends + self.timing.jitter_s * ((1 - _RESTLESS) * phase + _RESTLESS * restless)
        return due

    def _notices(self, begin_s: int, end_s: int) -> Dispatch:
        """Return what meters say about their power; it is sent at once."""
        said = self.fleet.notices(begin_s, end_s)
        batch = said.batch(self.fleet.grid.meter_numbers)
        return Dispatch(batch, said.time_s.astype(np.float64), said.meter)


def _in_order(parts: list[Dispatch]) -> Dispatch:
    batch = ReadingBatch.concat([part.batch for part in parts])
    due, meter = (np.concatenate([getattr(part, name) for part in parts]) for name in ("due_s", "meter"))
    garbage = sorted(item for part in parts for item in part.garbage)
    if (np.diff(due) >= 0).all():
        return Dispatch(batch, due, meter, garbage)
    order = np.argsort(due, kind="stable")
    return Dispatch(batch.take(order), due[order], meter[order], garbage)


def _split(everything: Dispatch, until_s: float) -> tuple[Dispatch, Dispatch]:
    """Cut off what is due later than a moment."""
    count = int(np.searchsorted(everything.due_s, until_s, side="right"))
    early = [item for item in everything.garbage if item.due_s <= until_s]
    late = [item for item in everything.garbage if item.due_s > until_s]
    batch, due, meter = everything.batch, everything.due_s, everything.meter
    return (
        Dispatch(batch.slice(0, count), due[:count], meter[:count], early),
        Dispatch(batch.slice(count, len(batch) - count), due[count:], meter[count:], late),
    )
