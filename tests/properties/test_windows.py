"""Windows must not depend on order or on how a stream was cut, lose no energy, and equal a naive count."""

from collections import defaultdict
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from processors.windows import Windowing, WindowPartials, summarise
from schemas.layout import Ints
from schemas.readings import ReadingBatch
from schemas.windows import DAY_S, EN_50160, HOUR_S, MV_PER_V, PPM, UWH_PER_KWH, WINDOW_LENGTHS_S
from tests.builders import DAY_US, START_US
from tests.strategies import cuts

Key = tuple[int, int, int]
SUMS = (
    "readings",
    "energy_uwh",
    "export_uwh",
    "power_factor_count",
    "power_factor_ppm",
    "voltage_count",
    "voltage_outside",
    "voltage_sum_mv",
    "restating",
)
LATENESS_S = 60.0


@st.composite
def grouped(draw: st.DrawFn) -> tuple[ReadingBatch, Ints, Ints]:
    """Readings with their groups and the watermark before each."""
    n = draw(st.integers(0, 25))

    def column(values: st.SearchStrategy[object]) -> list[object]:
        return draw(st.lists(values, min_size=n, max_size=n))

    near = st.integers(START_US, START_US + DAY_US // 24)
    found = ReadingBatch.from_columns(
        meter_number=column(st.sampled_from("ABC")),
        reading_time=np.array(column(near | st.just(START_US) | st.integers(-DAY_US, DAY_US)), dtype=np.int64),
        consumption_kwh=column(st.floats(0, 1e6) | st.none()),
        export_kwh=column(st.floats(0, 10) | st.none()),
        demand_kw=column(st.floats(-5, 5) | st.none()),
        voltage=column(st.floats(200, 260) | st.none()),
        power_factor=column(st.floats(-1, 1) | st.none()),
    )
    groups = np.array(column(st.integers(0, 2)), dtype=np.int64)
    return found, groups, np.array(column(near), dtype=np.int64)


EXTREMES = {"demand_peak_kw": np.fmax, "voltage_min": np.fmin, "voltage_max": np.fmax}


def totals(parts: list[WindowPartials]) -> dict[Key, dict[str, Any]]:
    """Add partials up as the database does."""
    found: dict[Key, dict[str, Any]] = {}
    for part in parts:
        for row in range(len(part)):
            total = found.setdefault(
                (int(part.window_s[row]), int(part.group_id[row]), int(part.start_us[row])),
                dict.fromkeys(SUMS, 0) | dict.fromkeys(EXTREMES, np.nan) | {"peak_at": None},
            )
            peak, before = float(part.demand_peak_kw[row]), total["demand_peak_kw"]
            if not np.isnan(peak) and not peak < before:
                at = int(part.demand_peak_us[row])
                total["peak_at"] = min(at, total["peak_at"]) if peak == before else at
            for name in SUMS:
                total[name] += int(getattr(part, name)[row])
            for name, better in EXTREMES.items():
                total[name] = float(better(total[name], getattr(part, name)[row]))
    for total in found.values():
        total |= {name: None for name in EXTREMES if np.isnan(total[name])}
    return found


def naive(found: ReadingBatch, groups: Ints, marks: Ints) -> dict[Key, dict[str, Any]]:
    """One reading at a time, in exact arithmetic."""
    windows: dict[Key, list[int]] = defaultdict(list)
    for row, time_us in enumerate(found.time_us.tolist()):
        for length_s in WINDOW_LENGTHS_S:
            start_us = time_us // (length_s * 10**6) * length_s * 10**6
            windows[length_s, int(groups[row]), start_us].append(row)

    def whole(name: str, row: int, per_unit: int) -> int:
        value = found.column(name)[row].as_py()
        return 0 if value is None else round(Fraction(float(np.float64(value) * per_unit)))

    def known(name: str, rows: list[int]) -> list[float]:
        return [value for row in rows if (value := found.column(name)[row].as_py()) is not None]

    def demands(rows: list[int]) -> list[tuple[int, float]]:
        column = found.column("demand_kw")
        return [(int(found.time_us[row]), kw) for row in rows if (kw := column[row].as_py()) is not None]

    return {
        key: {
            "readings": len(rows),
            "energy_uwh": sum(whole("consumption_kwh", row, UWH_PER_KWH) for row in rows),
            "export_uwh": sum(whole("export_kwh", row, UWH_PER_KWH) for row in rows),
            "power_factor_count": len(known("power_factor", rows)),
            "power_factor_ppm": sum(whole("power_factor", row, PPM) for row in rows),
            "voltage_count": len(known("voltage", rows)),
            "voltage_outside": sum(not 207 <= volts <= 253 for volts in known("voltage", rows)),
            "voltage_sum_mv": sum(whole("voltage", row, MV_PER_V) for row in rows),
            "restating": sum(key[2] + (key[0] + LATENESS_S) * 1e6 <= marks[row] for row in rows),
            "demand_peak_kw": max(known("demand_kw", rows), default=None),
            "peak_at": min(
                (time for time, kw in demands(rows) if kw == max(known("demand_kw", rows))),
                default=None,
            ),
            "voltage_min": min(known("voltage", rows), default=None),
            "voltage_max": max(known("voltage", rows), default=None),
        }
        for key, rows in windows.items()
    }


def summed(found: ReadingBatch, groups: Ints, marks: Ints) -> WindowPartials:
    n = len(found)
    nobody = {length: np.zeros(n, dtype=bool) for length in (*WINDOW_LENGTHS_S, HOUR_S, DAY_S)}
    flags = np.zeros(n, dtype=np.int8)
    return summarise(found, flags, groups, nobody, marks, Windowing(WINDOW_LENGTHS_S, LATENESS_S, EN_50160))


@given(grouped())
def test_windows_equal_a_naive_count(given_: tuple[ReadingBatch, Ints, Ints]) -> None:
    assert totals([summed(*given_)]) == naive(*given_)


@given(grouped(), st.data())
def test_order_and_cuts_change_no_bit(given_: tuple[ReadingBatch, Ints, Ints], data: st.DataObject) -> None:
    found, groups, marks = given_
    order = np.array(data.draw(st.permutations(range(len(found)))), dtype=np.intp)
    mixed, mixed_groups, mixed_marks = found.take(order), groups[order], marks[order]
    parts = [
        summed(mixed.slice(part.start, part.stop - part.start), mixed_groups[part], mixed_marks[part])
        for part in data.draw(cuts(len(found)))
    ]
    assert repr(sorted(totals(parts).items())) == repr(sorted(totals([summed(*given_)]).items()))


@given(grouped())
def test_energy_is_neither_lost_nor_made(given_: tuple[ReadingBatch, Ints, Ints]) -> None:
    found, groups, marks = given_
    partials = summed(found, groups, marks)
    for name, column in (("energy_uwh", "consumption_kwh"), ("export_uwh", "export_kwh")):
        expected = np.rint(np.nan_to_num(found.floats(column)) * UWH_PER_KWH).astype(np.int64).sum()
        for length_s in WINDOW_LENGTHS_S:
            assert getattr(partials, name)[partials.window_s == length_s].sum() == expected
