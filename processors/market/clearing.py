"""Merit-order clearing of stepwise bids and asks: one price at which everything that trades trades.

The volume is the largest at which the dearest bid still served pays at least what the dearest ask served wants. Where
the curves cross in a vertical stretch a whole range of prices clears that volume, and `Rule` says which one is taken.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from processors.market.exact import PER_UNIT, millionths
from schemas.layout import Floats, Ints, Mask, Positions


class Rule(StrEnum):
    """Which of several clearing prices is published.

    MIDPOINT: halfway, as Euphemia does ("EUPHEMIA Public Description", 2024, price indeterminacy).
    LOWEST: no more than the last unit needed asks for; the Iberian market's rule until it joined Euphemia in 2014.
    """

    MIDPOINT = "midpoint"
    LOWEST = "lowest"


@dataclass(frozen=True)
class Orders:
    """One side of a market, in any order.

    Attributes:
        price: float64[n], worst acceptable price [currency/unit].
        quantity: float64[n], at least a millionth of its unit; what is finer is rounded.
        whole: bool[n], served wholly or not at all; None where every order may be served in part.
    """

    price: Floats
    quantity: Floats
    whole: Mask | None = None

    def __len__(self) -> int:
        return len(self.price)

    @property
    def indivisible(self) -> Mask:
        """Which orders are served wholly or not at all."""
        return np.zeros(len(self), dtype=bool) if self.whole is None else self.whole

    def where(self, mask: Mask) -> "Orders":
        """Return some of the orders."""
        return Orders(self.price[mask], self.quantity[mask], None if self.whole is None else self.whole[mask])


@dataclass(frozen=True)
class Clearing:
    """What came of it.

    Attributes:
        price: clearing price [currency/unit], NaN where nothing trades.
        volume: what trades, in the unit of the quantities.
        price_low: lowest price that clears this volume.
        price_high: highest price that clears it.
        bought: float64[n], quantity served of each bid.
        sold: float64[m], quantity served of each ask.
        consumer_surplus: what buyers would have paid beyond what they pay [currency].
        producer_surplus: what sellers get beyond what they asked for [currency].
    """

    price: float
    volume: float
    price_low: float
    price_high: float
    bought: Floats
    sold: Floats
    consumer_surplus: float
    producer_surplus: float


def clear(bids: Orders, asks: Orders, rule: Rule = Rule.MIDPOINT) -> Clearing:
    """Find price and volume.

    Orders of one price share what is served of them in proportion to their quantities. An indivisible order at the
    margin that could be served only in part is left out and the rest cleared again, the one that gains least first:
    no order loses by the result, though a larger surplus may exist (finding it is an integer programme, which
    Euphemia solves; its published results too leave such orders out as "paradoxically rejected").

    Raises:
        ValueError: a quantity is not positive, or a price is not finite.
    """
    for side in (bids, asks):
        sound = np.all(np.isfinite(side.price)) and np.all(np.isfinite(side.quantity))
        if not (sound and np.all(millionths(side.quantity) > 0)):
            raise ValueError("clear: quantities must be positive and prices finite")
    kept_bids, kept_asks = np.ones(len(bids), dtype=bool), np.ones(len(asks), dtype=bool)
    while True:
        found = _clear(bids.where(kept_bids), asks.where(kept_asks), rule)
        bought, sold = np.zeros(len(bids)), np.zeros(len(asks))
        bought[kept_bids], sold[kept_asks] = found.bought, found.sold
        cut_bids, cut_asks = _cut(bids, bought), _cut(asks, sold)
        if not len(cut_bids) and not len(cut_asks):
            return Clearing(
                found.price,
                found.volume,
                found.price_low,
                found.price_high,
                bought,
                sold,
                found.consumer_surplus,
                found.producer_surplus,
            )
        gain_bids = (bids.price[cut_bids] - found.price) * bought[cut_bids]
        gain_asks = (found.price - asks.price[cut_asks]) * sold[cut_asks]
        if len(cut_bids) and (not len(cut_asks) or gain_bids.min() <= gain_asks.min()):
            kept_bids[cut_bids[int(gain_bids.argmin())]] = False
        else:
            kept_asks[cut_asks[int(gain_asks.argmin())]] = False


def _cut(orders: Orders, served: Floats) -> Positions:
    """Return the indivisible orders that were served in part."""
    part = (served > 0) & (millionths(served) < millionths(orders.quantity))
    return np.flatnonzero(orders.indivisible & part)


def _clear(bids: Orders, asks: Orders, rule: Rule) -> Clearing:
    """Clear orders all of which may be served in part."""
    by_bid, by_ask = np.argsort(-bids.price, kind="stable"), np.argsort(asks.price, kind="stable")
    bid_price, ask_price = bids.price[by_bid], asks.price[by_ask]
    bid_end, ask_end = np.cumsum(millionths(bids.quantity[by_bid])), np.cumsum(millionths(asks.quantity[by_ask]))
    # Between two neighbouring ends of steps, one bid stands against one ask.
    most = min(bid_end[-1], ask_end[-1]) if len(bid_end) and len(ask_end) else 0
    ends = np.union1d(bid_end, ask_end)
    ends = ends[ends <= most]
    buyer, seller = np.searchsorted(bid_end, ends), np.searchsorted(ask_end, ends)
    trades = np.count_nonzero(bid_price[buyer] >= ask_price[seller])  # falling against rising: a leading run
    if not trades:
        nothing = np.zeros(len(bids)), np.zeros(len(asks))
        return Clearing(np.nan, 0.0, np.nan, np.nan, *nothing, 0.0, 0.0)
    volume = int(ends[trades - 1])
    low, high = _range(bid_price, bid_end, ask_price, ask_end, volume)
    price = low if rule is Rule.LOWEST else (low + high) / 2
    bought, sold = _served(bids, volume, descending=True), _served(asks, volume, descending=False)
    return Clearing(
        price,
        volume / PER_UNIT,
        low,
        high,
        bought,
        sold,
        float(((bids.price - price) * bought).sum()),
        float(((price - asks.price) * sold).sum()),
    )


def _range(bid_price: Floats, bid_end: Ints, ask_price: Floats, ask_end: Ints, volume: int) -> tuple[float, float]:
    """Return the lowest and the highest price that clear a volume."""
    low = ask_price[int(np.searchsorted(ask_end, volume))]
    high = bid_price[int(np.searchsorted(bid_end, volume))]
    next_bid = int(np.searchsorted(bid_end, volume, side="right"))
    next_ask = int(np.searchsorted(ask_end, volume, side="right"))
    # The best bid not served wholly may not want to pay more, the best ask not served wholly not be content with less.
    if next_bid < len(bid_price):
        low = max(low, bid_price[next_bid])
    if next_ask < len(ask_price):
        high = min(high, ask_price[next_ask])
    return float(low), float(high)


def _served(orders: Orders, volume: int, *, descending: bool) -> Floats:
    """Share a volume [millionths] out in the order of prices; orders of one price get the same share of theirs."""
    quantity = millionths(orders.quantity)
    _, group = np.unique(-orders.price if descending else orders.price, return_inverse=True)
    total = np.zeros(group.max(initial=-1) + 1, dtype=np.int64)
    np.add.at(total, group, quantity)
    before = np.cumsum(total) - total
    share = np.clip((volume - before) / total, 0.0, 1.0)
    served: Floats = quantity * share[group] / PER_UNIT
    return served
