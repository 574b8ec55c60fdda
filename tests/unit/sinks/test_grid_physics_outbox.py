"""Examinations of transformers: what is read is put in its place, and what is found is told; without a database."""

from typing import Any, Self

import numpy as np
import pytest

from processors.energy_balance import BalanceRules
from processors.imbalance import ImbalanceRules
from processors.loading import LoadingRules
from schemas.alerts import AlertKind, Severity
from sinks import grid_physics_sql as sql
from sinks.grid_physics_outbox import GridPhysicsOutbox

HOUR_S = 3_600
#: A whole hour; nothing was examined before.
NOW_S = 1_700_000_000 - 1_700_000_000 % (6 * HOUR_S)
SINCE_S = NOW_S - 10 * 24 * HOUR_S


class Answer:
    """What a statement has come to; also a cursor, which gives some rows at a time."""

    def __init__(self, rows: list[tuple[Any, ...]], database: "Database | None" = None) -> None:
        self._rows = rows
        self._database = database

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._rows = []

    async def execute(self, statement: bytes, parameters: Any) -> None:
        assert self._database is not None
        self._rows = list((await self._database.execute(statement, parameters))._rows)

    async def fetchmany(self, _count: int) -> list[tuple[Any, ...]]:
        piece, self._rows = self._rows[:1_000], self._rows[1_000:]
        return piece

    async def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows

    async def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows[0] if self._rows else None


class Database:
    """Answers statements by heart, and remembers what was asked.

    Args:
        answers: by statement; what is not in it has no rows.
    """

    def __init__(self, answers: dict[str, list[tuple[Any, ...]]]) -> None:
        self._answers = answers
        self.asked: list[tuple[str, Any]] = []

    async def execute(self, statement: str | bytes, parameters: Any = None) -> Answer:
        text = statement.decode() if isinstance(statement, bytes) else statement
        self.asked.append((text, parameters))
        return Answer(self._answers.get(text, []))

    def cursor(self, _name: str) -> Answer:
        return Answer([], self)

    def opened(self) -> list[dict[str, Any]]:
        return [said for text, said in self.asked if text.lstrip().startswith("INSERT INTO grid_conditions")]

    def said(self, statement: str) -> list[Any]:
        return [parameters for text, parameters in self.asked if text == statement]


async def examined(answers: dict[str, list[tuple[Any, ...]]]) -> tuple[Database, list[Any]]:
    rules = LoadingRules(), BalanceRules(), ImbalanceRules()
    database = Database(answers)
    signs = await GridPhysicsOutbox("postgresql://nowhere", *rules)._due(database)  # type: ignore[arg-type]
    return database, signs


def balanced(counted: np.ndarray, used: np.ndarray) -> dict[str, list[tuple[Any, ...]]]:
    """Two transformers, 7 and 9, of twelve customers each: what flowed into them, and what their meters say."""
    of = np.repeat([7, 9], 12)
    hours = [
        (
            number,
            SINCE_S + hour * HOUR_S,
            1.02 * used[hour, of == number].sum(),
            counted[hour, of == number].sum(),
            0.0,
            1,
        )
        for number in (7, 9)
        for hour in range(240)
    ]
    profiles = [
        (100 + meter, int(of[meter]), SINCE_S + hour * HOUR_S, float(counted[hour, meter]))
        for meter in range(24)
        for hour in range(240)
    ]
    return {
        sql.NEWEST_HOUR: [(NOW_S,)],
        sql.HOURS: hours,
        sql.METERED: [(7, "T7", 50.0, 3), (9, "T9", None, 3)],
        sql.PROFILES: profiles,
        sql.NUMBERS: [(100 + meter, f"M{meter:02}") for meter in range(24)],
    }


USED = np.random.default_rng(2).gamma(1.0, 0.8, (240, 24))


