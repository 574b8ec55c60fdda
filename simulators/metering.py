"""From what customers would draw to what their meters count, fault by fault."""

import numpy as np

from schemas.layout import Ints
from simulators.day import Columns, Day
from simulators.energy_events import EnergyEvents, Layer
from simulators.local_time import DAY_S
from simulators.measurement import Energies
from simulators.schedule import Events
from simulators.span import Span

#: Registers show this many watt-hours before they start again at zero; larger ones have more digits.
_LEAST_LIMIT_WH = 100_000_000


def drawn(day: Day, here: slice, minutes: Ints, layers: tuple[Layer, ...]) -> Ints:
    """Return running totals since the epoch as some layers of faults leave them.

    Args:
        day: of a run of meters.
        here: which of them, by position.
        minutes: int64[k], of the day.
        layers: in the order in which they act.

    Returns: int64[k, n] [Wh].
    """
    total = day.register_wh[here] + day.drawn(here, minutes)
    for layer in layers:
        layer.apply(day.run(here), total)
    return total


def fed(day: Day, here: slice, minutes: Ints, outages: Events) -> tuple[Columns, Ints]:
    """Return what panels fed in since midnight; nothing does while the grid is without power.

    Args:
        day: of a run of meters.
        here: which of them, by position.
        minutes: int64[k], of the day.
        outages: by transformer.

    Returns: int[s], those with panels, by position in the run; int64[k, s] [Wh].
    """
    solar, total = day.fed(here, minutes)
    run, midnight = day.run(here), day.number * DAY_S
    usual = total.copy() if len(solar) else total
    for event in outages.touching(run).during(midnight, midnight + DAY_S):
        start, end = (min(max(moment - midnight, 0), DAY_S) // 60 for moment in (event.start_s, event.end_s))
        dark = slice(*np.searchsorted(solar, (event.first - run.start, event.last - run.start)))
        lost = day.fed(here, np.clip(minutes, start, end))[1] - day.fed(here, np.array([start]))[1]
        usual[:, dark] -= lost[:, dark]
    return solar, usual


def counted(day: Day, here: slice, span: Span, events: EnergyEvents) -> Energies:
    """Return what the meters of a run count in consecutive intervals.

    Args:
        day: that the intervals lie in.
        here: which of its meters, by position.
        span: the intervals.
        events: faults.
    """
    total = drawn(day, here, span.edges, events.load + events.metering[:-1])
    backwards, removed = events.reversed_polarity.apply(day.run(here), total)
    columns, which = np.unique(backwards, return_inverse=True)
    returned = np.zeros((span.count, len(columns)), dtype=np.int64)
    np.add.at(returned.T, which, np.diff(removed, axis=0).T)
    solar, into_grid = fed(day, here, span.edges, events.outages)
    return Energies(
        register_wh=_marked(total[1:], day.run(here), span, events),
        drawn_wh=np.diff(total, axis=0),
        solar=solar,
        fed_wh=np.diff(into_grid, axis=0),
        reversed=columns,
        reversed_wh=returned,
    )


def _marked(register_wh: Ints, run: slice, span: Span, events: EnergyEvents) -> Ints:
    """Return registers with rollovers and resets, int64[k, n] [Wh]."""
    which, columns = events.marks.among(run)
    if not len(columns):
        return register_wh
    register, ends = register_wh.copy(), span.edges_s[1:]
    marks = zip(
        columns.tolist(),
        events.marks.from_wh[which].tolist(),
        events.rolled[which].tolist(),
        events.mark_s[which].tolist(),
        strict=True,
    )
    for column, zero_wh, rolled, start_s in marks:
        # The last watt-hour before the mark still shows on the old side of it.
        since = register_wh[:, column] - zero_wh - rolled
        limit = max(_LEAST_LIMIT_WH, 10 ** len(str(zero_wh)))
        register[:, column] = since % limit if rolled else np.where(ends > start_s, since, register_wh[:, column])
    return register
