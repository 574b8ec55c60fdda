"""What a market's definition says of each tick: limits, currency, and the interval that its time names."""

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processors.market_time import intervals
from schemas.layout import Floats, Ints, Mask
from schemas.markets import DAY_MINUTES, WEEKDAYS, Market, Markets
from schemas.ticks import TickBatch

#: Kinds whose time is a moment; that of all others names an interval.
MOMENTS = ("trade", "quote")
#: Kinds that come interval after interval, so that one can be missing.
REGULAR = ("settlement", "demand", "renewable")


@dataclass(frozen=True)
class Terms:
    """One value per tick.

    Attributes:
        known: bool[n], the market is defined; everything else says nothing where it is not.
        floor: float64[n], lowest price that can be [currency/unit], -inf without one.
        cap: float64[n], highest price that can be, inf without one.
        low: float64[n], the market's own floor, whatever it applies to; -inf without one.
        high: float64[n], the market's own cap; inf without one.
        own_currency: bool[n], the tick's currency is the market's, or is not stated.
        start_us: int64[n], start of the interval that the tick speaks of [us]; its moment, where it has no interval.
        end_us: int64[n], the end; the same for a moment.
        regular: bool[n], the next interval of this series is due when this one is over.
    """

    known: Mask
    floor: Floats
    cap: Floats
    low: Floats
    high: Floats
    own_currency: Mask
    start_us: Ints
    end_us: Ints
    regular: Mask

    def where(self, mask: Mask) -> "Terms":
        """Return the terms of some of the ticks."""
        return self if mask.all() else Terms(**{f.name: getattr(self, f.name)[mask] for f in fields(self)})


def terms(batch: TickBatch, markets: Markets) -> Terms:
    """Look the definitions of n ticks up."""
    n = len(batch)
    found = Terms(
        known=np.zeros(n, dtype=bool),
        floor=np.full(n, -np.inf),
        cap=np.full(n, np.inf),
        low=np.full(n, -np.inf),
        high=np.full(n, np.inf),
        own_currency=np.ones(n, dtype=bool),
        start_us=batch.time_us.copy(),
        end_us=batch.time_us.copy(),
        regular=np.zeros(n, dtype=bool),
    )
    kinds = batch.column("kind")
    moment, regular = is_one_of(kinds, MOMENTS), is_one_of(kinds, REGULAR)
    named = batch.column("market").dictionary_encode()
    code = named.indices.to_numpy()
    for position, name in enumerate(named.dictionary.to_pylist()):
        market = markets.get(name)
        if market is not None:
            _fill(found, batch, market, np.flatnonzero(code == position), moment, regular)
    return found


def is_one_of(column: pa.StringArray, names: tuple[str, ...]) -> Mask:
    """Say where a text is one of some names, bool[n]; null is none of them."""
    found: Mask = pc.is_in(column, pa.array(names)).to_numpy(zero_copy_only=False)
    return found


def _fill(found: Terms, batch: TickBatch, market: Market, at: Ints, moment: Mask, regular: Mask) -> None:
    found.known[at] = True
    if market.price_floor is not None:
        found.low[at] = market.price_floor
    if market.price_cap is not None:
        found.high[at] = market.price_cap
    if market.limits_apply_to == "price":
        found.floor[at], found.cap[at] = found.low[at], found.high[at]
    currency = batch.column("currency").take(pa.array(at))
    found.own_currency[at] = pc.fill_null(pc.equal(currency, market.currency), True).to_numpy(zero_copy_only=False)
    always = (market.opens_minute, market.closes_minute) == (0, DAY_MINUTES) and not market.closed_on_holidays
    found.regular[at] = regular[at] & (always and len(market.trading_days) == len(WEEKDAYS))
    spans = at[~moment[at]]
    length = batch.column("interval_s").take(pa.array(spans)).fill_null(market.interval_s)
    length_s: Ints = length.to_numpy(zero_copy_only=False)
    sound = (length_s > 0) & ((3_600 % np.maximum(length_s, 1) == 0) | (length_s == 86_400))
    whole = intervals(market, batch.time_us[spans], interval_s=np.where(sound, length_s, market.interval_s))
    found.start_us[spans], found.end_us[spans] = whole.start_us, whole.end_us
