"""Validation: which ticks cannot be true, and why. What is merely unusual is an event of the market, not an error."""

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from processors.market.terms import MOMENTS, Terms, is_one_of
from processors.validate import Codes
from schemas.layout import Ints, Mask
from schemas.rejected import Reason
from schemas.ticks import KINDS, TickBatch

_DAY_S = 86_400.0


@dataclass(frozen=True)
class TickLimits:
    """What a tick may hold; every bound is itself allowed, and null is always allowed.

    Attributes:
        moment_future_s: how far a trade or quote may be ahead of its arrival [s]: a clock's error.
        interval_future_s: how far an interval may lie ahead [s]: day-ahead auctions publish until the end of tomorrow,
            week-ahead products and forecasts much further.
        earliest_s: the earliest credible time [s since 1970-01-01 UTC]: the pool of England and Wales, the first
            market of half-hourly prices, opened on 1990-04-01.
        magnitude_max: largest absolute price [currency/unit] or quantity [unit].
        components: how far the components of an LMP may be off its price [currency/unit]: three figures and their
            sum, each rounded to a cent.
    """

    moment_future_s: float = _DAY_S
    interval_future_s: float = 370 * _DAY_S
    earliest_s: float = 638_928_000.0
    magnitude_max: float = 1e9
    components: float = 0.02


#: Order in which failures are reported; code k means FAILURES[k - 1].
FAILURES: tuple[tuple[Reason, str], ...] = (
    (Reason.UNKNOWN_MARKET, "no definition of this market: what its times, limits and currency are is not known"),
    (Reason.UNKNOWN_KIND, f"kind is none of {', '.join(KINDS)}"),
    (Reason.TIME_IN_FUTURE, "tick_time is further ahead of its arrival than allowed"),
    (Reason.TIME_TOO_OLD, "tick_time is before the earliest credible time"),
    (
        Reason.OFF_INTERVAL,
        "tick_time is not an edge of the market's intervals, or interval_s is none that it could have",
    ),
    (Reason.WRONG_CURRENCY, "currency is not that of the market"),
    (Reason.PRICE_OUT_OF_LIMITS, "price is beyond the market's floor or cap"),
    (Reason.COMPONENTS_DIFFER, "energy_price, congestion_price and loss_price do not add up to price"),
    (Reason.OUT_OF_RANGE, "a price or quantity is larger than anything credible, or a depth is negative"),
    (
        Reason.PRICE_IN_OTHER_UNIT,
        "price is beyond the market's floor or cap, and hundreds of times what is usual: another unit, it seems",
    ),
)
_REASONS = [reason for reason, _ in FAILURES]
#: Code of a price beyond the limits, and what it becomes beside what is usual; see `processors.market.beyond`.
OUT_OF_LIMITS = 1 + _REASONS.index(Reason.PRICE_OUT_OF_LIMITS)
IN_OTHER_UNIT = 1 + _REASONS.index(Reason.PRICE_IN_OTHER_UNIT)

_NEVER_NEGATIVE = ("bid_quantity", "ask_quantity", "bid_depth", "ask_depth")
_COMPONENTS = ("energy_price", "congestion_price", "loss_price")


def check(batch: TickBatch, terms: Terms, arrived_us: Ints, limits: TickLimits) -> Codes:
    """Judge each tick by itself.

    Args:
        batch: n ticks.
        terms: what their markets' definitions say.
        arrived_us: int64[n], arrival in Kafka [us since 1970-01-01 UTC].
        limits: the bounds.

    Returns: int8[n], 0 where a tick is credible, otherwise 1 + the position of its first failure in FAILURES.
    """
    kind, price = batch.column("kind"), batch.floats("price")
    moment = is_one_of(kind, MOMENTS)
    ahead_us = np.where(moment, limits.moment_future_s, limits.interval_future_s) * 1e6
    failures = (
        ~terms.known,
        ~(is_one_of(kind, KINDS) | pc.is_null(kind).to_numpy(zero_copy_only=False)),
        batch.time_us - arrived_us > ahead_us,
        batch.time_us < int(limits.earliest_s * 1e6),
        ~moment & _off_interval(batch, terms),
        ~terms.own_currency,
        (price < terms.floor) | (price > terms.cap),
        _components_differ(batch, limits.components),
        _beyond(batch, limits.magnitude_max),
    )
    codes = np.zeros(len(batch), dtype=np.int8)
    for position in reversed(range(len(failures))):
        codes[failures[position]] = position + 1
    return codes


def _off_interval(batch: TickBatch, terms: Terms) -> Mask:
    edge = (batch.time_us == terms.start_us) | (batch.time_us == terms.end_us)
    stated = batch.column("interval_s")
    if stated.null_count < len(stated):
        length_us = stated.fill_null(0).to_numpy(zero_copy_only=False) * 1_000_000
        # A local day has 23 to 25 hours.
        fits = np.abs(terms.end_us - terms.start_us - length_us) <= np.where(length_us == 86_400_000_000, 3_600e6, 0)
        edge &= fits | stated.is_null().to_numpy(zero_copy_only=False)
    return np.asarray(~edge)


def _components_differ(batch: TickBatch, tolerance: float) -> Mask:
    if any(batch.column(name).null_count == len(batch) for name in _COMPONENTS):
        return np.zeros(len(batch), dtype=bool)
    # NaN stands for null and compares false: a sum is only checked where all of it is there.
    total = sum(batch.floats(name) for name in _COMPONENTS)
    return np.asarray(np.abs(total - batch.floats("price")) > tolerance + 1e-9)


def _beyond(batch: TickBatch, magnitude_max: float) -> Mask:
    found = np.zeros(len(batch), dtype=bool)
    for name in batch.layout.floats:
        if batch.column(name).null_count < len(batch):
            values = batch.floats(name)
            found |= np.abs(values) > magnitude_max
            if name in _NEVER_NEGATIVE:
                found |= values < 0
    return found
