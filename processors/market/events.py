"""Alerts of the market, of the same kind as meters': what is remarkable is told, and nothing of it is rejected."""

import numpy as np

from processors.market.anomalies import unusual
from processors.market.depth import sidedness
from processors.market.follow import Followed
from processors.market.price import price_of
from processors.market.terms import Terms
from processors.opinion import NOTHING_BEGUN, Onsets
from schemas.alerts import Alert, AlertKind, Severity, alert_id
from schemas.layout import Ints, Mask, instant_of
from schemas.ticks import TickBatch

_MESSAGES = {
    AlertKind.EXTREME_PRICE: "price {measured:g} {unit}, of at most {expected:g} that the market allows",
    AlertKind.PRICE_SPIKE: "price {measured:g} {unit} after {expected:g}, far more of a change than usual",
    AlertKind.MISSING_TICKS: "{measured:.0f} intervals have not come",
    AlertKind.STUCK_PRICE: "price {measured:g} {unit} has not moved for too many ticks",
    AlertKind.ONE_SIDED_DEPTH: "the bid side is {measured:.3g} times as deep for its best quantity as the ask side",
    AlertKind.CROSSED_QUOTE: "bid {measured:g} {unit} above ask {expected:g}",
    AlertKind.LOCKED_QUOTE: "bid and ask are both {measured:g} {unit}",
    AlertKind.LONE_TRADE: "one trade at {measured:g} {unit} between others at about {expected:g}",
    AlertKind.UNIT_SLIP: "price {measured:g} {unit} stays a power of ten from {expected:g}: a slip of unit or currency",
    AlertKind.UNUSUAL_TICK: "price {measured:g} {unit} after {expected:g}, unusual by what markets show",
    AlertKind.REVISION_ORDER: "revision {measured:.0f} came after revision {expected:.0f}",
}
#: Where it is not a price.
_UNITS = {AlertKind.MISSING_TICKS: "intervals", AlertKind.ONE_SIDED_DEPTH: "factor", AlertKind.REVISION_ORDER: "runs"}
_SEVERITY = {
    AlertKind.EXTREME_PRICE: Severity.CRITICAL,
    AlertKind.LOCKED_QUOTE: Severity.INFO,
    AlertKind.REVISION_ORDER: Severity.INFO,
}


def remarkable(followed: Followed) -> Mask:
    """Say which ticks carry an unusual price or an unusual book, bool[n]."""
    return followed.extreme | unusual(followed.score)


def raise_events(
    batch: TickBatch, terms: Terms, followed: Followed, arrived_us: Ints, where: Mask, begun: Onsets = NOTHING_BEGUN
) -> list[Alert]:
    """Describe what is remarkable of a batch.

    Args:
        batch: n ticks.
        terms: what their markets' definitions say.
        followed: what was found of them.
        arrived_us: int64[n], arrival in Kafka [us].
        where: bool[n], ticks to look at.
        begun: what begins by a model's word alone.

    Returns: alerts in the order of the batch; one tick may show several conditions.
    """
    price, bid, ask = price_of(batch), batch.floats("bid"), batch.floats("ask")
    limit = np.where(price < 0, terms.low, terms.high)
    nothing = np.zeros(len(batch))
    found = (
        (AlertKind.EXTREME_PRICE, followed.extreme_begins, price, limit),
        (AlertKind.PRICE_SPIKE, followed.jump, price, followed.before),
        (AlertKind.ONE_SIDED_DEPTH, followed.sided_begins, np.exp(np.nan_to_num(sidedness(batch))), nothing + 1),
        (AlertKind.MISSING_TICKS, followed.missing > 0, followed.missing.astype(np.float64), nothing),
        (AlertKind.STUCK_PRICE, followed.stuck, price, price),
        (AlertKind.LONE_TRADE, followed.lone, followed.before, followed.lone_base),
        (AlertKind.UNIT_SLIP, followed.slipped, price, followed.slip_base),
        (AlertKind.CROSSED_QUOTE, bid > ask, bid, ask),
        (AlertKind.LOCKED_QUOTE, bid == ask, bid, ask),
        (AlertKind.REVISION_ORDER, followed.behind, batch.revisions.astype(np.float64), batch.revisions + 1.0),
    )
    alerts = [
        (at, _onset(batch, followed, arrived_us, at, severity, reasons))
        for at, severity, reasons in zip(begun.at.tolist(), begun.severity.tolist(), begun.reasons, strict=True)
        if where[at]
    ] + [
        (row, _alert(kind, batch, followed, arrived_us, row, float(measured[row]), float(expected[row])))
        for kind, mask, measured, expected in found
        for row in np.flatnonzero(mask & where).tolist()
    ]
    return [alert for _, alert in sorted(alerts, key=lambda pair: pair[0])]


def element_of(batch: TickBatch, row: int) -> str:
    """Return the name of what a tick is of, such as `market/aemo_nem/NSW1`."""
    return f"market/{batch.column('market')[row].as_py()}/{batch.column('symbol')[row].as_py()}"


def _onset(batch: TickBatch, followed: Followed, arrived_us: Ints, row: int, severity: int, reasons: str) -> Alert:
    price, before = float(price_of(batch.slice(row, 1))[0]), float(followed.before[row])
    alert = _alert(AlertKind.UNUSUAL_TICK, batch, followed, arrived_us, row, price, before)
    return alert.model_copy(
        update={"severity": Severity.CRITICAL if severity > 1 else Severity.WARNING, "reasons": reasons}
    )


def _alert(
    kind: AlertKind,
    batch: TickBatch,
    followed: Followed,
    arrived_us: Ints,
    row: int,
    measured: float,
    expected: float,
) -> Alert:
    element, occurred_us = element_of(batch, row), int(batch.time_us[row])
    unit = _UNITS.get(kind) or batch.column("currency")[row].as_py() or "currency/unit"
    score = float(followed.score[row])
    said = _MESSAGES[kind].format(measured=measured, expected=expected, unit=unit)
    return Alert(
        alert_id=alert_id(kind, f"{element}/{batch.column('kind')[row].as_py()}", occurred_us),
        kind=kind,
        severity=_SEVERITY.get(kind, Severity.WARNING),
        element=element,
        occurred_at=instant_of(occurred_us),
        arrived_at=instant_of(int(arrived_us[row])),
        measured=measured,
        expected=expected,
        unit=unit,
        score=score if np.isfinite(score) else 0.5,
        message=f"{element.removeprefix('market/')}: {said}",
    )
