"""Clearing of piecewise-linear curves, whose orders are served gradually between two prices."""

from dataclasses import dataclass

import numpy as np

from schemas.layout import Floats


@dataclass(frozen=True)
class Curve:
    """Quantity wanted or offered at each price, linear in between and constant beyond the ends.

    Attributes:
        price: float64[n], strictly rising [currency/unit].
        quantity: float64[n], not negative; never rising for demand, never falling for supply.
    """

    price: Floats
    quantity: Floats

    def at(self, price: Floats) -> Floats:
        """Return the quantity at some prices."""
        return np.interp(price, self.price, self.quantity)


@dataclass(frozen=True)
class Crossing:
    """Where demand meets supply.

    Attributes:
        price: clearing price [currency/unit]; NaN where the curves never meet.
        volume: what trades, in the unit of the quantities.
        consumer_surplus: area between price and demand, up to the highest price of either curve [currency].
        producer_surplus: area between supply and price, down to the lowest price of either curve [currency].
    """

    price: float
    volume: float
    consumer_surplus: float
    producer_surplus: float


_NOTHING = Crossing(np.nan, 0.0, 0.0, 0.0)


def cross(demand: Curve, supply: Curve) -> Crossing:
    """Find price and volume; of a range of prices that clear, the middle one.

    Where demand exceeds supply even at the highest price, that price rations: the volume is what is offered. Where
    supply exceeds demand even at the lowest price, the lowest price is taken and the volume is what is wanted.

    Raises:
        ValueError: prices do not rise strictly, or a curve runs the wrong way.
    """
    _check(demand, rising=False)
    _check(supply, rising=True)
    price = np.union1d(demand.price, supply.price)
    excess = demand.at(price) - supply.at(price)  # falls with the price
    clearing = _zero(price, excess)
    at = np.array([clearing])
    volume = float(min(demand.at(at)[0], supply.at(at)[0]))
    if volume <= 0:
        return _NOTHING
    return Crossing(clearing, volume, *_surplus(demand, supply, price, clearing, volume))


def _check(curve: Curve, *, rising: bool) -> None:
    steps = np.diff(curve.quantity) if rising else -np.diff(curve.quantity)
    if not len(curve.price) or np.any(np.diff(curve.price) <= 0) or np.any(steps < 0) or np.any(curve.quantity < 0):
        way = "supply may never fall" if rising else "demand may never rise"
        raise ValueError(f"cross: prices must rise strictly, quantities may not be negative, and {way}")


def _zero(price: Floats, excess: Floats) -> float:
    """Return the price at which a falling piecewise-linear function is zero, the middle of a stretch of them."""
    if excess[0] <= 0:
        return float(price[0] if excess[0] < 0 else _middle(price, excess))
    if excess[-1] > 0:
        return float(price[-1])
    if np.any(excess == 0):
        return _middle(price, excess)
    after = int(np.argmax(excess < 0))
    share = excess[after - 1] / (excess[after - 1] - excess[after])
    return float(price[after - 1] + share * (price[after] - price[after - 1]))


def _middle(price: Floats, excess: Floats) -> float:
    zero = price[excess == 0]
    return float((zero[0] + zero[-1]) / 2)


def _surplus(demand: Curve, supply: Curve, price: Floats, clearing: float, volume: float) -> tuple[float, float]:
    """Integrate both curves from the clearing price outwards; rationed quantities gain nothing beyond the volume."""
    above = np.union1d(price[price > clearing], [clearing])
    below = np.union1d(price[price < clearing], [clearing])
    wanted, offered = np.minimum(demand.at(above), volume), np.minimum(supply.at(below), volume)
    return float(np.trapezoid(wanted, above)), float(np.trapezoid(offered, below))
