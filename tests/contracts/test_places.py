"""Where meters stood: what a reading counts for is decided by when it was measured, whenever either became known."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest

from schemas.registry import RegistryEntry
from sinks.upkeep import Retention, keep_up
from tests.builders import MINUTE_US, START_US, batch
from tests.contracts.test_upkeep import run_policies
from tests.contracts.test_windows_outbox import handed_on
from tests.contracts.writing import Writer, query

pytestmark = pytest.mark.integration

_START = datetime.fromtimestamp(START_US / 1e6, UTC)
#: Transformer, class, length [s], start [us] -> readings, meters, energy [uWh], voltages outside, peak [kW], its time.
Windows = dict[tuple[str, str, int, int], tuple[Any, ...]]
_READ = """
SELECT coalesce(t.name, ''), customer_class, window_s, (extract(epoch FROM window_start) * 1e6)::bigint,
       sum(readings)::bigint, sum(meters)::bigint, sum(energy_uwh)::bigint, sum(voltage_outside)::bigint,
       max(demand_peak_kw),
       (array_agg((extract(epoch FROM demand_peak_at) * 1e6)::bigint ORDER BY demand_peak_kw DESC, demand_peak_at)
        FILTER (WHERE demand_peak_kw IS NOT NULL))[1]
FROM window_parts w LEFT JOIN transformers t USING (transformer_id)
GROUP BY 1, 2, 3, 4 HAVING sum(readings) > 0
"""
_HOURS_AND_DAYS = """
SELECT sum(hour_meters)::int, sum(day_meters)::int
FROM window_parts
"""


def windows(url: str) -> Windows:
    return {row[:4]: row[4:] for row in query(url, _READ)}


def entry(meter: str, transformer: str | None, kind: str | None = None, hours: float | None = None) -> RegistryEntry:
    since = None if hours is None else _START + timedelta(hours=hours)
    return RegistryEntry.model_validate(
        {"meter_number": meter, "transformer": transformer, "class": kind, "valid_from": since}
    )


def hour(hours: float) -> int:
    return START_US + int(hours * 60) * MINUTE_US


async def test_a_reading_of_before_a_move_counts_where_the_meter_was_then(url: str, writer: Writer) -> None:
    store = writer.stores[0]
    await store.register([entry("A", "T1", "residential"), entry("A", "T2", "commercial", 2)])
    await writer.write(batch("A", [hour(1), hour(3)], consumption_kwh=1.0))
    await writer.write(batch("A", [hour(1) + 1, hour(2), hour(2) - 1], consumption_kwh=1.0))
    found = {key[:2] + key[3:]: row[0] for key, row in windows(url).items() if key[2] == 900}
    assert found == {
        ("T1", "residential", hour(1)): 2,
        ("T1", "residential", hour(1.75)): 1,
        ("T2", "commercial", hour(2)): 1,
        ("T2", "commercial", hour(3)): 1,
    }


async def test_a_move_that_is_told_late_moves_what_was_counted_since(url: str, writer: Writer) -> None:
    await writer.stores[0].register([entry("A", "T1"), entry("B", "T1"), entry("C", "T2")])
    for meter in "ABC":
        await writer.write(batch(meter, [hour(h) for h in range(30)], consumption_kwh=1.0, demand_kw=ord(meter) / 1.0))
    assert await handed_on(url)
    # By another worker than the one that goes on writing, which has to notice.
    await writer.stores[1].register([entry("A", "T2", None, 10)])
    again = await handed_on(url)
    assert {window.window_start for window in again if window.element == "transformer/T1"} >= {
        _START + timedelta(hours=h) for h in range(10, 30)
    }
    await writer.write(batch("A", [hour(31), hour(9) + 1], consumption_kwh=1.0))
    found = {
        (key[0], (key[3] - START_US) // (60 * MINUTE_US)): row for key, row in windows(url).items() if key[2] == 900
    }
    assert {at: row[0] for (name, at), row in found.items() if name == "T1"} == {
        h: 2 + (h == 9) if h < 10 else 1 for h in range(30)
    }
    assert {at: row[0] for (name, at), row in found.items() if name == "T2"} == {
        **{h: 1 if h < 10 else 2 for h in range(30)},
        31: 1,
    }
    assert found["T1", 20][4] == float(ord("B"))


async def test_what_retention_has_dropped_is_not_counted_again_and_its_windows_stay(url: str, writer: Writer) -> None:
    now_us = int(datetime.now(UTC).timestamp()) * 10**6
    kept = now_us - now_us % (900 * 10**6) - 2 * 86_400 * 10**6
    await writer.stores[0].register([entry("A", "T1")])
    await writer.write(batch("A", [hour(1), kept], consumption_kwh=1.0))
    # It is told before readings are dropped, and would be counted again after.
    await writer.stores[0].register([entry("A", "T2", None, 0)])
    await keep_up(url, Retention(30, 0, 0, 0, 14))
    with psycopg.connect(url, autocommit=True) as connection:
        run_policies(connection)
    await handed_on(url)
    assert query(url, "SELECT count(*)::int FROM meter_readings") == [(1,)]
    assert {(key[0], key[3]): row[0] for key, row in windows(url).items() if key[2] == 900} == {
        ("T1", hour(1)): 1,
        ("T2", kept): 1,
    }
    assert query(url, "SELECT * FROM window_recounts") == []


async def test_a_meter_that_was_unknown_has_always_been_where_it_is_first_said_to_be(url: str, writer: Writer) -> None:
    await writer.write(batch("A", [hour(1)], consumption_kwh=1.0))
    assert {key[0] for key in windows(url)} == {""}
    await writer.stores[0].register([entry("A", "T1")], [_START + timedelta(days=9)])
    await handed_on(url)
    assert {key[0] for key in windows(url)} == {"T1"}


async def test_a_meter_that_is_gone_is_nowhere_from_then_on_and_its_past_stays(url: str, writer: Writer) -> None:
    store = writer.stores[0]
    await store.register([entry("A", "T1")])
    gone = RegistryEntry(meter_number="A", status="unregistered")
    await store.register([gone], [_START + timedelta(hours=2)])
    await writer.write(batch("A", [hour(1), hour(2)], consumption_kwh=1.0))
    assert {(key[0], key[3]) for key in windows(url) if key[2] == 900} == {("T1", hour(1)), ("", hour(2))}
    assert query(url, "SELECT status, transformer_id FROM smart_meters") == [("unregistered", None)]


async def test_entries_that_come_again_or_out_of_order_change_nothing(url: str, writer: Writer) -> None:
    entries = [entry("A", "T1"), entry("A", "T2", None, 5), entry("A", "T1", None, 8)]
    arrived = [_START + timedelta(days=k) for k in range(3)]
    store = writer.stores[0]
    await store.register(entries, arrived)
    places = (
        "SELECT t.name, valid_from::text, valid_to::text FROM meter_places JOIN transformers t USING (transformer_id)"
    )
    before = query(url, places)
    assert [row[0] for row in before] == ["T1", "T2", "T1"]
    for number in (0, 1, 2, 1, 0):
        await store.register([entries[number]], [arrived[number]])
    assert query(url, places) == before
    # A correction that takes a move back leaves no trace of a move.
    await store.register([entry("A", "T1", None, 5)])
    assert [row[0] for row in query(url, places)] == ["T1"]


async def test_of_a_feeder_under_two_substations_the_newest_word_counts(url: str, writer: Writer) -> None:
    def at(meter: str, substation: str) -> RegistryEntry:
        return RegistryEntry(meter_number=meter, transformer="T" + meter, feeder="F", substation=substation)

    await writer.stores[0].register([at("A", "S1"), at("B", "S2")])
    parents = "SELECT s.name FROM feeders JOIN substations s USING (substation_id)"
    assert query(url, parents) == [("S2",)]
    await writer.stores[0].register([at("A", "S1")])
    assert query(url, parents) == [("S1",)]


def expected(found: dict[tuple[str, int], float], moves: dict[str, list[tuple[float, str, str]]]) -> Windows:
    """One reading at a time, by what is known in the end."""
    kept: dict[tuple[str, str, int, int], list[tuple[str, float, int, float]]] = defaultdict(list)
    for (meter, time_us), kwh in found.items():
        since, transformer, kind = max(move for move in moves[meter] if move[0] <= time_us)
        for length_s in (60, 900):
            start_us = time_us - time_us % (length_s * 10**6)
            kept[transformer, kind, length_s, start_us].append((meter, since, time_us, kwh))
    return {
        key: (
            len(group),
            len({(meter, since) for meter, since, _, _ in group}),
            sum(round(kwh * 1e9) for *_, kwh in group),
            sum(240 + kwh > 253 for *_, kwh in group),
            max(kwh for *_, kwh in group),
            min(time_us for *_, time_us, kwh in group if kwh == max(row[3] for row in group)),
        )
        for key, group in kept.items()
    }


@pytest.mark.parametrize("seed", range(4))
async def test_windows_are_those_of_all_that_is_known_in_the_end(url: str, writer: Writer, seed: int) -> None:
    rng = np.random.default_rng(seed)
    meters = [f"M{number}" for number in range(6)]
    found = {
        (meter, hour(0) + int(rng.integers(0, 40 * 60)) * MINUTE_US): float(rng.integers(1, 20)) for meter in meters
        for _ in range(60)
    }  # fmt: skip
    moves: dict[str, list[tuple[float, str, str]]] = {meter: [(-np.inf, "", "unclassified")] for meter in meters}
    keys = list(found)
    for turn in range(12):
        chosen = [keys[k] for k in rng.permutation(len(keys))[: int(rng.integers(1, 60))]]
        of = batch(
            [meter for meter, _ in chosen], [time_us for _, time_us in chosen],
            consumption_kwh=[found[key] for key in chosen], demand_kw=[found[key] for key in chosen],
            voltage=[240 + found[key] for key in chosen],
        )  # fmt: skip
        await writer.write(of, int(rng.integers(2)))
        meter, at = meters[int(rng.integers(6))], float(int(rng.integers(0, 40 * 60)) / 60)
        transformer, kind = f"T{rng.integers(3)}", ("residential", "commercial")[int(rng.integers(2))]
        await writer.stores[int(rng.integers(2))].register([entry(meter, transformer, kind, at)])
        moves[meter].append((float(hour(at)), transformer, kind))
        if turn % 3 == 2:
            await handed_on(url)
    await writer.write(
        batch(
            [meter for meter, _ in keys], [time_us for _, time_us in keys],
            consumption_kwh=[found[key] for key in keys], demand_kw=[found[key] for key in keys],
            voltage=[240 + found[key] for key in keys],
        )
    )  # fmt: skip
    await handed_on(url)
    tidy = {meter: merged(found_moves) for meter, found_moves in moves.items()}
    wanted = expected(found, tidy)
    assert windows(url) == wanted
    spans = {
        (meter, max(move for move in tidy[meter] if move[0] <= time_us)[0], time_us // (3600 * 10**6))
        for meter, time_us in found
    }
    days = {(meter, since, at // 24) for meter, since, at in spans}
    assert query(url, _HOURS_AND_DAYS) == [(len(spans), len(days))]


def merged(moves: list[tuple[float, str, str]]) -> list[tuple[float, str, str]]:
    """Leave out moves to where the meter was; of two at one time the later word counts."""
    latest = {since: (transformer, kind) for since, transformer, kind in moves}
    kept: list[tuple[float, str, str]] = []
    for since in sorted(latest):
        if not kept or kept[-1][1:] != latest[since]:
            kept.append((since, *latest[since]))
    return kept