async def test_a_line_that_is_tapped_is_told_with_its_begin_and_losses_are_kept() -> None:
    counted = USED.copy()
    counted[150:, 12:] *= 0.5
    database, (sign,) = await examined(balanced(counted, USED))
    (opened,) = database.opened()
    assert (sign.kind, sign.element, sign.severity) == (
        AlertKind.UNACCOUNTED_ENERGY,
        "transformer/T9",
        Severity.CRITICAL,
    )
    assert abs(opened["started_s"] - (SINCE_S + 150 * HOUR_S)) <= 3 * HOUR_S
    assert opened["ended_s"] is None
    ((since_s, until_s, transformers, *_),) = database.said(sql.KEEP_LOSSES)
    assert (since_s, until_s, transformers) == (SINCE_S, NOW_S, [7, 9])
    assert ("balance", NOW_S) in database.said(sql.NOTE_EXAMINED)


async def test_a_thief_is_named_by_his_number() -> None:
    counted, used = USED.copy(), USED.copy()
    used[:, 5] *= 4
    counted[:, 5] = used[:, 5]
    counted[150:, 5] *= 0.2
    database, (sign,) = await examined(balanced(counted, used))
    assert sign.reasons == "suspect meter/M05"
    assert database.opened()[0]["suspect"] == "meter/M05"


async def test_a_balance_that_closes_tells_nothing() -> None:
    database, signs = await examined(balanced(USED, USED))
    assert signs == []
    assert database.opened() == []


async def test_nothing_is_examined_before_time_has_moved_on() -> None:
    seen = [(name, NOW_S - HOUR_S // 2) for name in ("loading", "balance", "phases")]
    answers = balanced(USED, USED) | {sql.EXAMINED: seen, sql.NEWEST_QUARTER: [(NOW_S - HOUR_S // 2,)]}
    database, _ = await examined(answers)
    assert database.said(sql.NOTE_EXAMINED) == []
    database, _ = await examined({sql.NEWEST_QUARTER: [(None,)], sql.NEWEST_HOUR: [(None,)]})
    assert database.said(sql.NOTE_EXAMINED) == []


async def test_overloads_are_those_of_each_transformer() -> None:
    start_s = NOW_S - 24 * HOUR_S
    rows = [
        (number, f"T{number}", start_s + 900 * quarter, load if quarter > 80 else 0.5, 100.0, True, 900)
        for number, load in ((1, 1.2), (2, 0.9), (3, 1.9))
        for quarter in range(96)
    ]
    answers = {sql.NEWEST_QUARTER: [(NOW_S,)], sql.BUSY: [(1,), (3,)], sql.LOADS: rows}
    database, signs = await examined(answers)
    assert {(sign.element, sign.severity) for sign in signs} == {
        ("transformer/T1", Severity.INFO),
        ("transformer/T3", Severity.CRITICAL),
    }
    assert {said["started_s"] for said in database.opened()} == {start_s + 81 * 900}
    assert database.said(sql.LOADS)[0]["transformers"] == [1, 3]


@pytest.mark.parametrize("by_own_meter", [True, False])
async def test_phases_are_those_of_the_own_meter_where_it_says_all_three(by_own_meter: bool) -> None:
    volts = {1: 231.0, 2: 230.0, 3: 219.0}
    rows = [
        (4, "T4", NOW_S - (12 - hour) * HOUR_S, own, phase, 5, value if own == by_own_meter else 230.0)
        for hour in range(12)
        for own in ((0, 1) if by_own_meter else (0,))
        for phase, value in volts.items()
    ]
    database, (sign,) = await examined({sql.NEWEST_QUARTER: [(NOW_S + 900,)], sql.PHASES: rows})
    assert (sign.kind, sign.element, sign.unit) == (AlertKind.PHASE_IMBALANCE, "transformer/T4", "%")
    assert ("own meter" in sign.message) == by_own_meter
    assert database.said(sql.KEEP_PHASES)[0] == {"since": NOW_S - 24 * HOUR_S, "until": NOW_S}
