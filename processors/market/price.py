"""The one price of a tick."""

import numpy as np

from processors.market.liquidity import mid
from schemas.layout import Floats
from schemas.ticks import TickBatch


def price_of(batch: TickBatch) -> Floats:
    """Return each tick's price, that of a quote halfway between its sides [currency/unit]; NaN where there is none."""
    price = batch.floats("price")
    if batch.column("bid").null_count == len(batch):
        return price
    return np.where(np.isnan(price), mid(batch.floats("bid"), batch.floats("ask")), price)
