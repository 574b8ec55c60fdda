"""What simulated markets say, when, and that it fits together."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from processors.market_time import intervals, is_trading
from simulators.market.moments import EPOCH_S
from tests.markets import DAY_S, MARKETS, START_S, START_US, Simulated

CLEAN = Simulated(["aemo_nem", "omie", "pjm/WESTERN-HUB", "eu_ets"])


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) - EPOCH_S


def test_ticks_come_in_the_order_in_which_they_are_due() -> None:
    assert (np.diff(CLEAN.batch.due_s) >= 0).all()
    assert CLEAN.batch.due_s[0] > START_S
    assert CLEAN.batch.due_s[-1] <= START_S + DAY_S


def test_no_two_ticks_are_the_same_one() -> None:
    names = ("market", "symbol", "kind", "tick_time", "revision")
    rows = list(zip(*(CLEAN.batch.column(name).to_pylist() for name in names), strict=True))
    assert len(set(rows)) == len(rows)


def test_each_interval_is_settled_once_and_sometimes_a_second_time_as_a_revision() -> None:
    nem = CLEAN.of("settlement", "aemo_nem/NSW1")
    first = nem["tick_time"][nem["revision"] == 0]
    # AEMO labels interval ends, and what is published after the run has ended is not part of it.
    assert first.tolist() == [START_US + 300_000_000 * step for step in range(1, len(first) + 1)]
    assert len(first) in {287, 288}
    again = nem["tick_time"][nem["revision"] == 1]
    assert 1 <= len(again) < 20
    assert set(again.tolist()) <= set(first.tolist())
    due = CLEAN.batch.due_s[CLEAN.rows("settlement", "aemo_nem/NSW1")]
    of = dict(zip(zip(nem["tick_time"].tolist(), nem["revision"].tolist(), strict=True), due.tolist(), strict=True))
    assert all(of[time, 1] > of[time, 0] for time in again.tolist())


def test_a_market_that_labels_starts_is_labelled_by_starts() -> None:
    first = CLEAN.of("settlement", "omie/ES")["tick_time"]
    assert first.min() == START_US
    assert set(np.diff(np.unique(first)).tolist()) == {900_000_000}


@pytest.mark.parametrize(("day", "count"), [("2026-03-29", 92), ("2026-10-25", 100), ("2026-10-26", 96)])
def test_a_day_when_clocks_change_has_its_own_number_of_intervals(day: str, count: int) -> None:
    start = seconds(f"{day}T00:00:00") - 2 * 3600
    found = Simulated(["omie/ES"], hours=30, start_s=start, ticks={"quote_s": 0, "trade_s": 0, "revisions": 0})
    times = found.of("settlement")["tick_time"]
    days = intervals(MARKETS["omie"], times).day
    assert (days == (seconds(f"{day}T12:00:00") + EPOCH_S) // DAY_S).sum() == count


def test_quotes_are_never_crossed_and_depth_holds_the_best() -> None:
    quotes = CLEAN.of("quote")
    assert (quotes["ask"] > quotes["bid"]).all()
    assert (quotes["bid_depth"] >= quotes["bid_quantity"]).all()
    assert (quotes["ask_depth"] >= quotes["ask_quantity"]).all()
    assert (quotes["bid_quantity"] > 0).all()


def test_trades_are_near_the_quotes_and_in_trading_hours() -> None:
    trades, quotes = CLEAN.of("trade", "eu_ets/EUA-SPOT"), CLEAN.of("quote", "eu_ets/EUA-SPOT")
    assert is_trading(MARKETS["eu_ets"], trades["tick_time"]).all()
    assert len(trades["tick_time"]) == 200
    assert abs(np.median(trades["price"]) - np.median(quotes["bid"] + quotes["ask"]) / 2) < 1


def test_carbon_settles_once_on_a_trading_day_and_not_on_a_holiday() -> None:
    christmas = Simulated(["eu_ets/EUA-SPOT"], hours=6 * 24, start_s=seconds("2025-12-22T23:00:00"))
    settled = christmas.of("settlement")["tick_time"]
    days = intervals(MARKETS["eu_ets"], settled).day
    assert [str(day.astype("datetime64[D]")) for day in np.unique(days)] == ["2025-12-23", "2025-12-24"]


def test_the_parts_of_a_locational_price_add_up_to_it() -> None:
    lmp = CLEAN.of("settlement", "pjm/WESTERN-HUB")
    first = lmp["revision"] == 0
    parts = sum(lmp[name][first].astype(float) for name in ("energy_price", "congestion_price", "loss_price"))
    assert np.abs(parts - lmp["price"][first].astype(float)).max() < 1e-9
    assert not any(value is not None for value in CLEAN.of("settlement", "omie/ES")["energy_price"])


@pytest.mark.parametrize("name", list(MARKETS))
def test_every_market_stays_within_its_limits_and_says_something(name: str) -> None:
    found = Simulated([name], hours=24, seed=3)
    market = MARKETS[name]
    for column in ("price", "bid"):
        values = found.batch.floats(column)
        values = values[np.isfinite(values)]
        assert len(values)
        assert market.price_floor is None or values.min() >= market.price_floor
        assert market.price_cap is None or values.max() <= market.price_cap
    assert set(found.batch.column("currency").to_pylist()) == {market.currency}


def test_demand_less_renewables_explains_the_price() -> None:
    quiet = Simulated(["aemo_nem/SA1"], hours=10 * 24, ticks={"quote_s": 0, "trade_s": 0, "revisions": 0})
    demand, green = (quiet.of(kind)["quantity"] for kind in ("demand", "renewable"))
    price = quiet.of("settlement")["price"].astype(float)
    rank = [np.argsort(np.argsort(values)) for values in (demand - green, price)]
    assert np.corrcoef(*rank)[0, 1] > 0.8
    assert (price < 0).any()
    forecast = quiet.of("forecast")["quantity"]
    assert np.abs(forecast[1 : len(demand)] / demand[1:] - 1).mean() < 0.03


def test_prices_of_one_market_move_together_and_those_of_two_do_not() -> None:
    found = Simulated(["nordpool/SE1", "nordpool/SE2", "nyiso/WEST"], hours=20 * 24, ticks={"quote_s": 0, "trade_s": 0})
    prices = []
    for name in ("nordpool/SE1", "nordpool/SE2", "nyiso/WEST"):
        settled = found.of("settlement", name)
        times = settled["tick_time"] if name != "nyiso/WEST" else settled["tick_time"] - 300_000_000
        hourly = {t // 3_600_000_000: p for t, p in zip(times.tolist(), settled["price"], strict=True)}
        prices.append(hourly)
    hours = sorted(set(prices[0]) & set(prices[1]) & set(prices[2]))
    columns = [np.diff([one[hour] for hour in hours]) for one in prices]
    assert np.corrcoef(columns[0], columns[1])[0, 1] > 0.6
    assert abs(np.corrcoef(columns[0], columns[2])[0, 1]) < 0.5


def test_a_burst_leaves_at_the_edges_of_five_minutes() -> None:
    burst = replace(CLEAN.feed, burst=True).stretch(START_S, START_S + 3600, START_S)
    assert set((burst.due_s % 300).tolist()) == {0.0}
    assert len(burst) > 500


@pytest.mark.parametrize("rates", [{"quote_s": 7}, {"trade_s": 11}, {"quote_s": 7_000}, {"revisions": 1.0}])
def test_any_rate_gives_one_tick_per_slot(rates: dict[str, float]) -> None:
    found = Simulated(["omie/ES"], hours=24, ticks=rates)
    quotes, trades = (len(found.rows(kind)) for kind in ("quote", "trade"))
    ticks = found.profile.ticks
    assert abs(quotes - DAY_S / ticks.quote_s) <= 1
    assert abs(trades - DAY_S / ticks.trade_s) <= 1
    settled = found.of("settlement")
    if ticks.revisions == 1:
        assert (settled["revision"] == 1).sum() > 90
