"""Faults of what meters show: the energy is right, the reading is not."""

from collections.abc import Callable

import numpy as np

from schemas.layout import Floats
from simulators.faults import CLASSES, FaultClass
from simulators.local_time import DAY_S
from simulators.schedule import Event, Events
from simulators.slab import Slab

Window = tuple[slice, slice]
#: Returns what a meter showed in the interval that ended at a moment [s since the epoch]: value by column.
Before = Callable[[int, int], dict[str, float]]

_ENERGY = ("consumption_kwh", "demand_kw", "register_kwh", "export_kwh", "reactive_kvarh")


def show(events: Events, slab: Slab, before: Before) -> None:
    """Let the faults of a run of intervals change what meters show, in place.

    Args:
        events: of the display, and those that silence meters or turn their clocks.
        slab: readings without them.
        before: looks up an earlier reading.
    """
    edges = slab.span.edges_s
    for event in events.during(int(edges[0]), int(edges[-1])):
        window = slab.part(event.first, event.last, event.start_s, event.end_s)
        fault = CLASSES[event.fault]
        if fault in _CHANGES:
            _CHANGES[fault](slab, window, event)
        elif fault is FaultClass.STUCK:
            for name, value in before(event.first, event.start_s).items():
                slab.columns[name][window] = value
        elif fault in (FaultClass.MISSING, FaultClass.METER_OUTAGE):
            slab.silent[window] = True


def _energy(slab: Slab, window: Window, event: Event) -> None:
    # A quiet interval times any factor would still be quiet: it is taken as one of 250 W.
    for name, least in (("consumption_kwh", 0.25 * slab.span.minutes / 60), ("demand_kw", 0.25)):
        _scale(slab.columns[name], window, event.size, 10_000, least)


def _unit_change(slab: Slab, window: Window, event: Event) -> None:
    names = ("voltage",) if event.size < 100 else _ENERGY
    for name in names:
        _scale(slab.columns[name], window, event.size, 10_000)


def _voltage(slab: Slab, window: Window, event: Event) -> None:
    _scale(slab.columns["voltage"], window, event.size, 10)
    # Appliances with power supplies draw the same power at any voltage.
    _scale(slab.columns["current_amps"], window, 1 / event.size, 1_000)


def _clock_drift(slab: Slab, window: Window, event: Event) -> None:
    elapsed = slab.clock_s[window] - event.start_s
    slab.clock_s[window] += np.rint(elapsed * (event.size / DAY_S)).astype(np.int64)


_CHANGES: dict[FaultClass, Callable[[Slab, Window, Event], None]] = {
    FaultClass.SPIKE: _energy,
    FaultClass.NEGATIVE: _energy,
    FaultClass.UNIT_CHANGE: _unit_change,
    FaultClass.SAG: _voltage,
    FaultClass.SWELL: _voltage,
    FaultClass.CLOCK_DRIFT: _clock_drift,
}


def _scale(values: Floats, window: Window, factor: float, steps: int, least: float = -np.inf) -> None:
    values[window] = np.rint(np.maximum(values[window], least) * factor * steps) / steps
