"""Losses: constants of the rating, the own past, and hours that no losses could explain."""

import numpy as np
import pytest

from processors.losses import Hours, fit_losses, likely_rating, rated_losses
from schemas.layout import Floats

RNG = np.random.default_rng(3)
#: Customers of one transformer over two weeks, with a day's shape [kWh].
LOAD = 40 + 25 * np.sin(np.arange(336) * 2 * np.pi / 24)[None, :] + RNG.normal(0, 6, (1, 336))
RATING = np.array([100.0])


def hours(lost: Floats, load: Floats = LOAD, complete: Floats | None = None) -> Hours:
    whole = np.ones(load.shape, dtype=bool) if complete is None else complete.astype(bool)
    return Hours(load + lost, load, np.zeros(load.shape), whole)


@pytest.mark.parametrize(("rating", "no_load_w", "load_w"), [(50, 125, 1_100), (160, 300, 2_350), (400, 610, 4_600)])
def test_constants_are_near_those_of_the_standard(rating: float, no_load_w: float, load_w: float) -> None:
    """EN 50464-1, C0 and Ck; lines lose 1.5 % of the rating at rated load."""
    terms = rated_losses(np.array([rating]))[0]
    assert 1000 * terms[0] == pytest.approx(no_load_w, rel=0.1)
    at_rated = terms[2] * (0.95 * rating) ** 2
    assert 1000 * (at_rated - 0.015 * rating) == pytest.approx(load_w, rel=0.1)


@pytest.mark.parametrize("times", [0.5, 1.0, 1.9])
def test_the_own_past_decides_within_what_transformers_lose(times: float) -> None:
    constants = rated_losses(RATING)[0]
    lost = times * (constants[0] + constants[2] * LOAD**2)
    of = hours(lost)
    losses = fit_losses(of, RATING)
    assert losses.expected_kwh(of) == pytest.approx(lost, abs=0.02 * LOAD.mean())
    assert losses.sound[0] > 300


def test_hours_that_no_losses_could_explain_say_nothing_about_losses() -> None:
    constants = rated_losses(RATING)[0]
    honest = constants[0] + constants[2] * LOAD**2
    stolen = honest + np.where(np.arange(336) > 150, 0.3 * LOAD, 0)
    robbed, sound = fit_losses(hours(stolen), RATING), fit_losses(hours(honest), RATING)
    of = hours(honest)
    assert robbed.expected_kwh(of) == pytest.approx(sound.expected_kwh(of), abs=0.02 * LOAD.mean())
    assert robbed.sound[0] < 200


def test_theft_that_was_always_there_is_taken_for_losses_only_as_far_as_losses_could_be() -> None:
    of = hours(0.25 * LOAD)
    assert fit_losses(of, RATING).expected_kwh(of).sum() < 0.1 * LOAD.sum()


def test_terms_stay_within_what_is_possible() -> None:
    of = hours(-0.05 * LOAD)
    terms = fit_losses(of, RATING).terms[0]
    assert terms[0] >= 0
    assert abs(terms[1]) <= 0.02
    assert terms[2] >= 0


def test_incomplete_hours_count_for_nothing() -> None:
    constants = rated_losses(RATING)[0]
    lost = constants[0] + constants[2] * LOAD**2
    complete = RNG.random(LOAD.shape) < 0.7
    broken = np.where(complete, lost, 17.0)
    found = fit_losses(hours(broken, complete=complete), RATING)
    assert found.expected_kwh(hours(lost)) == pytest.approx(lost, abs=0.01 * LOAD.mean())
    nothing = fit_losses(hours(lost, complete=np.zeros(LOAD.shape)), RATING)
    assert nothing.terms[0] == pytest.approx(constants)
    assert nothing.sound[0] == 0


def test_a_rating_that_is_not_known_is_the_next_above_the_highest_hour() -> None:
    assert likely_rating(hours(0 * LOAD)).tolist() == [160.0]
    of = hours(0.02 * LOAD)
    assert np.isfinite(fit_losses(of, np.array([np.nan])).expected_kwh(of)).all()
