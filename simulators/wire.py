"""Faults on the way from the meter: copies, delays, and bytes that nobody can read."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats
from simulators.faults import CLASSES, FaultClass
from simulators.schedule import Event, Events
from simulators.slab import Slab

Cells = npt.NDArray[np.intp]

#: Seconds between the copies of a meter that is not sure it was heard, and of one that takes part in a storm.
_COPY_S, _STORM_S = 20.0, 1.5


class Spoilt(NamedTuple):
    """A reading that is sent as garbage.

    Attributes:
        due_s: when, seconds since the epoch.
        row: position in the flattened matrices.
        bits: for its content.
        size: of the payload [bytes].
    """

    due_s: float
    row: int
    bits: int
    size: int


@dataclass(frozen=True)
class Wire:
    """Readings of a slab on their way.

    Attributes:
        due_s: float64[r], when each is sent, seconds since the epoch.
        rows: int[r], positions in the flattened matrices of the slab; one that is sent twice is there twice.
        garbage: what is sent in place of readings.
    """

    due_s: Floats
    rows: Cells
    garbage: list[Spoilt]


def send(slab: Slab, due_s: Floats, faults: Events) -> Wire:
    """Put the readings that leave their meters on their way, and let the faults of transport act on them.

    Args:
        slab: readings.
        due_s: float64[k, n], when each would be sent if nothing went wrong, seconds since the epoch.
        faults: of the run.
    """
    rows = slab.rows()
    due = due_s.reshape(-1)[rows]
    edges = slab.span.edges_s
    kept, copies, garbage = np.ones(len(rows), dtype=bool), list[Wire](), list[Spoilt]()
    for event in faults.of(*_TRANSPORT).during(int(edges[0]), int(edges[-1])):
        hit, fault = _hit(slab, rows, event), CLASSES[event.fault]
        if fault is FaultClass.LATE:
            due[hit] += event.size
        elif fault is FaultClass.REORDERED:
            # Every other reading is held back, so that those behind it overtake.
            odd = slab.span.numbers[rows[hit] // len(slab.meters)] % 2 == 1
            due[hit[odd]] += event.size
        elif fault is FaultClass.GARBAGE:
            kept[hit] = False
            garbage += _spoilt(due[hit], rows[hit], event)
        else:
            copies.append(_copied(due[hit], rows[hit], event))
    due = np.concatenate([due[kept], *(copy.due_s for copy in copies)])
    return Wire(due, np.concatenate([rows[kept], *(copy.rows for copy in copies)]), garbage)


_TRANSPORT = (FaultClass.LATE, FaultClass.REORDERED, FaultClass.GARBAGE, FaultClass.DUPLICATE, FaultClass.STORM)


def _hit(slab: Slab, rows: Cells, event: Event) -> Cells:
    """Return which of the readings that leave their meters an event acts on."""
    part_rows, part_columns = slab.part(event.first, event.last, event.start_s, event.end_s)
    row, column = np.arange(part_rows.start, part_rows.stop), np.arange(part_columns.start, part_columns.stop)
    cells = (row[:, None] * len(slab.meters) + column).reshape(-1)
    at = np.searchsorted(rows, cells)
    at = at[at < len(rows)]
    return at[np.isin(rows[at], cells, assume_unique=True)]


def _copied(due_s: Floats, rows: Cells, event: Event) -> Wire:
    gap_s = _COPY_S if CLASSES[event.fault] is FaultClass.DUPLICATE else _STORM_S
    copies = round(event.size)
    later = gap_s * (1 + np.arange(copies))
    return Wire((due_s[:, None] + later).reshape(-1), np.repeat(rows, copies), [])


def _spoilt(due_s: Floats, rows: Cells, event: Event) -> list[Spoilt]:
    # Broken firmware repeats itself; and a label can say what it sent.
    return [
        Spoilt(due, row, event.bits, round(event.size)) for due, row in zip(due_s.tolist(), rows.tolist(), strict=True)
    ]
