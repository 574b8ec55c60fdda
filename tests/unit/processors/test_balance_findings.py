"""Balances of a neighbourhood as conditions that people read."""

from dataclasses import replace

import numpy as np
import pytest

from processors.balance_findings import Neighbourhood, examine
from processors.conditions import Condition
from processors.energy_balance import BalanceRules
from processors.losses import Hours
from processors.suspects import DisplacedRules
from schemas.alerts import AlertKind, Severity
from schemas.layout import Floats

RNG = np.random.default_rng(11)
#: Two transformers of twelve customers each over ten days [kWh].
USED = RNG.gamma(1.0, 0.8, (240, 24)) * RNG.uniform(0.4, 2.5, 24)
STANDS = np.repeat([0, 1], 12)
START_S = 1_700_000_000


def near(counted: Floats = USED, stands: np.typing.NDArray[np.int64] = STANDS) -> Neighbourhood:
    """What customers use flows in with 3 % of losses; what their meters count may be something else."""
    flows = np.stack([USED[:, number == STANDS].sum(axis=1) for number in (0, 1)])
    metered = np.stack([counted[:, stands == number].sum(axis=1) for number in (0, 1)])
    hours = Hours(1.03 * flows, metered, np.zeros(flows.shape), np.ones(flows.shape, dtype=bool))
    names, customers = ["T1", "T2"], [f"M{number}" for number in range(24)]
    return Neighbourhood(names, hours, START_S, np.array([50.0, 50.0]), customers, counted, stands)


def found(of: Neighbourhood) -> list[Condition]:
    return examine(of, BalanceRules(), DisplacedRules())[0]


def test_a_balance_that_closes_is_no_condition() -> None:
    conditions, losses = examine(near(), BalanceRules(), DisplacedRules())
    assert conditions == []
    assert losses.sound.tolist() == [240, 240]


def test_a_thief_is_named_with_what_is_missing_and_since_when() -> None:
    thief = int(USED[:, :12].sum(axis=0).argmax())
    counted = USED.copy()
    counted[96:, thief] *= 0.2
    stolen = USED[96:, thief] - counted[96:, thief]
    assert stolen.sum() > 0.1 * USED[96:, :12].sum()
    (one,) = found(near(counted))
    assert (one.kind, one.element) == (AlertKind.UNACCOUNTED_ENERGY, "transformer/T1")
    assert one.suspect == f"meter/M{thief}"
    assert one.started_s == pytest.approx(START_S + 96 * 3_600, abs=6 * 3_600)
    assert one.measured == pytest.approx(24 * stolen.mean(), rel=0.25)
    assert one.uncertainty is not None


def test_what_goes_with_everybody_is_a_line_or_a_meter_and_urgent() -> None:
    counted = USED.copy()
    counted[100:, :12] *= 0.5
    (one,) = found(near(counted))
    assert one.severity is Severity.CRITICAL
    assert one.suspect is None
    assert "no single customer" in one.detail


def test_more_than_comes_in_is_told_as_such() -> None:
    of = near()
    own = of.hours.own_kwh.copy()
    own[0, 80:] *= 0.7
    (one,) = found(replace(of, hours=replace(of.hours, own_kwh=own)))
    assert one.measured < 0
    assert "more are metered" in one.detail


def test_one_who_stands_elsewhere_is_a_condition_of_the_meter_and_of_nothing_else() -> None:
    stands = STANDS.copy()
    stands[5] = 1
    (one,) = found(near(stands=stands))
    assert (one.kind, one.element, one.suspect) == (AlertKind.WRONG_TRANSFORMER, "meter/M5", "transformer/T1")
    assert one.measured == pytest.approx(24 * USED[:, 5].mean())
    assert "transformer T2, as the registry says, but through transformer T1" in one.detail
