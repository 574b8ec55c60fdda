"""Prices beyond the limits: rejected, and told from each other by the price before them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.market.series import SeriesState
from schemas import arrow_codec
from schemas.rejected import Reason, Rejected
from schemas.ticks import TickBatch
from simulators.feeds import numbered
from stream.market.flow import TickFlow
from stream.markets import load_markets
from stream.worker.intake import Record
from tests.builders import ARROW, DAY_US
from tests.market_feed import read
from tests.strategies import cuts
from tests.unit.processors.market.test_follow import ticks

MARKETS = load_markets()
OTHER_UNIT, OUT_OF_LIMITS = Reason.PRICE_IN_OTHER_UNIT, Reason.PRICE_OUT_OF_LIMITS


def rejected(*batches: TickBatch) -> list[Rejected]:
    """What a worker rejects of batches that come one after the other."""
    flow = TickFlow("market.raw", 0, SeriesState(), np.empty(0, dtype=np.int64), MARKETS)
    found = list[Rejected]()
    for batch in batches:
        step = flow.process([Record(flow.next_offset, arrow_codec.write(batch), ARROW, int(batch.time_us[-1]))])
        assert step is not None
        found += step.rejected
    return found


def reasons(*batches: TickBatch) -> list[Reason]:
    return [reject.reason for reject in rejected(*batches)]


@pytest.mark.parametrize(
    ("before", "price", "reason"),
    [
        (300.0, 30_000.0, OTHER_UNIT),
        (300.0, 90_000.0, OTHER_UNIT),
        (55.0, 55_000.0, OTHER_UNIT),
        (0.9, 90_000.0, OTHER_UNIT),
        (15_000.0, 21_000.0, OUT_OF_LIMITS),
        (700.0, 21_000.0, OUT_OF_LIMITS),
        (2_500.0, 25_000.0, OUT_OF_LIMITS),
        (-30.0, -3_000.0, OTHER_UNIT),
        (-30.0, 30_000.0, OTHER_UNIT),
        (0.0, 30_000.0, OUT_OF_LIMITS),
    ],
)
def test_hundreds_of_times_the_usual_is_another_unit(before: float, price: float, reason: Reason) -> None:
    usual = ticks([1, 2, 3], [before] * 3)
    assert reasons(usual, ticks([4], [price])) == [reason]
    assert reasons(ticks([1, 2, 3, 4, 5], [before, before, before, price, before])) == [reason]


def test_a_price_before_which_nothing_is_known_is_out_of_limits_and_makes_nothing_known() -> None:
    assert reasons(ticks([1, 2], [30_000.0, 31_000.0])) == [OUT_OF_LIMITS] * 2
    assert reasons(ticks([1, 2, 3, 4], [300.0, 30_000.0, 300.0, 30_000.0])) == [OUT_OF_LIMITS, OTHER_UNIT]
    flow = TickFlow("market.raw", 0, SeriesState(), np.empty(0, dtype=np.int64), MARKETS)
    flow.process([Record(0, arrow_codec.write(ticks([1], [30_000.0])), ARROW, 0)])
    assert len(flow.state) == 0


def test_a_feed_that_changes_its_unit_is_told_with_each_price_that_is_rejected() -> None:
    """Of a price per kWh some are within the limits: they are stored, and do not make the others usual."""
    price = [*([50.0, 60.0] * 10), *([55_000.0, 15_000.0, 80_000.0] * 10)]
    found = rejected(ticks(list(range(len(price))), price))
    assert [reject.reason for reject in found] == [OTHER_UNIT] * 20
    assert "another unit, it seems" in found[0].detail


def test_real_prices_in_cents_are_told_and_limits_of_another_year_are_not(shared_data: Path) -> None:
    batch = read(shared_data / "aemo_nem" / "mms" / "DISPATCHPRICE_202408.csv.gz")
    batch = batch.take(np.argsort(batch.time_us, kind="stable"))
    batch = batch.where(batch.time_us <= np.median(batch.time_us) + DAY_US)
    later = batch.time_us > batch.time_us[-1] - DAY_US
    cents = TickBatch.from_columns(
        **{name: batch.column(name) for name in ("market", "symbol", "kind")},
        tick_time=batch.time_us,
        revision=batch.revisions,
        price=np.where(later, 100.0, 1.0) * batch.floats("price"),
    )
    found = reasons(cents)
    assert len(found) > 150
    assert found.count(OTHER_UNIT) / len(found) > 0.95
    india = read(shared_data / "iex_india" / "IEXGetTradeData_DAMPriceVolume_18Oct.csv", numbered.IEX)
    assert set(reasons(india)) == {OUT_OF_LIMITS}


def test_the_id_is_that_of_the_same_bytes_by_themselves() -> None:
    """A repeat has one id whatever came before it, and `meterstream reconcile` finds it from the bytes."""
    (alone,), (after,) = rejected(ticks([3], [30_000.0])), rejected(ticks([1, 2, 3], [300.0, 300.0, 30_000.0]))
    assert alone.reason != after.reason
    assert alone.reject_id == after.reject_id


@given(cuts(40), st.integers(0, 2**32 - 1))
def test_nothing_depends_on_where_the_stream_is_cut(parts: list[slice], seed: int) -> None:
    rng = np.random.default_rng(seed)
    price = rng.choice([50.0, 300.0, 900.0, np.nan, 30_000.0, 90_000.0, 55_000.0], 40).tolist()
    names = rng.choice(["NSW1", "VIC1"], 40).tolist()
    batch = ticks(rng.integers(0, 30, 40).tolist(), price, rng.integers(0, 2, 40).tolist(), symbol=names)
    some = [batch.slice(part.start, part.stop - part.start) for part in parts if part.stop > part.start]
    assert reasons(*some) == reasons(batch)
