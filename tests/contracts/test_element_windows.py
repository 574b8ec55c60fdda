"""Windows of elements: merged upwards, restated with a higher revision, and what was believed before can be asked."""

from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from schemas.errors import ServiceUnavailable
from schemas.registry import RegistryEntry
from schemas.windows import WindowAggregate
from sinks.windows_outbox import WindowOutbox
from tests.builders import DAY_US, batch
from tests.contracts.test_windows_outbox import handed_on
from tests.contracts.writing import Writer, query

pytestmark = pytest.mark.integration

_ZONE = ZoneInfo("Europe/Berlin")
#: The night in which Berlin's clocks go forward is within.
_BEGIN_US = int(datetime(2024, 3, 30, tzinfo=UTC).timestamp()) * 10**6
_QUARTER_US = 900_000_000
#: Meter -> transformer, class.
_GRID = {
    "A": ("T1", "residential"),
    "B": ("T1", "commercial"),
    "C": ("T2", "residential"),
    "D": ("T3", "residential"),
    "E": ("T4", "commercial"),
}
_NORTH = "S1", "North"
_ABOVE = {"T1": ("F1", *_NORTH), "T2": ("F1", *_NORTH), "T3": ("F2", *_NORTH), "T4": ("F3", "S2", "South")}
#: Element, class, length [s], start [us] -> energy [uWh], readings, meters, highest quarter-hour [uWh], its start.
Merged = dict[tuple[str, str, int, int], tuple[Any, ...]]
_READ = """
SELECT element, customer_class, window_s, (extract(epoch FROM window_start) * 1e6)::bigint, energy_uwh, readings,
       meters, peak_uwh, (extract(epoch FROM peak_at) * 1e6)::bigint
FROM element_totals WHERE readings > 0
"""


def entries() -> list[RegistryEntry]:
    found = []
    for meter, (transformer, kind) in _GRID.items():
        feeder, substation, region = _ABOVE[transformer]
        said = {"meter_number": meter, "transformer": transformer, "feeder": feeder, "substation": substation}
        said |= {"region": region, "class": kind, "timezone": "Europe/Berlin" if region == "North" else "UTC"}
        found.append(RegistryEntry.model_validate(said))
    return found


def start_of(element: str, length_s: int, time_us: int) -> int:
    """Start of the window: UTC, but for local days of the north."""
    if length_s < 86_400 or not element.endswith(("T1", "T2", "T3", "F1", "F2", "S1", "North")):
        return time_us - time_us % (length_s * 10**6)
    local = datetime.fromtimestamp(time_us / 1e6, _ZONE)
    return int(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()) * 10**6


def expected(found: dict[tuple[str, int], float]) -> Merged:
    """One reading at a time, straight to each window of each element above it."""
    kept: dict[tuple[str, str, int, int], list[tuple[str, int, int]]] = defaultdict(list)
    for (meter, time_us), kwh in found.items():
        transformer, kind = _GRID[meter]
        feeder, substation, region = _ABOVE[transformer]
        names = [
            f"transformer/{transformer}",
            f"feeder/{feeder}",
            f"substation/{substation}",
            f"region/{region}",
            "grid",
        ]
        for element in names:
            for of in (kind, "*"):
                for length_s in (900, 3_600, 86_400):
                    key = element, of, length_s, start_of(element, length_s, time_us)
                    kept[key].append((meter, time_us, round(kwh * 1e9)))
    merged = {}
    for key, rows in kept.items():
        quarters: dict[int, int] = defaultdict(int)
        for _, time_us, uwh in rows:
            quarters[time_us - time_us % _QUARTER_US] += uwh
        peak = max(quarters.values())
        at = min(start for start, uwh in quarters.items() if uwh == peak)
        # Meters of a day are counted by their region's clock, and the grid's regions do not agree.
        meters = None if key[0] == "grid" and key[2] == 86_400 else len({meter for meter, _, _ in rows})
        merged[key] = sum(quarters.values()), len(rows), meters, peak, at
    return merged


