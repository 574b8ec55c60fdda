"""Energy balance of a simulated fleet whose thieves and wrong entries are known; `pytest -s` prints the tables."""

import sys
from dataclasses import dataclass, field

import numpy as np
import pytest

from processors.balance_findings import examine
from processors.conditions import Condition
from processors.energy_balance import BalanceRules
from processors.suspects import DisplacedRules
from schemas.alerts import AlertKind
from simulators.grid import Grid
from simulators.local_time import DAY_S
from simulators.schedule import Events
from tests.balance import Measured, measured, misplaced, neighbourhood, thefts, thief_for, with_errors

_GRID = Grid.build(2_000, 7)
_FIRST_DAY = 5_900
#: The engine looks every six hours, ten days back.
_EVERY_H, _REACH_H = 6, 240
#: Share of the hours of meters that are lost: an hour without anybody's reading says nothing of the whole transformer.
_LOST = 0.0005


@dataclass
class Seen:
    """What came of some thefts.

    Attributes:
        after_h: transformer -> hours of data after which it was suspected first.
        named: transformer -> meter that was named at the end, None for nobody.
        wrong: other transformers, and other conditions than missing energy.
    """

    after_h: dict[str, int] = field(default_factory=dict)
    named: dict[str, str | None] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)


def look(found: Measured, hour: int) -> list[Condition]:
    near = neighbourhood(found, max(0, hour - _REACH_H), hour)
    return examine(near, BalanceRules(), DisplacedRules())[0]


def robbed(share: float, past_days: int, transformers: list[int], usual: Measured) -> tuple[Seen, dict[int, float]]:
    """Let customers of some transformers steal a share of its energy, and look for two days."""
    thieves: dict[int, float] = {}
    for number in transformers:
        thieves |= thief_for(_GRID, usual, number, share)
    start_s = (_FIRST_DAY + past_days) * DAY_S
    events = thefts(_GRID, thieves, start_s, start_s + 30 * DAY_S) if thieves else Events.none()
    found = with_errors(measured(_GRID, events, _FIRST_DAY, past_days + 2, lost=_LOST))
    seen, names = Seen(), {f"transformer/T{number}" for number in transformers}
    for after_h in range(_EVERY_H, 49, _EVERY_H):
        for one in look(found, 24 * past_days + after_h):
            if one.kind is not AlertKind.UNACCOUNTED_ENERGY or one.element not in names or one.measured < 0:
                seen.wrong.add(one.element)
                continue
            seen.after_h.setdefault(one.element, after_h)
            seen.named[one.element] = one.suspect
    return seen, thieves


@pytest.fixture(scope="module")
def usual() -> Measured:
    return measured(_GRID, Events.none(), _FIRST_DAY, 3)


def test_a_healthy_fleet_with_meters_of_its_class_raises_nothing() -> None:
    found = with_errors(measured(_GRID, Events.none(), _FIRST_DAY + 40, 12, lost=_LOST))
    assert [one for hour in range(24, 12 * 24 + 1, 24) for one in look(found, hour)] == []


@pytest.mark.parametrize("past_days", [0, 8], ids=["without a past", "with a past"])
def test_theft_of_a_fifth_of_a_transformer_is_suspected_within_two_days(past_days: int, usual: Measured) -> None:
    rng, lines = np.random.default_rng(past_days), list[str]()
    for share in (0.05, 0.10, 0.15, 0.20, 0.30, 0.50):
        chosen = rng.choice(len(_GRID.transformer_kva), 15, replace=False).tolist()
        seen, thieves = robbed(share, past_days, chosen, usual)
        right = sum(name is not None and int(name.removeprefix("meter/M")) in thieves for name in seen.named.values())
        named = sum(name is not None for name in seen.named.values())
        after = np.array(sorted(seen.after_h.values()) or [0])
        lines.append(
            f"{share:5.0%} {len(seen.after_h):9} of 15 {np.median(after):8.0f} h {after.max():5} h "
            f"{len(thieves) / 15:8.1f} {right:6} of {named:2} {len(seen.wrong):6}"
        )
        assert not seen.wrong
        assert right == named
        if share >= 0.2:
            assert len(seen.after_h) == 15
    head = "share  suspected  median after  last  thieves  named right  wrong"
    sys.stdout.write("\n".join(["", f"{past_days} days of past", head, *lines, ""]))


def test_customers_of_another_transformer_than_the_registry_says_are_found() -> None:
    rng = np.random.default_rng(2)
    moved = rng.choice(_GRID.meters, 20, replace=False).tolist()
    start_s = _FIRST_DAY * DAY_S
    events = misplaced(_GRID, moved, start_s, start_s + 30 * DAY_S)
    found = with_errors(measured(_GRID, events, _FIRST_DAY, 10, lost=_LOST))
    conditions = look(found, 240)
    wrong = [one for one in conditions if one.kind is AlertKind.WRONG_TRANSFORMER]
    meters = {one.element: int(one.element.removeprefix("meter/M")) for one in wrong}
    assert set(meters.values()) <= set(moved)
    right = [one for one in wrong if one.suspect == f"transformer/T{_GRID.meter_transformer[meters[one.element]]}"]
    daily = np.sort(_GRID.daily_wh[moved]) / 1_000
    missed = np.sort(_GRID.daily_wh[sorted(set(moved) - set(meters.values()))]) / 1_000
    sys.stdout.write(
        f"\n{len(wrong)} of {len(moved)} found, {len(right)} with the transformer that feeds them; they use "
        f"{daily[0]:.1f} to {daily[-1]:.1f} kWh a day, those not found {missed.round(1).tolist()}\n"
    )
    assert len(wrong) >= 0.6 * len(moved)
    assert len(right) >= 0.8 * len(wrong)
    assert not [one for one in wrong if one.suspect is not None and one not in right]
