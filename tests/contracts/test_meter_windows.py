"""Windows of single meters, and what was expected of windows: by hand, and added up to those of their elements."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import psycopg
import pytest

from schemas.registry import RegistryEntry
from sinks.missing_outbox import MissingOutbox
from sinks.totals import catch_up
from tests.builders import batch
from tests.contracts.test_windows_outbox import handed_on
from tests.contracts.writing import Writer, query

pytestmark = pytest.mark.integration

_ZONE = ZoneInfo("Europe/Berlin")
#: Berlin's clocks go forward in the second of these two days.
_BEGIN = datetime(2024, 3, 30, tzinfo=_ZONE)
_DAYS = [datetime(2024, 3, 30 + k, tzinfo=_ZONE) for k in range(2)] + [datetime(2024, 4, 1, tzinfo=_ZONE)]
_FIVE = timedelta(minutes=5)
_WIDTHS = {"1 minute": 60, "15 minutes": 900, "1 hour": 3_600, "1 day": 86_400}
_METERS = ("A", "B", "C")
_NAMES = ("consumption_kwh", "export_kwh", "reactive_kvarh", "power_factor", "voltage")
#: Meter, time -> values by name; None is null.
Readings = dict[tuple[str, datetime], dict[str, float | None]]


@pytest.fixture
async def writer(url: str) -> Any:
    made = Writer(url)
    made.mark_us = int((_DAYS[2] + timedelta(days=9)).timestamp()) * 10**6
    yield made
    await made.close()


def invented() -> Readings:
    """Two local days of readings every five minutes, with holes; the meters of one transformer."""
    rng, found = np.random.default_rng(6), Readings()
    for meter in _METERS:
        for k in range(int((_DAYS[2].astimezone(UTC) - _BEGIN.astimezone(UTC)) / _FIVE)):
            if rng.random() < 0.9:
                found[meter, _BEGIN.astimezone(UTC) + k * _FIVE] = {
                    "consumption_kwh": None if rng.random() < 0.05 else int(rng.integers(0, 10**6)) / 1e6,
                    "export_kwh": int(rng.integers(0, 100)) / 1e3,
                    "reactive_kvarh": int(rng.integers(0, 100)) / 1e3,
                    "power_factor": None if rng.random() < 0.2 else int(rng.integers(80, 100)) / 1e2,
                    "voltage": float(rng.choice([206.9, 207.0, 231.3, 253.0, 253.1])),
                }
    return found


async def put(writer: Writer, found: Readings) -> None:
    keys = sorted(found, key=lambda key: (key[1], key[0]))
    columns: Any = {name: [found[key][name] for key in keys] for name in _NAMES}
    times = [int(at.timestamp()) * 10**6 for _, at in keys]
    await writer.write(batch([meter for meter, _ in keys], times, **columns))


async def place(writer: Writer, meters: Iterable[str] = _METERS, **changes: Any) -> None:
    said = {"transformer": "T1", "feeder": "F1", "substation": "S1", "region": "North", "timezone": "Europe/Berlin"}
    await writer.stores[0].register(
        [RegistryEntry.model_validate({"meter_number": meter, **said, **changes}) for meter in meters]
    )


async def learn(url: str) -> None:
    """What is done beside the flow once a minute."""
    outbox = MissingOutbox(url, grace_s=60.0)

    async def heard(_: list[Any]) -> None: ...

    await outbox.hand_on(heard)
    await outbox.close()


def frames(width: str) -> list[tuple[datetime, datetime]]:
    if width == "1 day":
        return [(since.astimezone(UTC), until.astimezone(UTC)) for since, until in pairwise(_DAYS)]
    step, since = timedelta(seconds=_WIDTHS[width]), _BEGIN.astimezone(UTC)
    return [(since + k * step, since + (k + 1) * step) for k in range(int((_DAYS[2] - since) / step))]


def mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def by_hand(rows: Readings, since: datetime, until: datetime, part: timedelta) -> dict[str, Any]:
    """Figures of the readings of one frame, one at a time."""
    parts: dict[datetime, float] = defaultdict(float)
    for (_, at), row in rows.items():
        if row["consumption_kwh"] is not None:
            parts[since + (at - since) // part * part] += row["consumption_kwh"]
    values = {name: [row[name] for row in rows.values() if row[name] is not None] for name in _NAMES}
    volts, energy = values["voltage"], sum(values["consumption_kwh"])  # type: ignore[arg-type]
    peak = max(parts.values(), default=None)
    hours = (until - since) / timedelta(hours=1)
    return {
        "readings": len(rows),
        "energy_kwh": energy if parts else None,
        "export_kwh": sum(values["export_kwh"]) if rows else None,  # type: ignore[arg-type]
        "reactive_kvarh": sum(values["reactive_kvarh"]) if rows else None,  # type: ignore[arg-type]
        "demand_mean_kw": energy / hours if parts else None,
        "demand_peak_kw": None if peak is None else peak * (timedelta(hours=1) / part),
        "load_factor": energy / hours / (peak * (timedelta(hours=1) / part)) if peak else None,
        "power_factor": mean(values["power_factor"]),  # type: ignore[arg-type]
        "voltage_min": min(volts, default=None),  # type: ignore[type-var]
        "voltage_mean": mean(volts),  # type: ignore[arg-type]
        "voltage_max": max(volts, default=None),  # type: ignore[type-var]
        "voltage_outside_share": mean([float(not 207 <= volt <= 253) for volt in volts]),  # type: ignore[operator]
    }


@pytest.mark.parametrize("width", _WIDTHS)
async def test_each_window_has_what_its_readings_say(url: str, writer: Writer, width: str) -> None:
    found = invented()
    await place(writer)
    await put(writer, found)
    wanted = by_hand({}, _BEGIN, _DAYS[2], _FIVE).keys()
    asked = f"SELECT window_start, window_end, {', '.join(wanted)} FROM meter_windows('A', %s, %s, %s::interval, 'all')"
    told = query(url, asked, _BEGIN, _DAYS[2], width)
    assert [row[:2] for row in told] == frames(width)
    for since, until, *figures in told:
        rows = {key: row for key, row in found.items() if key[0] == "A" and since <= key[1] < until}
        part = timedelta(seconds=min(900, _WIDTHS[width]))
        for name, figure, expected in zip(wanted, figures, by_hand(rows, since, until, part).values(), strict=True):
            assert figure == (None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-12)), (since, name)


async def test_meters_add_up_to_their_transformer_and_its_feeder(url: str, writer: Writer) -> None:
    """What the stream has counted is what is asked of the readings, to the micro-watt-hour."""
    await place(writer, "A", **{"class": "residential"})
    await place(writer, "BC", **{"class": "commercial"})
    await put(writer, invented())
    await handed_on(url)
    await learn(url)
    sums = ("readings", "energy_kwh", "export_kwh", "reactive_kvarh", "flagged_normal", "expected")
    for width, length_s in _WIDTHS.items():
        meters = query(
            url,
            f"SELECT m.meter_number, w.window_start, w.state, {', '.join(sums)} FROM smart_meters m "
            "CROSS JOIN LATERAL meter_windows(m.meter_number, %s, %s, %s::interval, 'all') w WHERE w.readings > 0",
            _BEGIN, _DAYS[2], width,
        )  # fmt: skip
        for element, kind in (("transformer/T1", None), ("feeder/F1", "commercial")):
            source = "element_minutes(%s, %s, %s)" if length_s == 60 else "element_windows WHERE element = %s"
            told = query(
                url,
                f"SELECT window_start, state, {', '.join(sums)} FROM {source} "
                f"{'WHERE' if length_s == 60 else f'AND window_s = {length_s} AND'} "
                f"customer_class IS NOT DISTINCT FROM %s AND readings > 0",
                *((element, _BEGIN, _DAYS[2]) if length_s == 60 else (element,)), kind,
            )  # fmt: skip
            added: dict[datetime, list[int]] = defaultdict(lambda: [0] * 5)
            for meter, start, _, *figures in meters:
                if kind is None or meter != "A":
                    whole = [figures[0], *(round(kwh * 1e9) if kwh else 0 for kwh in figures[1:4]), figures[4]]
                    added[start] = [one + other for one, other in zip(added[start], whole, strict=True)]
            assert {row[0]: [row[2], *(round(kwh * 1e9) for kwh in row[3:6]), row[6]] for row in told} == added
            # A reading may be lost of a meter that is expected all the same.
            assert all(row[7] >= row[2] for row in told if row[7] is not None)
            assert (length_s == 60) == all(row[7] is None for row in told)
            assert {row[1] for row in told} == {row[2] for row in meters} == {"final"}


async def test_24_hours_slide_by_the_hour_and_are_those_of_the_feeder(url: str, writer: Writer) -> None:
    found = {key: row for key, row in invented().items() if key[0] == "A"}
    await place(writer)
    await put(writer, found)
    await handed_on(url)
    await learn(url)
    same = (
        "window_end", "readings", "energy_kwh", "export_kwh", "reactive_kvarh", "demand_mean_kw", "demand_peak_kw",
        "demand_peak_at", "load_factor", "power_factor", "voltage_min", "voltage_mean", "voltage_max",
        "voltage_outside_share", "flagged_normal", "expected", "completeness",
    )  # fmt: skip
    told = query(
        url, f"SELECT {', '.join(same)} FROM meter_sliding_days('A', %s, %s, 'all')",
        _DAYS[1] - timedelta(hours=1), _DAYS[2],
    )  # fmt: skip
    assert [row[0] for row in told] == [_DAYS[1].astimezone(UTC) + timedelta(hours=k) for k in range(24)]
    rows = {key: row for key, row in found.items() if told[-1][0] - timedelta(hours=24) <= key[1] < told[-1][0]}
    by = by_hand(rows, told[-1][0] - timedelta(hours=24), told[-1][0], timedelta(minutes=15))
    assert told[-1][1:3] == (by["readings"], pytest.approx(by["energy_kwh"]))
    of_feeder = query(
        url, f"SELECT {', '.join(same)} FROM element_sliding_days WHERE element = 'feeder/F1' "
        "AND customer_class IS NULL AND window_end >= %s ORDER BY window_end", _DAYS[1],
    )  # fmt: skip
    assert of_feeder == [tuple(pytest.approx(figure, rel=1e-12) if isinstance(figure, float) else figure
                               for figure in row) for row in told]  # fmt: skip


async def test_a_quality_decides_which_readings_count(url: str, writer: Writer) -> None:
    await place(writer)
    start = _BEGIN.astimezone(UTC)
    await writer.write(batch("A", [int(start.timestamp()) * 10**6 + k * 300_000_000 for k in range(3)],
                             consumption_kwh=[1.0, 2.0, 4.0]))  # fmt: skip
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE meter_readings SET quality_flag = 'rejected' WHERE consumption_kwh = 2")
        connection.execute("UPDATE meter_readings SET quality_flag = 'estimated' WHERE consumption_kwh = 4")
    asked = "SELECT readings, energy_kwh, flagged_rejected FROM meter_windows('A', %s, %s, '15 minutes', %s)"
    end = start + timedelta(minutes=15)
    assert query(url, asked, start, end, "all") == [(3, 7.0, 1)]
    assert query(url, asked, start, end, "actual") == [(1, 1.0, 0)]
    assert query(url, asked, start, end, "best") == [(2, 5.0, 0)]
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO vee_values (meter_id, reading_time, version, kind, over_reading, consumption_kwh, "
            "quality_flag, rule_set, method, nem12_quality, espi_quality, author, reason) "
            "SELECT meter_id, reading_time, 1, 'estimate', false, 1.5, 'estimated', 1, '', 'E', 1, 'a', 'b' "
            "FROM meter_readings WHERE consumption_kwh = 2"
        )
    assert query(url, asked, start, end, "best") == [(3, 6.5, 0)]


async def test_what_was_known_at_an_earlier_time_can_be_asked(url: str, writer: Writer) -> None:
    await place(writer)
    start = _BEGIN.astimezone(UTC)
    await writer.write(batch("A", [int(start.timestamp()) * 10**6 + k for k in range(2)], consumption_kwh=[1.0, 2.0]))
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE meter_readings SET arrived_at = %s", (start + timedelta(minutes=1),))
        connection.execute("UPDATE meter_readings SET arrived_at = %s WHERE consumption_kwh = 2", (_DAYS[1],))
    asked = "SELECT energy_kwh FROM meter_windows('A', %s, %s, '1 hour', 'all', %s)"
    for moment, energy in ((start, None), (start + timedelta(hours=1), 1.0), (_DAYS[2], 3.0)):
        assert query(url, asked, start, start + timedelta(hours=1), moment) == [(energy,)]
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not kept"):
        query(url, asked.replace("'all'", "'best'"), start, start + timedelta(hours=1), start)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not 1 minute"):
        query(url, asked.replace("1 hour", "2 hours"), start, start + timedelta(hours=1), start)
    assert query(url, asked.replace("'A'", "'nobody'"), start, start + timedelta(hours=1), _DAYS[2]) == [(None,)]


def every(minutes: int, since: datetime, count: int) -> list[int]:
    return [int((since + k * timedelta(minutes=minutes)).timestamp()) * 10**6 for k in range(count)]


async def test_completeness_is_what_came_of_what_was_expected(url: str, writer: Writer) -> None:
    """A silent meter is expected where it stands, from its first whole quarter-hour on; a move takes that with it."""
    start = _BEGIN.astimezone(UTC)
    await place(writer, "ABC")
    await writer.write(batch("A", every(5, start, 48), consumption_kwh=1.0))
    await writer.write(batch("B", every(30, start, 4), consumption_kwh=1.0))
    # Its first quarter-hour is not whole.
    await writer.write(batch("C", every(15, start + timedelta(minutes=7), 8), consumption_kwh=1.0))
    await handed_on(url)
    asked = (
        "SELECT element, extract(hour FROM window_start - %s)::int, readings, expected, completeness "
        "FROM element_windows WHERE element IN ('transformer/T1', 'transformer/T2', 'grid') "
        "AND customer_class IS NULL AND window_s = 3600 ORDER BY 1, 2"
    )
    assert {row[3:] for row in query(url, asked, start)} == {(None, None)}
    await learn(url)
    known = [(0, 18, 17, 1.0), (1, 18, 18, 1.0), (2, 12, 18, 12 / 18), (3, 12, 18, 12 / 18)]
    assert query(url, asked, start) == [(name, *row) for name in ("grid", "transformer/T1") for row in known]

    await place(writer, "B", transformer="T2", valid_from=start + timedelta(hours=1, minutes=50))
    await writer.write(batch("B", every(30, start + timedelta(hours=2), 2), consumption_kwh=1.0))
    await handed_on(url)
    await learn(url)
    assert query(url, asked, start) == [
        ("grid", 0, 18, 17, 1.0),
        ("grid", 1, 18, 18, 1.0),
        ("grid", 2, 14, 18, 14 / 18),
        ("grid", 3, 12, 18, 12 / 18),
        *(("transformer/T1", *row) for row in known[:2]),
        ("transformer/T1", 2, 12, 16, 12 / 16),
        ("transformer/T1", 3, 12, 16, 12 / 16),
        ("transformer/T2", 2, 2, 2, 1.0),
    ]
    # Who is taken out of the registry is not expected anywhere.
    await writer.stores[0].register(
        [RegistryEntry(meter_number="C", status="unregistered")], [start + timedelta(hours=3)]
    )
    await learn(url)
    assert query(url, asked, start)[6:8] == [("transformer/T1", 2, 12, 16, 0.75), ("transformer/T1", 3, 12, 12, 1.0)]
    topic = [window for window in await handed_on(url) if window.element == "transformer/T1"]
    assert all(window.completeness is not None for window in topic if window.window_s == 3_600)


async def test_the_meter_of_a_transformer_is_expected_beside_its_customers(url: str, writer: Writer) -> None:
    start = _BEGIN.astimezone(UTC)
    await place(writer, "A", **{"class": "residential"})
    await place(writer, "B", **{"class": "transformer"})
    for meter in "AB":
        await writer.write(batch(meter, every(1, start, 60), consumption_kwh=1.0))
    await handed_on(url)
    await learn(url)
    asked = "SELECT customer_class, readings, expected, completeness FROM {} ORDER BY 1, window_start LIMIT 4"
    hours = "element_windows WHERE element = 'grid' AND window_s = 3600"
    assert query(url, asked.format(hours)) == [
        ("residential", 60, 60, 1.0),
        ("transformer", 60, 60, 1.0),
        (None, 60, 60, 1.0),
    ]
    minute = f"element_minutes('feeder/F1', '{start.isoformat()}', '{(start + timedelta(minutes=1)).isoformat()}')"
    assert query(url, asked.format(minute)) == [
        ("residential", 1, 1, 1.0),
        ("transformer", 1, 1, 1.0),
        (None, 1, 1, 1.0),
    ]


async def test_a_meter_that_sends_otherwise_is_expected_otherwise_from_then_on(url: str, writer: Writer) -> None:
    start = _BEGIN.astimezone(UTC)
    await place(writer, "A")
    await writer.write(batch("A", every(5, start, 25), consumption_kwh=1.0))
    await learn(url)
    await writer.write(batch("A", every(15, start + timedelta(minutes=135), 60), consumption_kwh=1.0))
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE meter_intervals SET found_at = now() - interval '2 days'")
    await learn(url)
    await handed_on(url)
    hours = "SELECT readings, expected, completeness FROM {} ORDER BY window_start LIMIT 5"
    told = [(12, 12, 1.0), (12, 12, 1.0), (4, 4, 1.0), (4, 4, 1.0), (4, 4, 1.0)]
    asked = f"meter_windows('A', '{start.isoformat()}', '{_DAYS[1].isoformat()}', '1 hour', 'all')"
    assert query(url, hours.format(asked)) == told
    of_transformer = "element_windows WHERE element = 'transformer/T1' AND customer_class IS NULL AND window_s = 3600"
    assert query(url, hours.format(of_transformer)) == told
    # Nothing is left of what was expected before.
    assert query(url, "SELECT interval_s, sum(meters)::int FROM expected_meters GROUP BY 1 ORDER BY 1") == [
        (300, 0),
        (900, 1),
    ]


async def test_top_elements_count_what_was_used_where_meters_stood(url: str, writer: Writer) -> None:
    start = _BEGIN.astimezone(UTC)
    await place(writer, "AB")
    await place(writer, "A", transformer="T2", valid_from=start + timedelta(hours=10))
    await writer.write(batch("A", every(60, start, 20), consumption_kwh=1.0))
    await writer.write(batch("B", every(60, start, 20), consumption_kwh=2.0))
    await catch_up(url, 0)
    found = query(url, "SELECT * FROM top_elements('transformer', '2024-03-30', '2024-03-30', 5, 'actual')")
    assert found == [("transformer/T1", 2, 50.0), ("transformer/T2", 1, 10.0)]


async def test_a_feeder_complies_where_its_meters_do(url: str, writer: Writer) -> None:
    start = _BEGIN.astimezone(UTC)
    await place(writer, "AB")
    await writer.write(batch("A", every(10, start, 20), voltage=[260.0, *[230.0] * 19]))
    await writer.write(batch("B", every(10, start, 20), voltage=[260.0] * 2 + [230.0] * 18))
    asked = "SELECT * FROM element_voltage_quality('feeder', %s, %s)"
    assert query(url, asked, start, _DAYS[2]) == [("feeder/F1", 2, 1, 40, 3, 0.075)]
