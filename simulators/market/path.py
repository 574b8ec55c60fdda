"""Demand, renewables and price of a market's symbols on a grid of five minutes, each a function of seed and time alone.

Price is where residual load, demand less renewables, meets the merit order. Noise reverts to its mean: the solution of
an Ornstein-Uhlenbeck equation is a sum of past shocks that decay exponentially, and so is the effect of a jump (shot
noise). Both sums stop where what is left is small, so that a price needs no price before it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from processors.market_time import DAY_US, clock_of, is_holiday
from schemas.layout import Floats, Ints, Mask
from schemas.markets import DAY_S, Market
from simulators.market.listing import Group
from simulators.market.traits import Traits
from simulators.randomness import Bits, draw, fraction, lane, normal, salt, smooth, uniform

NODE_S = 300
NODE_US = NODE_S * 1_000_000
_NODES_PER_DAY = DAY_S // NODE_S

#: Shocks and jumps older than so many nodes are forgotten.
_MEMORY = 24
#: Share of the variance of noise that all symbols of a market have in common.
_COMMON = 0.85
#: Demand: weekends and holidays below working days, summer and winter above spring and autumn, and its weather
#: (period [days], standard deviation).
_REST, _SEASON = 0.93, 0.06
_WEATHER = ((4.0, 0.035), (0.12, 0.010))
#: Wind: periods of its weather [days] and their weights in the logistic function of their sum.
_WIND = ((2.5, 1.5), (0.3, 0.6))
_SUN_NOON, _DAY_HOURS = 12.6, 12.5
#: Fuel: periods [days] and weights.
_FUEL = ((50.0, 1.0), (9.0, 0.6))
_BASIS = ((1.5, 0.02), (0.2, 0.01))

_SALTS = {name: salt("market", name) for name in ("shock", "jump", "jump size", "cloud", "scale", "basis")}
_LAYERS = {
    (name, period): salt("market", name, str(period))
    for name, layers in (("weather", _WEATHER), ("wind", _WIND), ("fuel", _FUEL), ("basis", _BASIS))
    for period, _ in layers
}


@dataclass(frozen=True)
class Path:
    """Demand, renewables and price at consecutive nodes.

    Attributes:
        first: number of the first node, five-minute intervals since 1970-01-01 UTC.
        demand_mw: float64[k, s] [MW].
        renewable_mw: float64[k, s] [MW].
        price: float64[k, s], mean over the node's five minutes [currency/unit].
        energy_price: float64[k, 1], what the price would be without anything that is the symbol's own.
    """

    first: int
    demand_mw: Floats
    renewable_mw: Floats
    price: Floats
    energy_price: Floats


def path(group: Group, first: int, count: int) -> Path:
    """Return the path of a group of symbols.

    Args:
        group: whose.
        first: number of the first node.
        count: how many nodes.
    """
    traits, nodes = group.traits, np.arange(first, first + count)
    days = nodes / _NODES_PER_DAY
    fuel = np.exp(traits.fuel_sd * _layers("fuel", _FUEL, group.common, days))
    demand = _demand(group.market, traits, nodes) * (1 + _layers("weather", _WEATHER, group.common, days))
    renewable = _renewables(group.market, traits, group.common, nodes)
    loads, prices = traits.curve
    residual = demand - renewable + traits.noise_sd * _shocks(group.common, traits, nodes)
    jumps = _jumps(group.common, traits, nodes, residual)
    energy = traits.level * (fuel * np.interp(residual, loads, prices) + jumps)
    own = _layers("basis", _BASIS, group.keys, days)
    share = np.sqrt(1 - _COMMON) * traits.noise_sd * _shocks(group.keys, traits, nodes)
    beside = np.interp(residual + share, loads, prices) - np.interp(residual, loads, prices)
    apart = traits.level * (own + fuel * beside)
    scale = traits.mean_mw * np.exp(0.3 * normal(lane(draw(group.keys, _SALTS["scale"], 0), 0)))
    return Path(
        first,
        demand * scale,
        renewable * scale * (1 + own),
        within_limits(group.market, energy + apart),
        within_limits(group.market, energy),
    )


def within_limits(market: Market, price: Floats) -> Floats:
    """Return prices cut at the market's floor and cap."""
    low = -np.inf if market.price_floor is None else market.price_floor
    high = np.inf if market.price_cap is None else market.price_cap
    return np.clip(price, low, high)


