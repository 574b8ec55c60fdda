"""Known thieves and wrong entries of a simulated fleet, through the engine into a real database (`-s`: the table)."""

import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import numpy as np
import psycopg
import pytest

from processors.energy_balance import BalanceRules
from processors.imbalance import ImbalanceRules
from processors.loading import LoadingRules
from simulators.faults import FaultClass
from simulators.grid import Grid
from simulators.labels import Label, labels, moment
from simulators.registry import element_names, other_transformer
from simulators.schedule import Events
from sinks.grid_physics_outbox import GridPhysicsOutbox
from tests.balance import measured, misplaced, thefts, thief_for
from tests.contracts.test_windows_outbox import handed_on
from tests.outages import START_S, Scene, ignored, play

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

_DAY_S, _HOUR = 86_400, timedelta(hours=1)
_DAYS, _HONEST_DAYS, _METERS, _MOVED = 5, 2, 1_000, 6
#: The engine examines balances every six hours of event time.
_EVERY_H = 6
_SHARES = (0.2, 0.2, 0.2, 0.2, 0.3, 0.3, 0.5, 0.5)
_WITHIN = timedelta(hours=48)
_FOUND = """
SELECT kind, element, started_at, found_at, measured, uncertainty, suspect, withdrawn FROM grid_conditions
WHERE kind IN ('unaccounted_energy', 'wrong_transformer') ORDER BY found_at, element
"""


@dataclass(frozen=True)
class Robbed:
    """A transformer of which a share of the energy goes past the meters of some customers."""

    transformer: str
    share: float
    thieves: frozenset[str]


@dataclass(frozen=True)
class Condition:
    """What the engine says is wrong with an element."""

    kind: str
    element: str
    started_at: datetime
    found_at: datetime
    measured: float
    uncertainty: float | None
    suspect: str | None
    withdrawn: bool