def invented(seed: int, count: int = 400) -> dict[tuple[str, int], float]:
    rng = np.random.default_rng(seed)
    meters = list(_GRID)
    return {
        (meters[int(rng.integers(5))], _BEGIN_US + int(rng.integers(0, 3 * 288)) * 300_000_000): float(
            rng.integers(1, 9)
        )
        for _ in range(count)
    }


async def put(
    writer: Writer, found: dict[tuple[str, int], float], keys: list[tuple[str, int]], worker: int = 0
) -> None:
    of = batch(
        [meter for meter, _ in keys], [time_us for _, time_us in keys], consumption_kwh=[found[key] for key in keys]
    )
    await writer.write(of, worker)


def merged(url: str) -> Merged:
    return {row[:4]: row[4:] for row in query(url, _READ)}


@pytest.mark.parametrize("seed", range(3))
async def test_every_element_has_what_its_readings_add_up_to(url: str, writer: Writer, seed: int) -> None:
    """In any portions, however often merging is cut off in between, late readings included."""
    found = invented(seed)
    rng = np.random.default_rng(seed)
    keys = list(found)
    writer.mark_us = _BEGIN_US + 9 * DAY_US
    await writer.stores[0].register(entries())

    async def killed(_: list[WindowAggregate]) -> None:
        raise ServiceUnavailable("kafka", "cut off before its commit")

    outbox = WindowOutbox(url, lateness_s=60.0)
    while keys:
        taken, keys = keys[: int(rng.integers(1, 120))], keys[int(rng.integers(1, 120)) :]
        await put(writer, found, taken, int(rng.integers(2)))
        with suppress(ServiceUnavailable):
            await outbox.hand_on(killed)
        if rng.random() < 0.5:
            await handed_on(url)
    await put(writer, found, list(found))
    await outbox.close()
    told = await handed_on(url)
    assert merged(url) == expected(found)
    newest = query(
        url,
        "SELECT element, customer_class, window_s, window_start, revision FROM element_beliefs "
        "WHERE believed_until = 'infinity'",
    )
    known = {row[:4]: row[4:] for row in newest}
    for window in told:
        if window.window_s >= 900:
            key = window.element, window.customer_class, window.window_s, window.window_start
            assert known[key][0] >= window.revision


async def test_a_late_reading_restates_all_that_contain_it_and_nothing_else(url: str, writer: Writer) -> None:
    writer.mark_us = _BEGIN_US + 9 * DAY_US
    await writer.stores[0].register(entries())
    found = {(meter, _BEGIN_US + k * _QUARTER_US): 1.0 for meter in _GRID for k in range(96)}
    await put(writer, found, list(found))
    await handed_on(url)
    (noon,) = query(url, "SELECT clock_timestamp()")[0]
    before = merged(url)
    late = {("C", _BEGIN_US + 40 * _QUARTER_US + 1): 5.0}
    await put(writer, late, list(late))
    again = [window for window in await handed_on(url) if window.window_s >= 900]
    assert {(window.element, window.customer_class, window.window_s) for window in again} == {
        (element, of, length)
        for element in ("transformer/T2", "feeder/F1", "substation/S1", "region/North", "grid")
        for of in (None, "residential")
        for length in (900, 3_600, 86_400)
    }
    assert {(window.revision, window.state) for window in again} == {(1, "final")}
    day = next(w for w in again if (w.element, w.customer_class, w.window_s) == ("feeder/F1", None, 86_400))
    assert day.demand_peak_kw == 32.0
    assert day.demand_peak_at == datetime.fromtimestamp((_BEGIN_US + 40 * _QUARTER_US) / 1e6, UTC)
    assert day.load_factor == pytest.approx(day.demand_mean_kw / 32.0)
    # What was believed at noon, and what is believed now.
    asked = (
        "SELECT element, coalesce(customer_class, '*'), window_s, (extract(epoch FROM window_start) * 1e6)::bigint, "
        "energy_kwh FROM windows_as_of(%s)"
    )
    assert {row[:4]: row[4] for row in query(url, asked, noon)} == {key: row[0] / 1e9 for key, row in before.items()}
    now = {row[:4]: row[4] for row in query(url, asked, noon + timedelta(days=1))}
    assert now == {key: row[0] / 1e9 for key, row in merged(url).items()}
    assert query(url, asked, noon - timedelta(days=1)) == []


