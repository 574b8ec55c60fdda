"""Totals per meter: those of a plain recount of the readings, on either kind of database, whatever came when."""

import math
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from schemas.registry import RegistryEntry
from schemas.topics import METERS_RAW
from sinks import totals
from sinks.migrations import migrate
from sinks.timescale import TimescaleStore
from sinks.totals import catch_up
from tests.builders import batch
from tests.contracts.backings import unique
from tests.contracts.test_any_store import Feed

pytestmark = pytest.mark.integration

#: The clock of Adelaide is half an hour off; each of the two is changed within the readings.
CLOCKS = {"A": "Europe/Madrid", "B": "Australia/Adelaide", "C": "UTC"}
BEGIN = datetime(2026, 3, 27, tzinfo=UTC)
QUARTERS = 12 * 96

Reading = tuple[str, datetime, float, float | None, float]


@pytest.fixture
async def feed(empty: str) -> AsyncIterator[Feed]:
    migrate(empty)
    made = Feed(TimescaleStore(empty, lateness_s=60.0), METERS_RAW.name, unique("m"))
    entries = [
        RegistryEntry(meter_number=made.meter(name), transformer=f"T{name}", feeder=f"F{name}", substation=f"S{name}",
                      region=f"R{name}")
        for name in CLOCKS
    ]  # fmt: skip
    await made.store.register(entries)
    await made.start()
    with psycopg.connect(empty) as connection:
        for name, clock in CLOCKS.items():
            connection.execute("INSERT INTO region_clocks VALUES (%s, %s)", (f"R{name}", clock))
    yield made
    await made.store.close()


def readings() -> list[Reading]:
    dice = random.Random(6)
    found = list[Reading]()
    for name in CLOCKS:
        for quarter in range(QUARTERS):
            # Peaks repeat, so that the earliest of equals has to be told.
            demand = None if dice.random() < 0.1 else float(dice.randrange(8))
            at = BEGIN + quarter * timedelta(minutes=15)
            found.append(
                (name, at, dice.randrange(10**6) / 1e6, demand, dice.choice([206.9, 207.0, 230.5, 253.0, 253.1]))
            )
    return found


