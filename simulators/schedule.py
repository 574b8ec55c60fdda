"""The schedule of faults of a run: which element, when, how long, how large; a function of seed and profile alone."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats, Ints, Mask
from simulators.faults import CATALOGUE, CLASSES, NUMBER, Element, FaultClass
from simulators.grid import Grid
from simulators.local_time import DAY_S
from simulators.profile import Profile
from simulators.randomness import Bits, draw, fraction, keys, lane, salt, uniform


@dataclass(frozen=True)
class Events:
    """Faults as columns, one row each.

    Attributes:
        fault: int8[e], position in CLASSES.
        element: int64[e], meter, transformer or feeder, as its class says.
        first: int64[e], first meter that it touches.
        last: int64[e], one after the last meter that it touches.
        start_s: int64[e], seconds since the epoch.
        end_s: int64[e], seconds since the epoch.
        size: float64[e], in the unit of the class.
        bits: uint64[e], for further choices.
    """

    fault: npt.NDArray[np.int8]
    element: Ints
    first: Ints
    last: Ints
    start_s: Ints
    end_s: Ints
    size: Floats
    bits: Bits

    def __len__(self) -> int:
        return len(self.fault)

    def __iter__(self) -> Iterator["Event"]:
        columns = [getattr(self, field.name).tolist() for field in fields(self)]
        return (Event(*row) for row in zip(*columns, strict=True))

    def where(self, rows: Mask | npt.NDArray[np.intp]) -> "Events":
        """Return some of the events."""
        return Events(*(getattr(self, field.name)[rows] for field in fields(self)))

    def of(self, *classes: FaultClass) -> "Events":
        """Return the events of some classes."""
        return self.where(np.isin(self.fault, [NUMBER[fault] for fault in classes]))

    def touching(self, meters: slice) -> "Events":
        """Return the events that touch a run of meters."""
        return self.where((self.first < meters.stop) & (self.last > meters.start))

    def during(self, start_s: int, end_s: int) -> "Events":
        """Return the events with some time in (start, end]."""
        return self.where((self.start_s < end_s) & (self.end_s > start_s))

    def resized(self, size: Floats) -> "Events":
        """Return the same events with other sizes."""
        return replace(self, size=size)

    @classmethod
    def none(cls) -> "Events":
        """Return no events."""
        empty = np.empty(0, dtype=np.int64)
        numbers = (empty, empty, empty, empty, empty)
        return cls(empty.astype(np.int8), *numbers, empty.astype(np.float64), empty.astype(np.uint64))

    @classmethod
    def concat(cls, parts: list["Events"]) -> "Events":
        """Put events one behind the other."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


@dataclass(frozen=True)
class Event:
    """One row of `Events`."""

    fault: int
    element: int
    first: int
    last: int
    start_s: int
    end_s: int
    size: float
    bits: int


@dataclass(frozen=True)
class Window:
    """The time of a run.

    Attributes:
        start_s: seconds since the epoch.
        end_s: seconds since the epoch.
        interval_s: longest reporting interval of the run: faults of readings cover whole ones [s].
    """

    start_s: int
    end_s: int
    interval_s: int


#: Faults that begin and end at any minute; all others cover whole intervals, because readings do.
_BY_THE_MINUTE = {FaultClass.OVERLOAD, FaultClass.TRANSFORMER_OUTAGE, FaultClass.FEEDER_OUTAGE}
#: Faults that leave a mark for the rest of the run: a second one of the kind would blur it.
_LASTING = {FaultClass.REGISTER_ROLLOVER, FaultClass.REGISTER_RESET, FaultClass.WRONG_TRANSFORMER}


def schedule(profile: Profile, grid: Grid, seed: int, window: Window) -> Events:
    """Draw all faults of a run, ordered by start; at most one at a time on any element.

    Args:
        profile: how often.
        grid: on what.
        seed: equal seeds give equal faults.
        window: when.
    """
    parts = [_drawn(profile, fault, grid, seed, window) for fault in CLASSES if fault in profile.faults]
    if not parts:
        return Events.none()
    events = Events.concat(parts)
    # The wide ones first: a fault of a meter that has no power could not be seen.
    feeders = one_at_a_time(events.of(FaultClass.FEEDER_OUTAGE))
    outages = Events.concat([feeders, _clear_of(one_at_a_time(events.of(FaultClass.TRANSFORMER_OUTAGE)), feeders)])
    areas = one_at_a_time(events.of(FaultClass.SAG, FaultClass.SWELL, FaultClass.OVERLOAD, FaultClass.STORM))
    meters = one_at_a_time(events.of(*(fault for fault in CLASSES if CATALOGUE[fault].element is Element.METER)))
    kept = Events.concat([outages, _clear_of(areas, outages), _clear_of(meters, outages)])
    return kept.where(np.lexsort((kept.element, kept.fault, kept.start_s)))


