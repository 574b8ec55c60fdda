"""Energy in no meter: when it is told, since when, how much, and when it is over."""

import numpy as np
import pytest

from processors.energy_balance import BalanceRules, residuals, spells
from processors.losses import Hours, Losses
from schemas.layout import Floats

RULES = BalanceRules()
HOURS = np.arange(240)
SUPPLIED = 30 + 15 * np.sin(HOURS * 2 * np.pi / 24)
NOISE = np.random.default_rng(1).normal(0, 0.2, 240)


def stolen(share: float, first: int = 100, after: int = 240) -> Floats:
    return NOISE + np.where((first <= HOURS) & (after > HOURS), share * SUPPLIED, 0.0)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_a_spell_begins_where_it_began_and_is_told_within_two_days(share: float) -> None:
    (spell,) = spells(stolen(share), SUPPLIED, 0.2, RULES)
    assert abs(spell.first - 100) <= 2
    assert spell.after is None
    assert spell.told - 100 < 48
    assert spell.share == pytest.approx(share, rel=0.05)
    assert spell.missing_kwh == pytest.approx(share * SUPPLIED[100:].sum(), abs=3 * spell.deviation_kwh)


def test_what_is_below_the_tolerance_is_not_told() -> None:
    assert spells(stolen(0.06), SUPPLIED, 0.2, RULES) == []
    assert spells(NOISE, SUPPLIED, 0.2, RULES) == []


def test_what_scatters_as_much_anyway_is_not_told() -> None:
    assert spells(stolen(0.1), SUPPLIED, 5.0, RULES) == []


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_single_odd_hours_are_no_spell(sign: float) -> None:
    left = NOISE.copy()
    left[[100, 103, 110]] += sign * 200
    assert spells(left, SUPPLIED, 0.2, RULES, sign) == []


def test_a_spell_that_ends_is_over_where_it_ended() -> None:
    (spell,) = spells(stolen(0.3, 60, 130), SUPPLIED, 0.2, RULES)
    assert spell.after is not None
    assert abs(spell.first - 60) <= 2
    assert abs(spell.after - 130) <= 2


def test_two_spells_are_two() -> None:
    both = stolen(0.3, 30, 90) + stolen(0.3, 160) - NOISE
    assert len(spells(both, SUPPLIED, 0.2, RULES)) == 2


def test_what_was_there_from_the_beginning_is_told_after_a_day_and_the_hold() -> None:
    (spell,) = spells(stolen(0.2, 0), SUPPLIED, 0.2, RULES)
    assert (spell.first, spell.told) == (0, RULES.day + RULES.hold - 2)


def test_incomplete_hours_are_left_out_and_too_few_say_nothing() -> None:
    left = stolen(0.2)
    left[::5] = np.nan
    (spell,) = spells(left, SUPPLIED, 0.2, RULES)
    assert not np.isin(spell.hours, HOURS[::5]).any()
    assert spell.share == pytest.approx(0.2, rel=0.05)
    left[HOURS % 3 != 0] = np.nan
    assert spells(left, SUPPLIED, 0.2, RULES) == []
    assert spells(np.full(240, np.nan), SUPPLIED, 0.2, RULES) == []


def test_too_much_is_found_by_the_other_sign() -> None:
    assert spells(-stolen(0.2), SUPPLIED, 0.2, RULES) == []
    (spell,) = spells(-stolen(0.2), SUPPLIED, 0.2, RULES, sign=-1.0)
    assert spell.share == pytest.approx(0.2, rel=0.05)


def test_a_residual_is_what_is_neither_metered_nor_lost() -> None:
    hours = Hours(np.array([[10.0, 10.0]]), np.array([[7.0, 7.0]]), np.array([[1.0, 1.0]]), np.array([[True, False]]))
    losses = Losses(np.array([[0.5, 0.01, 0.001]]), np.zeros(1), np.zeros(1, dtype=np.int64))
    left = residuals(hours, losses)
    assert left[0, 0] == pytest.approx(3 - 0.5 - 0.11 - 0.1)
    assert np.isnan(left[0, 1])