def shuffled(of: list[Reading]) -> list[Reading]:
    """A fifth out of order, a twentieth days late, a twentieth twice."""
    dice = random.Random(7)
    ranks = dict(enumerate(of))
    keys = {
        rank: (row[1] + timedelta(days=3) * (dice.random() < 0.05) + timedelta(hours=2) * (dice.random() < 0.2), rank)
        for rank, row in ranks.items()
    }
    order = sorted(ranks, key=keys.__getitem__)
    return [ranks[rank] for rank in order] + [ranks[rank] for rank in dice.sample(order, len(order) // 20)]


async def write(feed: Feed, rows: list[Reading], offset: int) -> None:
    columns: Any = list(zip(*rows, strict=True))
    times = [int(at.timestamp()) * 1_000_000 for at in columns[1]]
    made = batch(
        [feed.meter(name) for name in columns[0]], times, consumption_kwh=list(columns[2]), demand_kw=list(columns[3]),
        voltage=list(columns[4]),
    )  # fmt: skip
    await feed.write(made, offset)


def recount(rows: Iterable[Reading], level: str) -> dict[tuple[str, Any], tuple[Any, ...]]:
    groups: dict[tuple[str, Any], list[Reading]] = defaultdict(list)
    for row in rows:
        local = row[1].astimezone(ZoneInfo(CLOCKS[row[0]]))
        key: Any = {
            "hour": row[1].replace(minute=0),
            "day": local.date(),
            "month": date(local.year, local.month, 1),
        }[level]
        groups[row[0], key].append(row)
    return {key: figures(sorted(group, key=lambda row: row[1])) for key, group in groups.items()}


def figures(group: list[Reading]) -> tuple[Any, ...]:
    demands = [(row[3], row[1]) for row in group if row[3] is not None]
    peak = max((demand for demand, _ in demands), default=None)
    mean = math.fsum(demand for demand, _ in demands) / len(demands) if demands else None
    return (
        len(group),
        float(sum(Fraction(str(row[2])) for row in group)),
        mean,
        peak,
        next((at for demand, at in demands if demand == peak), None),
        None if not peak else mean / peak if mean is not None else None,
        min(row[4] for row in group),
        float(sum(Fraction(str(row[4])) for row in group) / len(group)),
        max(row[4] for row in group),
        sum(not 207 <= row[4] <= 253 for row in group) / len(group),
    )


def told(url: str, prefix: str, level: str) -> dict[tuple[str, Any], tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        connection.execute("SET timezone = 'UTC'")
        rows = connection.execute(
            f"SELECT meter_number, {level}, readings, energy_kwh, demand_mean_kw, demand_peak_kw, demand_peak_at, "
            f"load_factor, voltage_min, voltage_mean, voltage_max, voltage_outside_share FROM meter_{level}s"
        ).fetchall()
    return {(row[0].removeprefix(prefix), row[1]): row[2:] for row in rows}


def assert_told(url: str, feed: Feed, rows: list[Reading]) -> None:
    for level in ("hour", "day", "month"):
        found, expected = told(url, feed.prefix, level), recount(rows, level)
        assert found.keys() == expected.keys(), level
        for key, figure in expected.items():
            for got, want in zip(found[key], figure, strict=True):
                exact = not isinstance(want, float) or want is None
                assert got == (want if exact else pytest.approx(want, rel=1e-12)), (level, key)


def refresh(url: str) -> None:
    """What TimescaleDB's policies do in the background; plain PostgreSQL has none."""
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT to_regclass('readings_partitions') IS NULL").fetchone() == (True,):
            names = connection.execute(
                "SELECT view_name FROM timescaledb_information.continuous_aggregates "
                "WHERE view_schema = current_schema()"
            ).fetchall()
            for (name,) in names:
                connection.execute(f"CALL refresh_continuous_aggregate('{name}', NULL, NULL)")


async def test_totals_are_those_of_the_readings_however_they_came(feed: Feed, empty: str) -> None:
    rows = readings()
    sent = shuffled(rows)
    cuts = [0, 700, 1_500, 2_900, len(sent)]
    for offset, (begin, end) in enumerate(pairwise(cuts)):
        await write(feed, sent[begin:end], offset)
        await catch_up(empty, 0)
        refresh(empty)
    assert_told(empty, feed, rows)


async def test_what_is_not_refreshed_yet_is_told_all_the_same(feed: Feed, empty: str) -> None:
    rows = readings()
    await write(feed, rows, 0)
    await catch_up(empty, 0)
    assert_told(empty, feed, rows)


async def test_a_region_whose_clock_is_learned_later_has_its_days_told_anew(feed: Feed, empty: str) -> None:
    rows = readings()
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("DELETE FROM region_clocks")
        await write(feed, rows, 0)
        await catch_up(empty, 0)
        refresh(empty)
        for name, clock in CLOCKS.items():
            connection.execute("INSERT INTO region_clocks VALUES (%s, %s)", (f"R{name}", clock))
    await catch_up(empty, 0)
    assert_told(empty, feed, rows)


@pytest.mark.usefixtures("only_plain")
async def test_summing_up_leaves_half_of_the_time_to_deliveries_and_gives_way_to_those_that_wait(
    feed: Feed, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, rested = readings(), list[float]()
    sent = shuffled(rows)
    for offset in range(5):
        await write(feed, sent[offset::5], offset)
    monkeypatch.setattr(totals, "_CATCH_UP", "SELECT catch_up_totals(1)")

    async def rest(seconds: float) -> None:
        rested.append(seconds)

    monkeypatch.setattr(totals, "asyncio", SimpleNamespace(sleep=rest))
    await catch_up(empty, 0, lambda: True)
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT next_offset FROM total_progress").fetchone() == (1,)
    assert rested == []
    await catch_up(empty, 0)
    assert len(rested) == 4
    assert all(seconds > 0 for seconds in rested)
    assert_told(empty, feed, rows)


@pytest.mark.usefixtures("only_plain")
async def test_what_came_past_the_engine_is_summed_up_by_days(feed: Feed, empty: str) -> None:
    rows = readings()
    await write(feed, rows, 0)
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("UPDATE stream_offsets SET next_offset = 0")
        await catch_up(empty, 0)
        assert told(empty, feed.prefix, "hour") == {}
        connection.execute(
            "INSERT INTO total_backlog SELECT DISTINCT (reading_time AT TIME ZONE 'UTC')::date FROM meter_readings"
        )
    await catch_up(empty, 0)
    assert_told(empty, feed, rows)


@pytest.mark.usefixtures("only_plain")
async def test_a_topic_that_is_made_again_repeats_offsets_and_counts_nothing_twice(feed: Feed, empty: str) -> None:
    rows = readings()
    await write(feed, rows[:1_000], 0)
    await catch_up(empty, 0)
    feed.life = "life-2"
    await feed.start()
    await write(feed, rows[1_000:], 0)
    await catch_up(empty, 0)
    assert_told(empty, feed, rows)


@pytest.mark.timescale
@pytest.mark.usefixtures("only_timescale")
async def test_aggregates_are_refreshed_as_far_back_as_readings_may_come(feed: Feed, empty: str) -> None:
    first = await catch_up(empty, 731)
    assert "days by the clock of Australia/Adelaide" in first
    assert "meter_hour_totals: refreshed as far back as 731 days now" in first
    with psycopg.connect(empty) as connection:
        newest_first = connection.execute(
            "SELECT DISTINCT config ->> 'refresh_newest_first' FROM timescaledb_information.jobs "
            "WHERE proc_name = 'policy_refresh_continuous_aggregate'"
        ).fetchall()
    assert newest_first == [("false",)]
    assert await catch_up(empty, 731) == []
    assert len(await catch_up(empty, 0)) == 1 + len(CLOCKS)
    assert await catch_up(empty, 0) == []


@pytest.mark.timescale
@pytest.mark.usefixtures("only_timescale")
async def test_days_ask_once_how_far_they_were_refreshed(feed: Feed, empty: str) -> None:
    """Asked for every row it took ten times as long as the rows."""
    await write(feed, readings(), 0)
    await catch_up(empty, 0)
    refresh(empty)
    with psycopg.connect(empty) as connection:
        plan = connection.execute("EXPLAIN SELECT sum(readings) FROM meter_day_totals").fetchall()
    asked = [line for (line,) in plan if "starts_at < " in line]
    assert len(asked) == len(CLOCKS)
    assert all("starts_at < '2026-04-0" in line for line in asked)
