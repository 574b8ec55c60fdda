"""Order books and trades: one quote and one trade of each symbol in each slot of time, at a moment of their own."""

import numpy as np

from schemas.layout import Floats, Ints
from simulators.faults import FaultClass
from simulators.market.anomalies import bid_side
from simulators.market.listing import Group
from simulators.market.moments import unix_us
from simulators.market.path import NODE_US, Path, within_limits
from simulators.market.ticks import QUOTE, TRADE, Ticks
from simulators.randomness import Bits, draw, fraction, lane, lognormal_table, lookup, normal, salt
from simulators.schedule import Events

_QUOTE, _TRADE, _MORE = (salt("market", name) for name in ("quote", "trade", "more"))
#: Half the spread over the usual price, and how far it varies.
_HALF_SPREAD, _SPREAD = 0.004, lognormal_table(0.5)
_SIZES = lognormal_table(0.7)
#: All levels that are shown hold so many times what the best one does.
_DEEP, _DEEPER = 4.0, 8.0
_TICK = 0.01


def quotes(group: Group, first: int, last: int, slot_s: int, whole: Path, events: Events) -> Ticks:
    """Return the quotes of slots `first` to `last` (excluded), flat, slot by slot.

    Args:
        group: whose.
        first: number of the first slot, counted from 1970.
        last: one after the last.
        slot_s: their length [s].
        whole: the path of the prices, from a node before the first slot to one after the last.
        events: anomalies of its symbols.
    """
    time_us, bits = _moments(group, first, last, slot_s, _QUOTE)
    middle, half = _middle(whole, time_us), _half(group, bits)
    bid = _cents(within_limits(group.market, middle - half))
    ask = np.maximum(_cents(within_limits(group.market, middle + half)), bid + _TICK)
    more = draw(bits, _MORE, 0)
    best = [np.rint(group.traits.quantity * lookup(lane(more, number), _SIZES) * 10 + 1) / 10 for number in (0, 1)]
    deep = [
        np.rint(amount * (_DEEP + _DEEPER * fraction(lane(more, number))) * 10) / 10
        for amount, number in zip(best, (2, 3), strict=True)
    ]
    for event in events.of(FaultClass.SPOOFED_DEPTH):
        rows = _slots_of(event.start_s, event.end_s, first, last, slot_s)
        deep[0 if bid_side(event) else 1][rows, event.element - group.first] *= event.size
    columns = {
        "bid": bid, "ask": ask, "bid_quantity": best[0], "ask_quantity": best[1],
        "bid_depth": deep[0], "ask_depth": deep[1],
    }  # fmt: skip
    return _flat(QUOTE, group, time_us, columns)


def trades(group: Group, first: int, last: int, slot_s: int, whole: Path, events: Events) -> Ticks:
    """Return the trades of slots `first` to `last` (excluded), flat, slot by slot; arguments as of `quotes`."""
    time_us, bits = _moments(group, first, last, slot_s, _TRADE)
    side = np.where(lane(bits, 3) & np.uint16(1), 1.0, -1.0)
    price = within_limits(group.market, _middle(whole, time_us) + side * _half(group, bits))
    for event in events.of(FaultClass.FAT_FINGER):
        rows = _slots_of(event.start_s, event.end_s, first, last, slot_s)
        price[rows, event.element - group.first] = within_limits(
            group.market, np.maximum(price[rows, event.element - group.first], group.traits.level) * event.size
        )
    quantity = np.rint(group.traits.quantity * lookup(lane(draw(bits, _MORE, 0), 0), _SIZES) * 10 + 1) / 10
    return _flat(TRADE, group, time_us, {"price": _cents(price), "quantity": quantity})


def _moments(group: Group, first: int, last: int, slot_s: int, purpose: int) -> tuple[Ints, Bits]:
    """Return a moment within (start, end] of each slot for each symbol, and bits, both [k, s]."""
    slots = np.arange(first, last)
    bits = draw(group.keys[None, :], purpose, slots[:, None])
    inside = 1 + (fraction(lane(bits, 0)) * (slot_s * 1_000_000 - 1)).astype(np.int64)
    return slots[:, None] * (slot_s * 1_000_000) + inside, bits


def _middle(whole: Path, time_us: Ints) -> Floats:
    """Return the price at moments, float64[k, s]: nodes hold at their middles, and the price moves between these."""
    place = (time_us - NODE_US // 2) / NODE_US - whole.first
    node = place.astype(np.intp)
    columns = np.arange(time_us.shape[1])[None, :]
    here, there = whole.price[node, columns], whole.price[node + 1, columns]
    return here + (there - here) * (place - node)


def _half(group: Group, bits: Bits) -> Floats:
    return (
        group.traits.level * _HALF_SPREAD * lookup(lane(bits, 1), _SPREAD) * (1 + 0.2 * np.abs(normal(lane(bits, 2))))
    )


def _slots_of(start_s: int, end_s: int, first: int, last: int, slot_s: int) -> slice:
    """Return which of the rows lie in (start, end] of an anomaly."""
    begin, end = (-(-unix_us(edge) // (slot_s * 1_000_000)) for edge in (start_s, end_s))
    return slice(min(max(begin - first, 0), last - first), min(max(end - first, 0), last - first))


def _cents(price: Floats) -> Floats:
    cents: Floats = np.rint(price * 100) / 100
    return cents


def _flat(kind: int, group: Group, time_us: Ints, columns: dict[str, Floats]) -> Ticks:
    symbol = np.broadcast_to(group.first + np.arange(len(group.symbols)), time_us.shape).ravel()
    flat = {name: values.ravel() for name, values in columns.items()}
    return Ticks(kind, symbol, time_us.ravel(), time_us.ravel(), columns=flat)
