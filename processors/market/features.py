"""What a model sees of a tick: one piece of code for training and for serving."""

import numpy as np

from processors.features import Matrix
from processors.market.follow import Followed
from processors.market.liquidity import imbalance, spread
from processors.market.price import price_of
from processors.market.terms import Terms
from schemas.layout import Floats, Ints, Mask
from schemas.ticks import TickBatch

#: Columns of the feature matrix, in this order, as many as those of readings: a forest has that many, whatever it
#: scores. A model names those that it was fitted on.
FEATURES = (
    "price_level",
    "price_return",
    "change_volatilities",
    "change_size",
    "volatility_share",
    "rested_ticks",
    "hour",
    "weekend",
    "spread_share",
    "depth_imbalance",
    "depth_share",
    "congestion_share",
    "cap_share",
)
_HOUR_US = 3_600_000_000
#: Keeps a series whose price is always nothing from having infinite shares [currency/unit].
_LEAST = 0.01


def features(batch: TickBatch, terms: Terms, followed: Followed) -> Matrix:
    """Describe ticks by what they say, when, and how that compares with their series' recent past.

    Prices cross zero, so levels and returns are those of asinh(price / usual), where usual is the usual size of the
    series' price (`processors.market.returns` has the source). `change_volatilities` is asinh of the change over the
    series' own volatility, `change_size` how large that is, `volatility_share` that volatility over the usual size,
    `rested_ticks` ln(1 + n) of the n ticks for which the price had stood still, `spread_share` the spread and
    `congestion_share` the congestion component over the usual size, `depth_share` ln of all depth over what stands at
    the best prices, `cap_share` price over the market's cap, or over its floor where it is negative. Hours and days are
    those of UTC.

    Args:
        batch: n ticks.
        terms: what their markets' definitions say.
        followed: what was known of their series before them.

    Returns: float32[n, 13] in the order of FEATURES, NaN where a tick or its past says nothing.
    """
    price, hours = price_of(batch), batch.time_us // _HOUR_US
    usual = np.maximum(followed.usual, _LEAST)
    limit = np.where(price < 0, terms.low, terms.high)
    bid_depth, ask_depth = batch.floats("bid_depth"), batch.floats("ask_depth")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        change = np.arcsinh((price - followed.before) / np.maximum(followed.volatility, _LEAST))
        best = batch.floats("bid_quantity") + batch.floats("ask_quantity")
        columns: tuple[Floats | Ints | Mask, ...] = (
            np.arcsinh(price / usual),
            np.arcsinh(price / usual) - np.arcsinh(followed.before / usual),
            change,
            np.abs(change),
            followed.volatility / usual,
            np.log1p(followed.rested),
            hours % 24,
            (hours // 24 + 3) % 7 >= 5,  # 1970-01-01 was a Thursday
            spread(batch.floats("bid"), batch.floats("ask")) / usual,
            imbalance(bid_depth, ask_depth),
            np.log((bid_depth + ask_depth) / best),
            batch.floats("congestion_price") / usual,
            price / limit,
        )
    matrix = np.empty((len(batch), len(FEATURES)), dtype=np.float32)
    for position, values in enumerate(columns):
        matrix[:, position] = values
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix
