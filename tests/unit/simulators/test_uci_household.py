import csv
import gzip
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import MissingColumns
from schemas.readings import ReadingBatch
from simulators.replay.recording import Findings, Options
from simulators.replay.uci_household import read
from simulators.replay.zones import parse_zone

HEADER = (
    "Date;Time;Global_active_power;Global_reactive_power;Voltage;Global_intensity;"
    "Sub_metering_1;Sub_metering_2;Sub_metering_3\n"
)


def minutes(batch: ReadingBatch) -> list[str]:
    times: list[str] = batch.time_us.astype("datetime64[us]").astype("datetime64[m]").astype(str).tolist()
    return times


@pytest.fixture(scope="module")
def file(shared_data: Path) -> Path:
    return shared_data / "uci_household" / "household_power_consumption_2006-12-16_2007-01-14.csv.gz"


@pytest.fixture(scope="module")
def readings(file: Path) -> ReadingBatch:
    findings = Findings()
    batch = ReadingBatch.concat(list(read(file, Options(), findings)))
    assert (findings.count, findings.notes) == (0, [])
    return batch


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "household.csv"
    path.write_text(HEADER + "\n".join(lines) + "\n")
    return path


def test_every_row_is_a_reading_and_four_of_them_are_empty(readings: ReadingBatch) -> None:
    assert len(readings) == 40_963
    for name in ("consumption_kwh", "demand_kw", "voltage", "current_amps", "reactive_kvarh"):
        assert readings.column(name).null_count == 4
    assert readings.column("power_factor").null_count == len(readings)
    assert readings.meter_number.unique().to_pylist() == ["UCI-1"]


def test_the_span_is_that_of_the_file_in_utc_without_a_gap(readings: ReadingBatch) -> None:
    # Paris is an hour ahead of UTC in winter; read month first, the days 1 to 12 would be scattered over the year.
    times = readings.time_us.astype("datetime64[us]")
    assert times[0] == np.datetime64("2006-12-16T16:24")
    assert times[-1] == np.datetime64("2007-01-14T03:06")
    assert set(np.diff(readings.time_us).tolist()) == {60_000_000}


def test_energy_gives_the_kilowatts_of_the_file_back_to_the_last_digit(file: Path, readings: ReadingBatch) -> None:
    with gzip.open(file, "rt") as text:
        power = [row["Global_active_power"] for row in csv.DictReader(text, delimiter=";")]
    exact = sum(Decimal(value) for value in power if value != "?")
    assert round(Decimal(float(np.nansum(readings.floats("consumption_kwh")) * 60)), 3) == exact
    each = readings.floats("consumption_kwh") * 60
    assert [f"{value:.3f}" if value == value else "?" for value in each.tolist()] == power  # noqa: PLR0124


def test_dates_are_day_first_with_or_without_zero(tmp_path: Path) -> None:
    path = write(tmp_path, "1/2/2007;00:00:00;1;0;230;4;0;0;0", "01/02/2007;00:01:00;1;0;230;4;0;0;0")
    (batch,) = read(path, Options(), Findings())
    assert minutes(batch) == ["2007-01-31T23:00", "2007-01-31T23:01"]


def test_one_missing_value_leaves_the_others(tmp_path: Path) -> None:
    (batch,) = read(write(tmp_path, "1/2/2007;00:00:00;1.2;?;230;?;0;0;0"), Options(), Findings())
    row = batch.records.to_pylist()[0]
    assert (row["demand_kw"], row["reactive_kvarh"], row["voltage"], row["current_amps"]) == (1.2, None, 230.0, None)


def test_meter_and_zone_can_be_chosen(tmp_path: Path) -> None:
    path = write(tmp_path, "28/10/2007;02:30:00;1;0;230;4;0;0;0")
    (batch,) = read(path, Options(meter="house 7", zone=parse_zone("+01:00")), Findings())
    assert batch.meter_number.to_pylist() == ["house 7"]
    assert minutes(batch) == ["2007-10-28T01:30"]


def test_broken_lines_are_named_and_cost_only_themselves(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "1/2/2007;00:00:00;1;0;230;4;0;0;0",
        "31/6/2007;00:00:00;1;0;230;4;0;0;0",
        "1/2/2007;00:01:00;one;0;230;4;0;0;0",
        "1/2/2007;00:02:00;1;0",
        "28/10/2007;02:30:00;1;0;230;4;0;0;0",
        "1/2/2007;00:03:00;1;0;230;4;0;0;0",
    )
    findings = Findings()
    (batch,) = read(path, Options(), findings)
    assert len(batch) == 2
    assert sorted(problem.line for problem in findings.problems) == [3, 4, 5, 6]


def test_another_file_is_refused_with_both_lists_of_columns(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("Date;Time;Voltage\n")
    with pytest.raises(MissingColumns, match=r"Global_active_power.*there are \['Date', 'Time', 'Voltage'\]"):
        next(read(path, Options(), Findings()))
