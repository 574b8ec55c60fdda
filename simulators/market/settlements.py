"""What a market publishes by the interval: settlement prices and their second runs, demand, renewables, forecasts."""

from dataclasses import dataclass

import numpy as np

from processors.market_time import intervals, is_trading
from schemas.layout import Floats, Ints
from schemas.markets import DAY_S
from simulators.market.listing import Group
from simulators.market.path import NODE_S, NODE_US, Path
from simulators.market.ticks import DEMAND, FORECAST, RENEWABLE, SETTLEMENT, Ticks
from simulators.randomness import Bits, draw, fraction, lane, normal, salt, uniform

_PUBLISH, _RERUN, _FORECAST, _LOSS = (salt("market", name) for name in ("publish", "rerun", "forecast", "loss"))
#: A second run comes so long after its interval [s].
RERUN_AFTER_S = (600, 3_000)
_FORECAST_SD = 0.02
_LOSS_SHARE = 0.02


@dataclass(frozen=True)
class Edges:
    """Intervals of a market.

    Attributes:
        start_us: int64[i] [us since 1970-01-01 UTC].
        end_us: int64[i] [us since 1970-01-01 UTC].
    """

    start_us: Ints
    end_us: Ints

    def last(self) -> "Edges":
        """Return the last one alone."""
        return Edges(self.start_us[-1:], self.end_us[-1:])


def edges(group: Group, after_us: int, until_us: int) -> Edges:
    """Return the intervals of a market that end in (after, until], trading days only where they are days."""
    nodes = np.arange(after_us // NODE_US + 1, until_us // NODE_US + 1) * NODE_US
    found = intervals(group.market, nodes, label="end")
    ends = found.end_us == nodes
    if group.market.interval_s == DAY_S:
        ends &= is_trading(group.market, _closing(group, found.end_us) - 1)
    return Edges(found.start_us[ends], found.end_us[ends])


def settlements(group: Group, at: Edges, whole: Path, jitter_s: float, revisions: float) -> list[Ticks]:
    """Return what is published of some intervals.

    Args:
        group: whose.
        at: which intervals.
        whole: path that covers them.
        jitter_s: publication follows an interval's end, or a forecast its start, within this time [s].
        revisions: share of intervals that are run a second time.
    """
    labels = at.start_us if group.market.label == "start" else at.end_us
    bits = draw(group.keys[None, :], _PUBLISH, (at.end_us // NODE_US)[:, None])
    late_us = (jitter_s * 1e6 * fraction(lane(bits, 0))).astype(np.int64)
    shape = bits.shape
    symbol = np.broadcast_to(group.first + np.arange(shape[1]), shape).ravel()
    time_us = np.broadcast_to(labels[:, None], shape).ravel()
    due_us = (at.end_us[:, None] + late_us).ravel()
    price = np.rint(100 * _of(group, whole.price, whole.first, at)) / 100
    columns = {"price": price} | _components(group, whole, at, price, bits)
    demand = _of(group, whole.demand_mw, whole.first, at)
    if group.traits.mean_mw:
        columns["quantity"] = np.rint(demand * group.market.interval_s / 360) / 10
    found = [Ticks(SETTLEMENT, symbol, time_us, due_us, 0, _flat(columns))]
    found.append(_second_run(found[0], price, bits, revisions))
    if group.traits.mean_mw:
        green = _of(group, whole.renewable_mw, whole.first, at)
        guess = demand * (1 + _FORECAST_SD * normal(lane(draw(bits, _FORECAST, 0), 0)))
        early_us = (at.start_us[:, None] + late_us).ravel()
        for kind, due, values in ((DEMAND, due_us, demand), (RENEWABLE, due_us, green), (FORECAST, early_us, guess)):
            found.append(Ticks(kind, symbol, time_us, due, columns={"quantity": (np.rint(10 * values) / 10).ravel()}))
    return found


def _second_run(first: Ticks, price: Floats, bits: Bits, revisions: float) -> Ticks:
    """Return the runs that correct the first one: another price, later, as revision 1."""
    detail = draw(bits, _RERUN, 0)
    chosen = (uniform(detail) < revisions).ravel()
    again = draw(detail, _RERUN, 1)
    other = np.rint(100 * (price * (1 + 0.03 * normal(lane(again, 0))))) / 100
    low, high = (1_000_000 * edge for edge in RERUN_AFTER_S)
    due_us = first.due_us + (low + (high - low) * fraction(lane(again, 1)).ravel()).astype(np.int64)
    columns = {"price": other.ravel()}
    if "quantity" in first.columns:
        columns["quantity"] = first.columns["quantity"]
    return Ticks(SETTLEMENT, first.symbol, first.time_us, due_us, 1, columns).where(chosen)


def _components(group: Group, whole: Path, at: Edges, price: Floats, bits: Bits) -> dict[str, Floats]:
    """Return the three parts of a locational price where the market has such: they add up to it, cent by cent."""
    market = group.market
    if market.kind != "real_time" or market.limits_apply_to != "offer":
        return {}
    energy = np.rint(100 * np.broadcast_to(_of(group, whole.energy_price, whole.first, at), price.shape))
    loss = np.rint(energy * _LOSS_SHARE * (2 * fraction(lane(draw(bits, _LOSS, 0), 0)) - 1))
    congestion = np.rint(100 * price) - energy - loss
    return {"energy_price": energy / 100, "congestion_price": congestion / 100, "loss_price": loss / 100}


def _of(group: Group, values: Floats, first: int, at: Edges) -> Floats:
    """Return the mean over each interval, float64[i, s]; of days, the value at the close of trading."""
    if group.market.interval_s == DAY_S:
        return values[_closing(group, at.end_us) // NODE_US - 1 - first]
    count = group.market.interval_s // NODE_S
    node = at.start_us // NODE_US - first
    total = np.zeros((len(node), values.shape[1]))
    # One node after the other, so that a sum does not depend on how many intervals are asked for.
    for step in range(count):
        total += values[node + step]
    return total / count


def _closing(group: Group, end_us: Ints) -> Ints:
    """Return when trading closes on the local days that end at some moments [us since 1970-01-01 UTC]."""
    return end_us - (24 * 60 - group.market.closes_minute) * 60_000_000


def _flat(columns: dict[str, Floats]) -> dict[str, Floats]:
    return {name: values.ravel() for name, values in columns.items()}
