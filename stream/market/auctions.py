"""Auctions cleared anew from their bids and asks, beside what their exchange published."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from processors.market.clearing import Clearing, Orders, Rule, clear
from processors.market.interpolated import Crossing, Curve, cross
from processors.market.renewables import cheapest, shifted
from schemas.errors import ConfigurationError
from schemas.layout import instant_of
from schemas.markets import Markets
from simulators.feeds.ladders import Ladder, read_ladders
from simulators.feeds.omie import read_curves
from simulators.replay.recording import Findings

FORMATS = ("csv", "omie")
_SURPLUS = ("consumer_surplus", "producer_surplus")


@dataclass(frozen=True)
class Shift:
    """How renewable output is changed.

    Attributes:
        per_cent: by how much [%].
        quantity: renewable output where the file does not say whose asks are: the cheapest ones; None: it must say.
    """

    per_cent: float
    quantity: float | None


@dataclass(frozen=True)
class Published:
    """What an exchange published of an auction: the orders that it matched.

    Attributes:
        price: the dearest ask that it matched [currency/unit].
        volume: of all bids that it matched.
        set_aside: asked for no more than that price and not matched.
    """

    price: float
    volume: float
    set_aside: float


@dataclass(frozen=True)
class Outcome:
    """One clearing of one auction.

    Attributes:
        time_us: start of the interval [us since 1970-01-01 UTC], None where the file does not say.
        asks: which asks it is with.
        found: price, volume and surplus.
        published: what the exchange published; None where the file does not say.
    """

    time_us: int | None
    asks: str
    found: Clearing | Crossing
    published: Published | None = None

    def within(self, tick: float) -> bool | None:
        """Say whether price and volume are the published ones, the price within a tick; None where there are none."""
        if self.published is None:
            return None
        off_price, off_volume = self.found.price - self.published.price, self.found.volume - self.published.volume
        return bool(abs(off_price) <= tick + 1e-9 and abs(off_volume) <= 1e-3 * max(self.published.volume, 1.0))

    def as_json(self, tick: float) -> dict[str, Any]:
        """Return plain data."""
        found, price = self.found, self.found.price
        said: dict[str, Any] = {
            "time": None if self.time_us is None else instant_of(self.time_us).isoformat(),
            "asks": self.asks,
            "price": None if np.isnan(price) else price,
            "volume": found.volume,
            **{name: getattr(found, name) for name in _SURPLUS},
        }
        if isinstance(found, Clearing) and not np.isnan(price):
            said |= {"price_low": found.price_low, "price_high": found.price_high}
        if self.published is not None:
            said |= {
                "published_price": self.published.price,
                "published_volume": self.published.volume,
                "within_a_tick": self.within(tick),
                "set_aside": self.published.set_aside,
            }
        return said


def ladders(path: Path, format_name: str, markets: Markets, findings: Findings) -> list[Ladder]:
    """Read the auctions of a file.

    Raises:
        MeterstreamError: it cannot be read as that.
    """
    return read_curves(path, markets, findings) if format_name == "omie" else read_ladders(path, findings)


def outcomes(ladder: Ladder, rule: Rule | None, shift: Shift | None) -> Iterator[Outcome]:
    """Clear an auction with the asks that were matched, where that is known, with all, and with renewables shifted.

    Args:
        ladder: its bids and asks.
        rule: which of several clearing prices counts; its market's own where there is none.
        shift: of renewable output.

    Raises:
        ConfigurationError: nobody says which asks are renewable, or more would be taken away than there is.
    """
    rule, published = rule or ladder.rule, _published(ladder)
    if published is not None and ladder.matched_asks is not None:
        yield Outcome(ladder.time_us, "matched", clear(ladder.bids, ladder.matched_asks, rule), published)
    yield Outcome(ladder.time_us, "all", clear(ladder.bids, ladder.asks, rule), published)
    if shift is not None:
        asks, renewable = _renewable(ladder, shift)
        try:
            _, after = shifted(ladder.bids, asks, renewable, shift.per_cent, rule)
        except ValueError as error:
            raise ConfigurationError(str(error).partition(": ")[2]) from None
        yield Outcome(ladder.time_us, f"renewables {shift.per_cent:+g} %", after)


def interpolated(ladder: Ladder) -> Outcome:
    """Clear an auction whose orders are points of two curves, linear in between.

    Raises:
        ConfigurationError: these points are no curves.
    """
    try:
        return Outcome(ladder.time_us, "interpolated", cross(_curve(ladder.bids), _curve(ladder.asks)))
    except ValueError as error:
        raise ConfigurationError(str(error).partition(": ")[2]) from None


def _published(ladder: Ladder) -> Published | None:
    bids, asks = ladder.matched_bids, ladder.matched_asks
    if bids is None or asks is None or not len(asks):
        return None
    price = float(asks.price.max())
    offered = float(ladder.asks.quantity[ladder.asks.price <= price].sum())
    return Published(price, float(bids.quantity.sum()), offered - float(asks.quantity.sum()))


def _renewable(ladder: Ladder, shift: Shift) -> tuple[Orders, Any]:
    if shift.quantity is not None:
        return cheapest(ladder.asks, shift.quantity)
    if ladder.renewable is None:
        raise ConfigurationError(
            "the file does not say which asks are renewable: add a column `renewable`, or say how much is "
            "(--renewable MWH; the cheapest asks are taken for it)"
        )
    return ladder.asks, ladder.renewable


def _curve(orders: Orders) -> Curve:
    order = np.argsort(orders.price, kind="stable")
    return Curve(orders.price[order], orders.quantity[order])
