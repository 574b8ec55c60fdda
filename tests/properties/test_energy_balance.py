"""Energy balance of a simulated fleet whose thieves and wrong entries are known; `pytest -s` prints the tables."""

import sys
from dataclasses import dataclass, field
from functools import cached_property

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

_METERS = 2_000
#: The engine looks every six hours, ten days back.
_EVERY_H, _REACH_H = 6, 240
#: Share of the hours of meters that are lost: an hour without anybody's reading says nothing of the whole transformer.
_LOST = 0.0005


@dataclass(frozen=True)
class City:
    """A grid in a season.

    Attributes:
        seed: of the grid.
        first_day: since the epoch of the simulation.
    """

    seed: int = 7
    first_day: int = 5_900

    @cached_property
    def grid(self) -> Grid:
        return Grid.build(_METERS, self.seed)

    @cached_property
    def usual(self) -> Measured:
        """Three days of everybody's use."""
        return measured(self.grid, Events.none(), self.first_day, 3)

    @property
    def transformers(self) -> int:
        return len(self.grid.transformer_kva)

    def meters_say(self, faults: Events, days: int, after_days: int = 0) -> Measured:
        return with_errors(measured(self.grid, faults, self.first_day + after_days, days, lost=_LOST))


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


def robbed(city: City, share: float, past_days: int, transformers: list[int]) -> tuple[Seen, dict[int, float]]:
    """Let customers of some transformers steal a share of its energy, and look for two days."""
    thieves: dict[int, float] = {}
    for number in transformers:
        thieves |= thief_for(city.grid, city.usual, number, share)
    start_s = (city.first_day + past_days) * DAY_S
    found = city.meters_say(thefts(city.grid, thieves, start_s, start_s + 30 * DAY_S), past_days + 2)
    seen, names = Seen(), {f"transformer/T{number}" for number in transformers}
    for after_h in range(_EVERY_H, 49, _EVERY_H):
        for one in look(found, 24 * past_days + after_h):
            if one.kind is not AlertKind.UNACCOUNTED_ENERGY or one.element not in names or one.measured < 0:
                seen.wrong.add(one.element)
                continue
            seen.after_h.setdefault(one.element, after_h)
            seen.named[one.element] = one.suspect
    return seen, thieves


_CITIES = (City(), City(1, 5_700), City(11, 5_810), City(23, 6_010))


@pytest.mark.parametrize("city", _CITIES, ids=str)
def test_a_healthy_fleet_with_meters_of_its_class_raises_nothing(city: City) -> None:
    found = city.meters_say(Events.none(), 12, after_days=40)
    assert [one for hour in range(24, 12 * 24 + 1, 24) for one in look(found, hour)] == []


@pytest.mark.parametrize("past_days", [0, 8], ids=["without a past", "with a past"])
@pytest.mark.parametrize("city", _CITIES[1:], ids=str)
def test_theft_of_a_fifth_is_suspected_within_two_days_wherever_and_whenever(city: City, past_days: int) -> None:
    chosen = np.random.default_rng(city.seed).choice(city.transformers, 15, replace=False).tolist()
    seen, thieves = robbed(city, 0.2, past_days, chosen)
    assert len(seen.after_h) == 15
    assert not seen.wrong
    assert {int(name.removeprefix("meter/M")) for name in seen.named.values() if name is not None} <= set(thieves)


@pytest.mark.parametrize("past_days", [0, 8], ids=["without a past", "with a past"])
def test_how_soon_theft_is_suspected_by_its_share(past_days: int) -> None:
    rng, lines, city = np.random.default_rng(past_days), list[str](), _CITIES[0]
    for share in (0.05, 0.10, 0.15, 0.20, 0.30, 0.50):
        chosen = rng.choice(city.transformers, 15, replace=False).tolist()
        seen, thieves = robbed(city, share, past_days, chosen)
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
    city, grid = _CITIES[0], _CITIES[0].grid
    moved = np.random.default_rng(2).choice(grid.meters, 20, replace=False).tolist()
    start_s = city.first_day * DAY_S
    conditions = look(city.meters_say(misplaced(grid, moved, start_s, start_s + 30 * DAY_S), 10), 240)
    wrong = [one for one in conditions if one.kind is AlertKind.WRONG_TRANSFORMER]
    meters = {one.element: int(one.element.removeprefix("meter/M")) for one in wrong}
    assert set(meters.values()) <= set(moved)
    right = [one for one in wrong if one.suspect == f"transformer/T{grid.meter_transformer[meters[one.element]]}"]
    daily = np.sort(grid.daily_wh[moved]) / 1_000
    missed = np.sort(grid.daily_wh[sorted(set(moved) - set(meters.values()))]) / 1_000
    sys.stdout.write(
        f"\n{len(wrong)} of {len(moved)} found, {len(right)} with the transformer that feeds them; they use "
        f"{daily[0]:.1f} to {daily[-1]:.1f} kWh a day, those not found {missed.round(1).tolist()}\n"
    )
    assert len(wrong) >= 0.6 * len(moved)
    assert len(right) >= 0.8 * len(wrong)
    assert not [one for one in wrong if one.suspect is not None and one not in right]