async def test_open_windows_are_provisional_and_closed_ones_final(url: str, writer: Writer) -> None:
    writer.mark_us = _BEGIN_US + 2 * _QUARTER_US + 60_000_000
    await writer.stores[0].register(entries())
    found = {("E", _BEGIN_US + k * _QUARTER_US): 1.0 for k in range(3)}
    await put(writer, found, list(found))
    await handed_on(url)
    told = query(
        url,
        "SELECT window_s, window_start, state, energy_kwh, meters, demand_mean_kw FROM element_windows "
        "WHERE element = 'region/South' AND customer_class IS NULL ORDER BY 1, 2",
    )
    starts = [datetime.fromtimestamp((_BEGIN_US + k * _QUARTER_US) / 1e6, UTC) for k in range(3)]
    assert told == [
        (900, starts[0], "final", 1.0, 1, 4.0),
        (900, starts[1], "final", 1.0, 1, 4.0),
        (900, starts[2], "provisional", 1.0, 1, 4.0),
        (3_600, starts[0], "provisional", 2.0, 1, 2.0),
        (86_400, starts[0], "provisional", 2.0, 1, 2.0 / 24),
    ]


async def test_revisions_that_nobody_believes_any_more_are_forgotten_in_time(url: str, writer: Writer) -> None:
    writer.mark_us = _BEGIN_US + 9 * DAY_US
    for k in range(3):
        await put(writer, {("A", _BEGIN_US + k): 1.0}, [("A", _BEGIN_US + k)])
        await handed_on(url)
    kept = "SELECT count(*) FROM element_history WHERE element = 'grid' AND customer_class = '*' AND window_s = 900"
    assert query(url, kept) == [(2,)]
    outbox = WindowOutbox(url, lateness_s=60.0, kept_days=0.0)
    await outbox.hand_on(lambda _: None)  # type: ignore[arg-type,return-value]
    await outbox.close()
    assert query(url, kept) == [(0,)]


async def test_24_hours_slide_by_the_hour(url: str, writer: Writer) -> None:
    writer.mark_us = _BEGIN_US + 9 * DAY_US
    await writer.stores[0].register(entries())
    found = {("E", _BEGIN_US + k * 4 * _QUARTER_US): float(k) for k in range(48)}
    await put(writer, found, list(found))
    await handed_on(url)
    told = query(
        url,
        "SELECT energy_kwh, demand_peak_kw, hours FROM element_sliding_days "
        "WHERE element = 'region/South' AND customer_class IS NULL ORDER BY window_end",
    )
    assert told[-1] == (sum(range(24, 48)), 4.0 * 47, 24)
    assert told[0] == (0.0, 0.0, 1)


async def test_voltage_quality_is_the_share_of_ten_minute_means_outside(url: str, writer: Writer) -> None:
    times = [_BEGIN_US + k * 300_000_000 for k in range(40)]  # two to a mean
    volts = [260.0, 250.0] + [230.0] * 38
    await writer.write(batch("A", times, voltage=volts))
    await writer.write(batch("B", times[::8], voltage=[254.0, *[230.0] * 4]))
    of = "voltage_quality(to_timestamp(%s), to_timestamp(%s))"
    asked = f"SELECT means, outside, share, complies FROM {of} ORDER BY meter_id"
    since = _BEGIN_US / 1e6
    assert query(url, asked, since, since + 86_400) == [(20, 1, 0.05, True), (5, 1, 0.2, False)]
