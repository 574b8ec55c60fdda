"""Figures that are overdue by their age: what nothing that comes can tell, because nothing comes.

Only a series that was on time can be late: one whose newest figure was overdue when it came is a replay of the past. A
tick without any figure, which is what an empty delivery is, makes no series any younger.
"""

from dataclasses import dataclass

import numpy as np

from processors.market.flags import silent
from processors.market.series import SEPARATOR, SeriesState
from processors.market.terms import Terms
from processors.state import NEVER_US
from schemas.alerts import Alert, AlertKind, Severity, alert_id
from schemas.layout import Ints, Mask, Positions, instant_of
from schemas.ticks import TickBatch


@dataclass(frozen=True)
class Patience:
    """How old the newest figure of a series may become.

    Attributes:
        intervals: after the end of its interval, so many more of them.
        grace_s: and this long: publishers are a few minutes late themselves [s].
    """

    intervals: int = 2
    grace_s: float = 600.0


def note_figures(
    batch: TickBatch,
    terms: Terms,
    rows: Positions,
    state: SeriesState,
    arrived_us: Ints,
    patience: Patience,
    skip: Mask | None = None,
) -> None:
    """Remember until when each series has figures, and when the next one is overdue.

    Args:
        batch: n valid ticks, in the order of their partition.
        terms: what their markets' definitions say.
        rows: intp[n], state row of each tick's series.
        state: the partition's state; changed in place.
        arrived_us: int64[n], arrival in Kafka [us since 1970-01-01 UTC].
        patience: bounds.
        skip: bool[n], ticks that the state has already seen.
    """
    speaks = terms.regular & ~silent(batch)
    if skip is not None:
        speaks &= ~skip
    at = np.flatnonzero(speaks)
    # The newest of each series last; of equal ones that which came last.
    at = at[np.lexsort((terms.end_us[at], rows[at]))]
    at = at[np.r_[np.diff(rows[at]) != 0, True]] if len(at) else at
    at = at[terms.end_us[at] >= state.figure_end_us[rows[at]]]
    end_us = terms.end_us[at]
    due_us = end_us + patience.intervals * (end_us - terms.start_us[at]) + round(patience.grace_s * 1e6)
    state.figure_end_us[rows[at]] = end_us
    state.overdue_us[rows[at]] = np.where(arrived_us[at] <= due_us, due_us, NEVER_US)


def find_overdue(state: SeriesState, now_us: int) -> Positions:
    """Return the rows of series whose next figure should have come by now."""
    overdue_us = state.overdue_us[: state.extent]
    return np.flatnonzero((overdue_us != NEVER_US) & (overdue_us < now_us))


def overdue_alerts(state: SeriesState, rows: Positions) -> list[Alert]:
    """Tell that figures are overdue; the same absence always gives the same alert, whoever tells it and when."""
    ends_us, due_us = state.figure_end_us[rows].tolist(), state.overdue_us[rows].tolist()
    return [_alert(*found) for found in zip(state.names_at(rows), ends_us, due_us, strict=True)]


def _alert(key: str, end_us: int, due_us: int) -> Alert:
    market, symbol, kind = key.split(SEPARATOR)
    element, age_s = f"market/{market}/{symbol}", (due_us - end_us) / 1e6
    since = f"{instant_of(end_us):%Y-%m-%dT%H:%M:%SZ}"
    return Alert(
        alert_id=alert_id(AlertKind.OVERDUE_TICK, f"{element}/{kind}", end_us),
        kind=AlertKind.OVERDUE_TICK,
        severity=Severity.WARNING,
        element=element,
        occurred_at=instant_of(end_us),
        arrived_at=instant_of(due_us),
        measured=age_s,
        expected=0.0,
        unit="s",
        score=1.0,
        message=f"{market}/{symbol}: no {kind} since {since}, for more than {age_s:.0f} s",
    )
