"""Phase imbalance: its rate, its sequence ratio, and spells of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.imbalance import ImbalanceRules, Phases, imbalances, sequence_ratio, unbalance_rate
from schemas.alerts import Severity

RULES = ImbalanceRules()
START_S = 1_700_000_000 - 1_700_000_000 % 3_600
VOLTS = st.lists(st.floats(100, 300), min_size=3, max_size=3)


def phases(*third: float, own: bool = True, meters: int = 5) -> Phases:
    volts = np.array([[230.0, 230.0, value] for value in third]).reshape(-1, 3)
    hours = START_S + 3_600 * np.arange(len(third))
    return Phases("T1", hours, volts, np.full((len(third), 3), meters), own)


def test_the_rate_is_the_largest_distance_from_the_mean() -> None:
    """NEMA MG-1, 14.36: 460, 467 and 450 V are 459 V in the mean, 9 V and 1.96 %."""
    assert unbalance_rate(np.array([460.0, 467.0, 450.0])) == pytest.approx(0.0196, abs=5e-5)
    assert np.isnan(unbalance_rate(np.array([230.0, np.nan, 230.0])))


@given(volts=VOLTS)
def test_sequences_are_those_of_fortescue(volts: list[float]) -> None:
    turn = np.exp(2j * np.pi / 3)
    one, two, three = volts[0], volts[1] * turn**2, volts[2] * turn
    positive, negative = abs(one + turn * two + turn**2 * three), abs(one + turn**2 * two + turn * three)
    assert sequence_ratio(np.array(volts)) == pytest.approx(negative / positive, abs=1e-12)


@given(volts=VOLTS, factor=st.floats(0.1, 10))
def test_neither_scale_nor_order_of_phases_matters(volts: list[float], factor: float) -> None:
    values = np.array(volts)
    for rate in (unbalance_rate, sequence_ratio):
        assert rate(factor * values) == pytest.approx(float(rate(values)), abs=1e-9)
        assert rate(values[[2, 0, 1]]) == pytest.approx(float(rate(values)), abs=1e-9)
        assert rate(np.full(3, values[0])) == pytest.approx(0, abs=1e-12)


def test_a_spell_is_told_once_it_has_held_and_is_over_once_it_is_over() -> None:
    odd, even = 215.0, 229.0
    (one,) = imbalances(phases(even, odd, odd, odd, 224.0, odd, even, even, even), RULES)
    assert (one.started_s, one.ended_s) == (START_S + 3_600, START_S + 6 * 3_600)
    assert one.measured == pytest.approx(100 * unbalance_rate(np.array([230, 230, odd])))
    assert one.severity is Severity.WARNING
    assert one.detail.startswith("L3 is 4.4 % off")
    assert imbalances(phases(odd, odd, even, odd, odd), RULES) == []
    (lasting,) = imbalances(phases(even, odd, odd, odd), RULES)
    assert lasting.ended_s == 0


def test_it_takes_customers_on_each_phase_where_no_meter_has_all_three() -> None:
    assert imbalances(phases(215, 215, 215, own=False, meters=2), RULES) == []
    (one,) = imbalances(phases(215, 215, 215, own=False, meters=3), RULES)
    assert "9 customers" in one.detail


def test_hours_without_a_phase_say_nothing() -> None:
    assert imbalances(phases(*[float("nan")] * 5), RULES) == []
    assert imbalances(phases(), RULES) == []