def _drawn(profile: Profile, fault: FaultClass, grid: Grid, seed: int, window: Window) -> Events:
    settings, spec = profile.faults[fault], CATALOGUE[fault]
    elements = {
        Element.METER: grid.meters,
        Element.TRANSFORMER: len(grid.transformer_kva),
        Element.FEEDER: len(grid.feeder_substation),
    }[spec.element]
    entity = keys(seed, spec.element, np.arange(elements)) if settings.rate else np.empty(0, np.uint64)
    element, start, bits = by_rate(settings.rate, fault, entity, window)
    more, begin, others = by_count(settings.count, fault, elements, seed, window)
    element, start = np.concatenate([element, more]), np.concatenate([start, begin])
    bits = np.concatenate([bits, others])
    minutes, size = profile.minutes(fault), profile.size(fault)
    duration = 60 * (minutes[0] + (minutes[1] - minutes[0]) * fraction(lane(bits, 0)))
    unit = 60 if fault in _BY_THE_MINUTE else window.interval_s
    start = start // unit * unit
    # What would outlast the run ends with it: nobody can see more.
    end = np.minimum(start + np.maximum(1, np.rint(duration / unit)).astype(np.int64) * unit, window.end_s)
    if fault is FaultClass.WRONG_TRANSFORMER:
        start, end = np.full_like(start, window.start_s), np.full_like(end, window.end_s)
    drawn = size[0] + (size[1] - size[0]) * fraction(lane(bits, 1))
    if fault is FaultClass.UNIT_CHANGE:
        drawn = np.where(lane(bits, 2) & np.uint16(1), size[0], size[1])
    first, last = _meters_of(grid, spec.element, element)
    number = np.full(len(element), NUMBER[fault], dtype=np.int8)
    return Events(number, element, first, last, start, end, drawn, bits)


def by_rate(rate: float, fault: FaultClass, entity: Bits, window: Window) -> tuple[Ints, Ints, Bits]:
    """Draw for each element and day of the run whether, and when, it happens; elements go by their generator keys."""
    found, starts, bits = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
    purpose, when = salt("fault", fault), salt("fault when", fault)
    for day in range(window.start_s // DAY_S, -(-window.end_s // DAY_S)):
        hit = np.flatnonzero(uniform(draw(entity, purpose, day)) < rate)
        detail = draw(entity[hit], when, day)
        start = day * DAY_S + (uniform(draw(detail, purpose, 0)) * DAY_S).astype(np.int64)
        inside = (start >= window.start_s) & (start < window.end_s)
        found.append(hit[inside].astype(np.int64))
        starts.append(start[inside])
        bits.append(detail[inside])
    return np.concatenate(found), np.concatenate(starts), np.concatenate(bits)


def by_count(count: int, fault: FaultClass, elements: int, seed: int, window: Window) -> tuple[Ints, Ints, Bits]:
    """Draw elements and times for a fixed number of events, early enough in the run to be seen."""
    bits = keys(seed, f"fault {fault}", np.arange(count))
    element = (uniform(draw(bits, salt("element"), 0)) * elements).astype(np.int64)
    span = window.end_s - window.start_s
    # A reading before, to compare with, and one after: not in the first fifth, not in the last tenth.
    start = window.start_s + ((0.2 + 0.7 * uniform(draw(bits, salt("start"), 0))) * span).astype(np.int64)
    return element, start, bits


def _meters_of(grid: Grid, kind: Element, element: Ints) -> tuple[Ints, Ints]:
    if kind is Element.METER:
        return element, element + 1
    if kind is Element.TRANSFORMER:
        return grid.transformer_start[element], grid.transformer_start[element + 1]
    start = grid.transformer_start[grid.feeder_start]
    return start[element], start[element + 1]


def one_at_a_time(events: Events) -> Events:
    """Drop events that begin before an earlier one of the same element has ended."""
    lasting = np.isin(events.fault, [NUMBER[fault] for fault in _LASTING])
    order = np.lexsort((events.fault, events.start_s, ~lasting, events.first))
    events = events.where(order)
    while len(events):
        same = events.first[1:] == events.first[:-1]
        mark = np.isin(events.fault[:-1], [NUMBER[fault] for fault in _LASTING])
        clash = np.r_[False, same & (mark | (events.start_s[1:] < events.end_s[:-1]))]
        # Of a run of clashing events only the first is sure to go now: the others may clash with what goes.
        clash[1:] &= ~clash[:-1]
        if not clash.any():
            break
        events = events.where(~clash)
    return events


def _clear_of(events: Events, wide: Events) -> Events:
    """Drop events whose meters lie within those of a wider event at the same time."""
    order = np.argsort(events.first, kind="stable")
    events, clear = events.where(order), np.ones(len(events), dtype=bool)
    for other in wide:
        rows = slice(*np.searchsorted(events.first, (other.first, other.last)))
        clear[rows] &= (events.start_s[rows] >= other.end_s) | (events.end_s[rows] <= other.start_s)
    return events.where(clear)
