"""The two sides of a quote: how far apart, and which one weighs more."""

import numpy as np

from schemas.layout import Floats


def mid(bid: Floats, ask: Floats) -> Floats:
    """Return the price halfway between bid and ask [currency/unit]; NaN where a side is missing."""
    return (bid + ask) / 2


def spread(bid: Floats, ask: Floats) -> Floats:
    """Return ask less bid [currency/unit]; negative where crossed, 0 where locked, NaN where a side is missing."""
    return ask - bid


def imbalance(bid_depth: Floats, ask_depth: Floats) -> Floats:
    """Return (bid depth - ask depth) / (bid depth + ask depth), -1 (all on the ask) to 1; NaN without any depth.

    Source: Cao, Hansch, Wang, "The information content of an open limit-order book", Journal of Futures Markets 29
    (2009) 16-41.
    """
    total = bid_depth + ask_depth
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (bid_depth - ask_depth) / total, np.nan)
