"""Who explains missing energy: the customer whose profile it follows, nobody, or one who stands elsewhere."""

import numpy as np
import pytest

from processors.suspects import DisplacedRules, displaced, explain

RNG = np.random.default_rng(5)
#: Two transformers of ten customers each over a week [kWh].
COUNTED = RNG.gamma(1.0, 0.6, (168, 20)) * RNG.uniform(0.3, 2.0, 20)
STANDS = np.repeat([0, 1], 10)
NOISE = RNG.normal(0, 0.1, (2, 168))
BASE = np.stack([np.ones((2, 168)), np.stack([COUNTED[:, :10].sum(1), COUNTED[:, 10:].sum(1)])], axis=2)
RULES = DisplacedRules()


def test_a_bypass_follows_what_its_meter_still_counts() -> None:
    found = explain(1.5 * COUNTED[:, 3] + NOISE[0], COUNTED[:, :10], COUNTED[:, :10].sum(1), 0.1)
    assert found.customer == 3
    assert found.confidence > 0.95
    assert found.factor == pytest.approx(1.5, rel=0.05)


def test_what_goes_with_everybody_names_nobody() -> None:
    supplied = COUNTED[:, :10].sum(1)
    assert explain(0.3 * supplied + NOISE[0], COUNTED[:, :10], supplied, 0.1).customer is None


def test_nobody_is_named_for_feeding_in_what_is_missing() -> None:
    found = explain(-COUNTED[:, 3], COUNTED[:, :10], COUNTED[:, :10].sum(1), 0.1)
    assert found.factor == 0
    assert found.confidence < 0.5


def test_a_customer_of_the_neighbour_is_missing_at_one_and_too_much_at_the_other() -> None:
    left = NOISE + np.stack([-COUNTED[:, 4], COUNTED[:, 4]])
    (one,) = displaced(left, BASE, COUNTED, STANDS, RULES)
    assert (one.customer, one.named, one.feeds) == (4, 0, 1)
    assert one.confidence > 0.95


def test_one_who_stands_where_nobody_measures_is_found_by_his_absence() -> None:
    left = NOISE + np.stack([-COUNTED[:, 4], np.zeros(168)])
    (one,) = displaced(left, BASE, COUNTED, STANDS, RULES)
    assert (one.customer, one.feeds) == (4, None)


def test_several_are_found_one_after_the_other() -> None:
    moved = COUNTED[:, 2] + COUNTED[:, 7]
    found = displaced(NOISE + np.stack([-moved, moved]), BASE, COUNTED, STANDS, RULES)
    assert {one.customer for one in found} == {2, 7}


def test_nobody_is_displaced_where_all_is_right_and_by_theft() -> None:
    assert displaced(NOISE, BASE, COUNTED, STANDS, RULES) == []
    theft = np.stack([0.6 * COUNTED[:, 3], np.zeros(168)])
    assert displaced(NOISE + theft, BASE, COUNTED, STANDS, RULES) == []


def test_too_few_complete_hours_say_nothing() -> None:
    left = NOISE + np.stack([-COUNTED[:, 4], COUNTED[:, 4]])
    left[:, 20:] = np.nan
    assert displaced(left, BASE, COUNTED, STANDS, RULES) == []
    assert displaced(np.full((2, 168), np.nan), BASE, COUNTED, STANDS, RULES) == []


def test_a_meter_of_which_hours_are_missing_is_told_by_those_that_there_are() -> None:
    counted = COUNTED.copy()
    counted[::10, 4] = np.nan
    left = NOISE + np.stack([-COUNTED[:, 4], COUNTED[:, 4]])
    left[0, ::10] = np.nan
    assert [one.customer for one in displaced(left, BASE, counted, STANDS, RULES)] == [4]


def test_hours_of_before_anything_came_are_held_against_nobody() -> None:
    left = NOISE + np.stack([-COUNTED[:, 4], COUNTED[:, 4]])
    counted = np.concatenate([np.full((240, 20), np.nan), COUNTED])
    left, base = np.concatenate([np.full((2, 240), np.nan), left], axis=1), np.zeros((2, 408, 2))
    base[:, 240:] = BASE
    assert [one.customer for one in displaced(left, base, counted, STANDS, RULES)] == [4]