def crimes(grid: Grid) -> tuple[list[Robbed], Events]:
    """Steal from some transformers after some honest days; write some customers of others down at others.

    At a transformer that is robbed as well a customer of another one is not told from the thieves.
    """
    usual = measured(grid, Events.none(), START_S // _DAY_S, 3)
    chosen = np.random.default_rng(5).permutation(len(grid.transformer_kva)).tolist()
    names = element_names("T", len(grid.transformer_kva)).to_pylist()
    robbed, sizes = list[Robbed](), dict[int, float]()
    for number, share in zip(chosen, _SHARES, strict=False):
        mine = thief_for(grid, usual, number, share)
        sizes |= mine
        robbed.append(Robbed(names[number], share, frozenset(f"M{meter:08d}" for meter in mine)))
    bad = set(chosen[: len(_SHARES)])
    moved = [
        meter
        for meter in np.random.default_rng(6).permutation(grid.meters).tolist()
        if bad.isdisjoint((int(grid.meter_transformer[meter]), other_transformer(grid, meter, int(grid.keys[meter]))))
    ][:_MOVED]
    end_s = START_S + 30 * _DAY_S
    return robbed, Events.concat(
        [
            thefts(grid, sizes, START_S + _HONEST_DAYS * _DAY_S, end_s),
            misplaced(grid, moved, START_S, end_s),
        ]
    )


def found(url: str) -> list[Condition]:
    with psycopg.connect(url) as connection:
        return [Condition(*row) for row in connection.execute(_FOUND).fetchall()]


def stolen_from(robbed: list[Robbed], told: list[Condition]) -> list[tuple[Robbed, Condition | None]]:
    """Return each transformer with the first suspicion of it."""
    missing = [one for one in told if one.kind == "unaccounted_energy" and one.measured > 0 and not one.withdrawn]
    of = {one.element: one for one in reversed(missing)}
    return [(one, of.get(f"transformer/{one.transformer}")) for one in robbed]


def table(robbed: list[Robbed], moved: list[Label], told: list[Condition]) -> str:
    """Labels beside what was found of each, and what was found besides."""
    begun = moment(START_S + _HONEST_DAYS * _DAY_S)
    lines = [f"{'transformer':12} stolen thieves  suspected after  began   kWh a day        suspect"]
    for one, seen in stolen_from(robbed, told):
        line = f"{one.transformer:12} {one.share:6.0%} {len(one.thieves):7}"
        if seen is not None:
            right = {None: "nobody", True: "a thief", False: "NO THIEF"}[
                None if seen.suspect is None else seen.suspect.removeprefix("meter/") in one.thieves
            ]
            line += f" {(seen.found_at - begun) / _HOUR:14.0f} h {(seen.started_at - begun) / _HOUR:+5.0f} h"
            line += f" {seen.measured:7.1f} ± {seen.uncertainty or 0:5.1f}   {right}"
        lines.append(line)
    lines.append(f"{'customer':12} registry     feeds         kWh a day  known after")
    for label in moved:
        named, feeds = places(label)
        line = f"{label.element:12} {named:12} {feeds:12}"
        for one in told:
            if one.element == f"meter/{label.element}" and not one.withdrawn:
                right = "" if one.suspect == f"transformer/{feeds}" else f", but feeds {one.suspect}"
                line += f" {one.measured:10.1f} {(one.found_at - label.start) / _HOUR:10.0f} h{right}"
        lines.append(line)
    return "\n".join([*lines, *(f"{one.element} {one.kind} was not injected" for one in beside(robbed, moved, told))])


def places(label: Label) -> tuple[str, str]:
    """Return the transformer that the registry names for a customer, and the one that feeds him."""
    grid = Grid.build(_METERS, 7)
    feeds = element_names("T", len(grid.transformer_kva))[int(grid.meter_transformer[int(label.element[1:])])].as_py()
    assert label.detail is not None
    return label.detail, feeds


def beside(robbed: list[Robbed], moved: list[Label], told: list[Condition]) -> list[Condition]:
    """Return what was found of others than thieves, misplaced customers and the transformers that these unbalance."""
    known = {f"transformer/{one.transformer}" for one in robbed} | {f"meter/{label.element}" for label in moved}
    known |= {f"transformer/{name}" for label in moved for name in places(label)}
    return [one for one in told if one.element not in known and not one.withdrawn]


async def test_thefts_of_a_fifth_are_suspected_within_two_days_and_nobody_else_is(url: str) -> None:
    grid = Grid.build(_METERS, 7)
    robbed, faults = crimes(grid)
    scene = Scene(grid, faults, 3_600, START_S + _DAYS * _DAY_S, transformer_meters=True)
    outbox, hours = GridPhysicsOutbox(url, LoadingRules(), BalanceRules(), ImbalanceRules()), count()

    async def look() -> None:
        if next(hours) % _EVERY_H:
            return
        await handed_on(url)
        while hours_due(url):
            await outbox.hand_on(ignored)
        await outbox.hand_on(ignored)

    await play(scene, url, look)
    await outbox.close()
    told, moved = found(url), list(labels(faults.of(FaultClass.WRONG_TRANSFORMER), grid))
    sys.stdout.write(f"\n{table(robbed, moved, told)}\n")
    begun = moment(START_S + _HONEST_DAYS * _DAY_S)
    for one, seen in stolen_from(robbed, told):
        assert seen is not None, one
        assert seen.found_at - begun <= _WITHIN
        assert seen.suspect is None or seen.suspect.removeprefix("meter/") in one.thieves
    assert beside(robbed, moved, told) == []
    right = [one for one in told if one.kind == "wrong_transformer" and not one.withdrawn]
    assert {one.suspect for one in right} <= {f"transformer/{places(label)[1]}" for label in moved}
    assert len(right) >= _MOVED // 2


def hours_due(url: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT FROM transformer_hours_due LIMIT 1").fetchall()