def _layers(name: str, layers: tuple[tuple[float, float], ...], keys: Bits, days: Floats) -> Floats:
    """Return a weighted sum of smooth noises, float64[k, len(keys)]."""
    total = np.zeros((len(days), len(keys)))
    for period, weight in layers:
        total += weight / 0.8 * smooth(keys, _LAYERS[name, period], days / period)
    return total


def _local(market: Market, nodes: Ints) -> tuple[Floats, Ints]:
    """Return the local hour in the middle of each node, and its local day."""
    local = clock_of(market.timezone).local_us(nodes * NODE_US + NODE_US // 2)
    return local % DAY_US / 3.6e9, local // DAY_US


def _demand(market: Market, traits: Traits, nodes: Ints) -> Floats:
    """Return the usual demand over its mean, float64[k, 1]."""
    hours, day = _local(market, nodes)
    usual = np.interp(hours, np.arange(-1, 25) + 0.5, [traits.shape[-1], *traits.shape, traits.shape[0]])
    rest = _rest(market, day)
    season = 1 + _SEASON * np.cos(4 * np.pi * (day % 365.2425 - 20) / 365.2425)
    found: Floats = (usual * np.where(rest, _REST, 1.03) * season)[:, None]
    return found


def _rest(market: Market, day: Ints) -> Mask:
    days, place = np.unique(day, return_inverse=True)
    return ((days + 3) % 7 >= 5)[place] | is_holiday(market, days)[place]


def _renewables(market: Market, traits: Traits, common: Bits, nodes: Ints) -> Floats:
    """Return the output of sun and wind over mean demand, float64[k, 1]."""
    days = nodes / _NODES_PER_DAY
    hours, _ = _local(market, nodes)
    height = np.cos(np.pi * (hours - _SUN_NOON) / _DAY_HOURS)
    light = np.where(np.abs(hours - _SUN_NOON) < _DAY_HOURS / 2, np.maximum(height, 0.0), 0.0) ** 0.7
    cloud = 1 / (1 + np.exp(-1.2 * smooth(common, _SALTS["cloud"], days / 0.8) - 1.2))
    gusts = 2 / (1 + np.exp(-_layers("wind", _WIND, common, days)))
    found: Floats = traits.solar * light[:, None] * (0.35 + 0.65 * cloud) + traits.wind * gusts
    return found


@lru_cache(maxsize=64)
def _kernel(traits: Traits) -> tuple[float, ...]:
    """Return what is left of shocks of unit variance after 0, 1, ... nodes, with unit variance of their sum."""
    left = np.exp(-NODE_S / traits.calm_s) ** np.arange(_MEMORY)
    return tuple((left / np.sqrt((left**2).sum())).tolist())


def _shocks(keys: Bits, traits: Traits, nodes: Ints) -> Floats:
    """Return mean-reverting noise of unit variance, float64[k, len(keys)]."""
    before = np.arange(nodes[0] - _MEMORY + 1, nodes[-1] + 1)
    fresh = normal(lane(draw(keys[None, :], _SALTS["shock"], before[:, None]), 0))
    total = np.zeros((len(nodes), len(keys)))
    # One lag after the other, so that a sum does not depend on where a batch begins.
    for lag, weight in enumerate(_kernel(traits)):
        start = _MEMORY - 1 - lag
        total += weight * fresh[start : start + len(nodes)]
    return total


def _jumps(keys: Bits, traits: Traits, nodes: Ints, residual: Floats) -> Floats:
    """Return what jumps add to the price over its level, float64[k, 1]; one in five goes down."""
    before = np.arange(nodes[0] - _MEMORY + 1, nodes[-1] + 1)
    bits = draw(keys[None, :], _SALTS["jump"], before[:, None])
    happens = uniform(bits) < traits.jumps / _NODES_PER_DAY
    detail = draw(bits, _SALTS["jump size"], 0)
    size = traits.jump * np.exp(traits.jump_sigma * normal(lane(detail, 0)))
    size = np.where(happens, np.where(fraction(lane(detail, 1)) < 0.2, -0.2, 1.0) * size, 0.0)
    total, left = np.zeros((len(nodes), len(keys))), np.exp(-NODE_S / traits.jump_s)
    for lag in range(_MEMORY):
        start = _MEMORY - 1 - lag
        total += left**lag * size[start : start + len(nodes)]
    # Little is left to jump about when there is plenty.
    return total * np.clip(2 * residual - 0.8, 0.1, 2.0)
