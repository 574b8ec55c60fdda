"""Losses of distribution transformers and of the lines behind them: constants of the rating, bent by the own past.

What one hour loses is no_load + share * supplied + per_kwh * own^2: the iron, what meters differ by, and what currents
lose. Expected are the losses of EN 50464-1 (C0, Ck), which go with the rating to the power of 3/4 as those of similar
machines do, and 1.5 % of the rating in the lines at rated load. Old transformers lose up to twice as much, new ones
half, so the past decides within that: ridge regression towards the constants, robust by Tukey's biweight from
there on. An hour that no losses could explain says nothing about losses.
"""

from dataclasses import dataclass

import numpy as np

from schemas.layout import Floats, Mask

#: Of a transformer [W], times its rating [kVA] to the power of 3/4: fitted to EN 50464-1, C0 and Ck, 50 to 2500 kVA.
_NO_LOAD_W, _LOAD_W = 6.7, 56.0
_LINE_SHARE = 0.015
#: At which power factor a rating is reached where nobody knows better.
USUAL_POWER_FACTOR = 0.95
#: How far the past may bend each term: by half of its constant and up to twice of it; what meters differ by, as those
#: of class B do (EN 50470-3, 1 %), and up to twice of that.
_BEND, _MOST, _METERING, _MOST_METERING = 0.5, 2.0, 0.01, 0.02
#: Tukey's biweight at 95 % efficiency (Huber, Robust Statistics), of a scale that good meters and clocks keep to: of
#: what an hour supplies, and of what a mean one does.
_BIWEIGHT, _SCALE, _LEAST_SCALE = 4.685, 0.02, 0.004
_ROUNDS = 15


@dataclass(frozen=True)
class Hours:
    """Consecutive hours of some transformers.

    Attributes:
        own_kwh: float64[t, h], through the transformer's own meter, drawn less fed back [kWh].
        customers_kwh: float64[t, h], the same in sum over the meters of its customers [kWh].
        exported_kwh: float64[t, h], what customers fed in [kWh].
        complete: bool[t, h], whether nothing of it is missing.
    """

    own_kwh: Floats
    customers_kwh: Floats
    exported_kwh: Floats
    complete: Mask

    @property
    def supplied_kwh(self) -> Floats:
        """What customers were supplied with, by the transformer or by each other's panels, float64[t, h] [kWh]."""
        return self.own_kwh + self.exported_kwh

    @property
    def lost_kwh(self) -> Floats:
        """What came in and is in no customer's meter, float64[t, h] [kWh]."""
        return self.own_kwh - self.customers_kwh


@dataclass(frozen=True)
class Losses:
    """What transformers are believed to lose in an hour.

    Attributes:
        terms: float64[t, 3], [kWh, 1, 1/kWh]; times 1, kWh supplied, and the square of kWh through the own meter.
        scatter_kwh: float64[t], standard deviation of what they leave of hours that they explain [kWh].
        sound: int64[t], how many hours they explain.
    """

    terms: Floats
    scatter_kwh: Floats
    sound: np.typing.NDArray[np.int64]

    def expected_kwh(self, hours: Hours) -> Floats:
        """Return what each hour should lose, float64[t, h] [kWh]."""
        expected: Floats = np.einsum("thk,tk->th", regressors(hours), self.terms)
        return expected


def rated_losses(rating_kva: Floats) -> Floats:
    """Return what transformers of some ratings are expected to lose, float64[t, 3], as `Losses.terms`.

    Args:
        rating_kva: float64[t] [kVA].
    """
    size = rating_kva**0.75
    rated_kwh = USUAL_POWER_FACTOR * rating_kva
    at_rated_kwh = _LOAD_W * size / 1000 + _LINE_SHARE * rating_kva
    return np.stack([_NO_LOAD_W * size / 1000, np.zeros_like(size), at_rated_kwh / (rated_kwh * rated_kwh)], axis=1)


def likely_rating(hours: Hours) -> Floats:
    """Return a rating for transformers of which it is not known: the next usual one above 1.3 times the highest hour.

    Returns: float64[t] [kVA].
    """
    highest = np.max(np.where(hours.complete, np.abs(hours.own_kwh), 0.0), axis=1, initial=0.0)
    usual = np.array([50.0, 100, 160, 250, 400, 630, 1000, 1600, 2500])
    rating: Floats = usual[np.minimum(np.searchsorted(usual, 1.3 * highest / USUAL_POWER_FACTOR), len(usual) - 1)]
    return rating


def fit_losses(hours: Hours, rating_kva: Floats) -> Losses:
    """Learn what transformers lose from their own complete hours.

    Args:
        hours: t transformers.
        rating_kva: float64[t], NaN where it is not known [kVA].
    """
    rating = np.where(np.isnan(rating_kva), likely_rating(hours), rating_kva)
    prior = rated_losses(rating)
    usual = np.stack([_BEND * prior[:, 0], np.full(len(prior), _METERING), _BEND * prior[:, 2]], axis=1)
    most = np.stack([_MOST * prior[:, 0], np.full(len(prior), _MOST_METERING), _MOST * prior[:, 2]], axis=1)
    least = np.stack([0 * prior[:, 0], -most[:, 1], 0 * prior[:, 2]], axis=1)
    # In units of each term's own spread the three are of one size.
    columns = regressors(hours) * usual[:, None, :]
    scale = _scale(hours)
    lost = np.where(hours.complete, hours.lost_kwh, 0.0)
    terms, weight = prior, np.zeros_like(lost)
    for _ in range(_ROUNDS):
        left = (lost - np.einsum("thk,tk->th", columns, terms / usual)) / (_BIWEIGHT * scale)
        weight = np.where(hours.complete & (np.abs(left) < 1), (1 - left * left) ** 2, 0.0)
        precision = np.einsum("thj,th,thk->tjk", columns, weight / scale**2, columns) + np.eye(3)
        target = np.einsum("thj,th->tj", columns, weight * lost / scale**2) + prior / usual
        terms = np.clip(np.linalg.solve(precision, target[..., None])[..., 0] * usual, least, most)
    left = lost - np.einsum("thk,tk->th", columns, terms / usual)
    total = weight.sum(axis=1)
    scatter = np.sqrt(np.divide((weight * left**2).sum(axis=1), total, out=scale.mean(axis=1) ** 2, where=total > 3))
    return Losses(terms, scatter, np.count_nonzero(weight > 0, axis=1))


def regressors(hours: Hours) -> Floats:
    """Return what each term of losses is multiplied with, float64[t, h, 3]."""
    supplied, own = np.nan_to_num(hours.supplied_kwh), np.nan_to_num(hours.own_kwh)
    return np.stack([np.ones_like(own), supplied, own * own], axis=2)


def _scale(hours: Hours) -> Floats:
    """Return how far hours of good meters leave expected losses, float64[t, h] [kWh]."""
    count = np.maximum(np.count_nonzero(hours.complete, axis=1, keepdims=True), 1)
    supplied = np.where(hours.complete, np.abs(hours.supplied_kwh), 0.0)
    scale: Floats = np.maximum(_SCALE * supplied + _LEAST_SCALE * supplied.sum(axis=1, keepdims=True) / count, 1e-3)
    return scale
