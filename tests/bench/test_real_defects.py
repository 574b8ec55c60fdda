"""Real sets with known defects: which of those that their README names the rules find, and what else they say."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pytest

from processors.judge import judge
from processors.judging import Judging
from processors.state import MeterState
from processors.validate import FAILURES, Limits, validate
from processors.vee.catalogue import RULES as CATALOGUE
from processors.vee.check import check
from schemas.quality import FLAGS, MISSING
from schemas.readings import ReadingBatch
from tests.vee import RULES

MINUTE_US = 60_000_000


@dataclass(frozen=True)
class Said:
    """What was said of one set.

    Attributes:
        readings: in it.
        counts: readings by rule, by flag (`flag/...`) and by reason of rejection (`rejected/...`).
    """

    readings: int
    counts: Counter[str]


def said(batch: ReadingBatch) -> Said:
    """Pass a set through validation and rules in the order of its rows, and what is empty through judgement."""
    counts, state = Counter[str](), MeterState()
    arrived = np.maximum.accumulate(batch.time_us) + 5_000_000
    codes = validate(batch, arrived, Limits())
    counts.update(f"rejected/{FAILURES[code - 1][0]}" for code in codes[codes > 0].tolist())
    good, arrived = batch.where(codes == 0), arrived[codes == 0]
    at = state.rows(good.meter_number)
    for part in np.array_split(np.arange(len(good)), max(1, len(good) // 10_000)):
        piece, rows = good.take(part), at[part]
        findings = check(piece, rows, state, arrived[part], RULES)
        np.maximum.at(state.last_time_us, rows, piece.time_us)
        hit = findings.failed | findings.warned
        for rule in CATALOGUE:
            counts[rule.id] += int(np.count_nonzero(hit & (1 << rule.bit)))
        counts.update(f"flag/{FLAGS[code]}" for code in findings.flag.tolist())
    empty = good.where(np.logical_and.reduce([np.isnan(good.floats(name)) for name in ("consumption_kwh", "voltage")]))
    fresh = MeterState()
    flags = judge(empty, fresh.rows(empty.meter_number), fresh, Judging()).flag
    counts["flag/missing"] += int(np.count_nonzero(flags == MISSING))
    return Said(len(batch), counts)


def of(meter: Any, times: Any, **columns: Any) -> ReadingBatch:
    time_us = pc.cast(pa.array(times), pa.timestamp("us")).cast(pa.int64()).to_numpy()
    names = [str(meter)] * len(time_us) if isinstance(meter, str) else [str(name) for name in meter]
    return ReadingBatch.from_columns(meter_number=names, reading_time=time_us, **columns)


def table(path: Path, **options: Any) -> pa.Table:
    return pa_csv.read_csv(path, **options)


def clock(column: pa.ChunkedArray, form: str) -> pa.Array:
    return pc.strptime(column, format=form, unit="us").combine_chunks()


def uci_household(data: Path) -> ReadingBatch:
    rows = table(
        data / "uci_household" / "household_power_consumption_2006-12-16_2007-01-14.csv.gz",
        parse_options=pa_csv.ParseOptions(delimiter=";"),
        convert_options=pa_csv.ConvertOptions(
            null_values=["?"],
            column_types={"Date": pa.string(), "Time": pa.string()},
        ),
    )
    power = rows["Global_active_power"].cast(pa.float64())
    return of(
        "home",
        clock(pc.binary_join_element_wise(rows["Date"], rows["Time"], " "), "%d/%m/%Y %H:%M:%S"),
        consumption_kwh=pc.divide(power, 60.0).combine_chunks(),
        demand_kw=power.combine_chunks(),
        voltage=rows["Voltage"].cast(pa.float64()).combine_chunks(),
        current_amps=rows["Global_intensity"].cast(pa.float64()).combine_chunks(),
    )


def sgsc_meters(data: Path) -> ReadingBatch:
    rows = table(data / "sgsc_meters" / "smart_meter10.csv.gz")
    energy = rows["general_supply_kwh"].cast(pa.float64()).combine_chunks()
    return of(rows["customer_id"].to_pylist(), rows["reading_datetime"].combine_chunks(), consumption_kwh=energy)


def lcl_london(data: Path) -> ReadingBatch:
    rows = table(data / "lcl_london" / "MAC000002_halfhourly.csv.gz", convert_options=pa_csv.ConvertOptions(
        column_types={"DateTime": pa.string(), "KWH/hh (per half hour) ": pa.string()}))  # fmt: skip
    times = clock(pc.utf8_slice_codeunits(rows["DateTime"], 0, 19), "%Y-%m-%d %H:%M:%S")
    text = pc.utf8_trim_whitespace(rows.column(2).cast(pa.string()))
    energy = pc.if_else(pc.equal(text, "Null"), None, text).cast(pa.float64()).combine_chunks()
    return of("MAC000002", times, consumption_kwh=energy)


def esb_hdf_ireland(data: Path) -> ReadingBatch:
    rows = table(data / "esb_hdf_ireland" / "HDF_EXAMPLE.csv.gz", convert_options=pa_csv.ConvertOptions(
        column_types={"Read Date and End Time": pa.string()}))  # fmt: skip
    rows = rows.filter(pc.equal(rows["Read Type"], "Active Import Interval (kWh)"))
    # Newest first, by a clock without offsets: turned round, and taken as it stands.
    rows = rows.take(np.arange(rows.num_rows)[::-1])
    energy = rows["Read Value"].cast(pa.float64()).combine_chunks()
    return of("import", clock(rows["Read Date and End Time"], "%d-%m-%Y %H:%M"), consumption_kwh=energy)


def steel_industry(data: Path) -> ReadingBatch:
    rows = table(data / "steel_industry" / "Steel_industry_data.csv.gz", convert_options=pa_csv.ConvertOptions(
        column_types={"date": pa.string()}))  # fmt: skip
    return of(
        "plant",
        clock(rows["date"], "%d/%m/%Y %H:%M"),
        consumption_kwh=rows["Usage_kWh"].cast(pa.float64()).combine_chunks(),
        reactive_kvarh=rows["Lagging_Current_Reactive.Power_kVarh"].cast(pa.float64()).combine_chunks(),
        power_factor=pc.divide(rows["Lagging_Current_Power_Factor"].cast(pa.float64()), 100.0).combine_chunks(),
    )


def transformer_iot(data: Path) -> ReadingBatch:
    rows = table(data / "transformer_iot" / "CurrentVoltage.csv.gz", convert_options=pa_csv.ConvertOptions(
        column_types={"DeviceTimeStamp": pa.string()}))  # fmt: skip
    names = ("VL1", "VL2", "VL3", "IL1", "IL2", "IL3")
    volts1, volts2, volts3, amps1, amps2, amps3 = (rows[name].cast(pa.float64()).combine_chunks() for name in names)
    return of(
        "transformer", clock(rows["DeviceTimeStamp"], "%Y-%m-%dT%H:%M"),
        voltage=volts1, voltage_l2=volts2, voltage_l3=volts3,
        current_amps=amps1, current_l2_amps=amps2, current_l3_amps=amps3,
    )  # fmt: skip


def repeats(batch: ReadingBatch) -> int:
    return len(batch) - len({*zip(batch.meter_number.to_pylist(), batch.time_us.tolist(), strict=True)})


#: Set -> how it is read, and for each defect how many there are and what says so.
SETS: dict[str, tuple[Callable[[Path], ReadingBatch], dict[str, tuple[int, tuple[str, ...]]]]] = {
    "uci_household": (uci_household, {"rows without any value": (4, ("flag/missing",))}),
    "sgsc_meters": (sgsc_meters, {"gaps, of 7 meters": (119, ("gap",)), "zero readings": (15_630, ("zero_energy",))}),
    "lcl_london": (
        lcl_london,
        {
            "repeated times": (17, ("duplicate", "conflicting_duplicate")),
            "a value that is Null": (1, ("flag/missing",)),
        },
    ),
    "esb_hdf_ireland": (
        esb_hdf_ireland,
        {
            "gaps: seven, and two when clocks went forward": (9, ("gap",)),
            "half hours twice when they went back": (2, ("duplicate", "conflicting_duplicate", "out_of_order")),
        },
    ),
    "steel_industry": (steel_industry, {"midnights of the wrong date": (365, ("out_of_order",))}),
    "transformer_iot": (
        transformer_iot,
        {
            "repeated times": (437, ("duplicate", "conflicting_duplicate")),
            "VL1 between 0 and 200 V, or all 0": (16, ("rejected/voltage_out_of_range",)),
        },
    ),
}


@pytest.mark.parametrize("name", SETS)
def test_known_defects_of_real_sets(name: str, shared_data: Path) -> None:
    read, defects = SETS[name]
    if not (shared_data / name).exists():
        pytest.skip(f"{name} is not here")
    found = said(read(shared_data))
    for defect, (count, kinds) in defects.items():
        hits = sum(found.counts[kind] for kind in kinds)
        print(f"\n| {name} | {defect} | {count:,} | {hits:,} | {', '.join(kinds)} |")  # noqa: T201 - the figures
        assert hits >= count
    flagged = {key: count for key, count in found.counts.items() if key.startswith("flag/") and key != "flag/normal"}
    share = sum(flagged.values()) / found.readings
    print(f"{name}: {found.readings:,} readings, {share:.2%} flagged by rules: {flagged}")  # noqa: T201
    print({key: count for key, count in found.counts.items() if count and not key.startswith("flag/")})  # noqa: T201


def lcl_block(path: Path) -> tuple[ReadingBatch, int, int]:
    """A block's days as the half hours that they are statistics of, and how many days are short, and leave a gap.

    Which half hours of a day are missing is not said: the last ones, or the first ones of a meter's first day.
    """
    days = table(path)
    short = int(pc.sum(pc.less(days["energy_count"], 48)).as_py())
    # A day without a single value is part of the gap that the day before begins.
    rows = days.filter(pc.greater(days["energy_count"], 0)).sort_by([("LCLid", "ascending"), ("day", "ascending")])
    meter, day = np.array(rows["LCLid"].to_pylist()), rows["day"].cast(pa.date32()).cast(pa.int32()).to_numpy()
    day = day.astype(np.int64)
    count, mean = rows["energy_count"].to_numpy().astype(np.int64), rows["energy_mean"].to_numpy()
    first = np.r_[True, meter[1:] != meter[:-1]]
    follows = np.r_[~first[1:], False]
    after = np.r_[np.diff(day), 0]
    gaps = int(np.count_nonzero(follows & ((~first & (count < 48)) | (after > 1))))
    begin = np.where(first, 48 - count, 0)
    at = np.repeat(np.arange(len(day)), count)
    slot = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count) + begin[at]
    time_us = day[at] * 86_400_000_000 + (slot + 1) * 30 * MINUTE_US
    of_day = ReadingBatch.from_columns(
        meter_number=pa.array(meter).take(pa.array(at)), reading_time=time_us, consumption_kwh=mean[at]
    )
    in_order = of_day.take(np.argsort(time_us, kind="stable"))
    return in_order, short, gaps


@pytest.mark.parametrize(("block", "short"), [("block_10", 313), ("block_100", 416)])
def test_short_days_of_a_fleet_leave_gaps_that_are_found(shared_data: Path, block: str, short: int) -> None:
    path = shared_data / "lcl_london" / f"{block}.csv.gz"
    if not path.exists():
        pytest.skip("lcl_london is not here")
    batch, days, gaps = lcl_block(path)
    found = said(batch).counts["gap"]
    print(f"\n| lcl_london, {block} | {days} days with fewer than 48 values | {gaps} gaps | {found} | gap |")  # noqa: T201
    assert days == short
    assert found == gaps
