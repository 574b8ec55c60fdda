"""Readings as files: NEM12 that an independent reader and our own read back, and CSV."""

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nemreader
import numpy as np
import pytest

from schemas.errors import ConfigurationError
from schemas.readings import ReadingBatch
from simulators.replay import nem12, plain_csv
from simulators.replay.recording import Findings, Options
from sinks.csv_file import csv_lines
from sinks.nem12_file import nem12_lines
from tests.builders import DAY_US, HOUR_US, MINUTE_US, START_US, batch, comparable
from tests.unit.simulators.test_nem12 import BROKEN

MADE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
#: Midnight on the market's clock.
MIDNIGHT_US = START_US + 14 * HOUR_US


def lines(of: ReadingBatch) -> list[str]:
    return list(nem12_lines(of, MADE, "A", "B"))


def written(path: Path, of: ReadingBatch) -> Path:
    file = path / "out.csv"
    file.write_text("".join(f"{line}\n" for line in lines(of)))
    return file


def ends(count: int, step_us: int = 30 * MINUTE_US) -> Any:
    return MIDNIGHT_US + step_us * np.arange(1, count + 1)


def test_a_day_of_one_quality_is_one_record() -> None:
    found = lines(batch("NMI1-E1", ends(48), consumption_kwh=[0.25] * 48, device="S1"))
    assert found[0] == "100,NEM12,202601020304,A,B"
    assert found[1] == "200,NMI1,E1,,E1,,S1,kWh,30,"
    assert found[2] == "300,20240102," + ",".join(["0.25"] * 48) + ",A,,,20260102030405,"
    assert found[3:] == ["900"]


def test_qualities_that_vary_have_their_own_records_and_what_is_missing_is_null() -> None:
    said = ["S14:79:Power Outage", "S14:79:Power Outage", "E52", "S", "F17", None]
    found = lines(batch("M7", ends(6), consumption_kwh=[1.0] * 6, source_quality=said))
    assert found[2].split(",")[50:] == ["V", "", "", "20260102030405", ""]
    assert found[3:-1] == [
        "400,1,2,S14,79,Power Outage",
        "400,3,3,E52,,",
        "400,4,4,S18,0,reason not stated",
        "400,5,5,F17,0,reason not stated",
        "400,6,6,A,,",
        "400,7,48,N,,",
    ]


def test_each_measure_and_each_length_of_interval_has_a_register_of_its_own() -> None:
    times = [*ends(48), *(MIDNIGHT_US + DAY_US + 15 * MINUTE_US * np.arange(1, 97))]
    found = lines(batch("M7", times, consumption_kwh=[1.0] * 144, export_kwh=[0.5] * 144))
    heads = [line for line in found if line.startswith("200")]
    assert [(line.split(",")[4], line.split(",")[8]) for line in heads] == [
        ("E1", "15"), ("E1", "30"), ("B1", "15"), ("B1", "30")
    ]  # fmt: skip


def test_readings_off_any_grid_cannot_be_nem12() -> None:
    with pytest.raises(ConfigurationError, match="readings of M7 do not lie on a grid"):
        lines(batch("M7", [*ends(3), int(ends(4)[-1]) + 1], consumption_kwh=1.0))


def test_what_is_written_is_what_is_read_back(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    said = chance.choice(["A", "S14:79:Power Outage", "F17:6", "E52"], 96).tolist()
    before = batch("NMI1-B2", ends(96), export_kwh=chance.uniform(0, 5, 96).round(6), source_quality=said, device="S1")
    findings = Findings()
    (after,) = nem12.read(written(tmp_path, before), Options(), findings)
    assert findings.count == 0
    assert comparable(after.records) == comparable(before.records)


def independent(file: Path) -> dict[tuple[str, str, object], tuple[float, str]]:
    """What another reader finds: (NMI, suffix, end of interval) -> value in kilo, quality and method."""
    data = nemreader.NEMFile(str(file), strict=True).nem_data()
    return {
        (nmi, register, reading.t_end): (
            round(reading.read_value / (1_000 if reading.uom.upper() in {"WH", "VARH"} else 1), 9),
            reading.quality_method,
        )
        for nmi, registers in data.readings.items()
        for register, readings in registers.items()
        for reading in readings
    }


@pytest.mark.filterwarnings("ignore")
def test_real_files_written_anew_are_the_same_to_an_independent_reader(shared_data: Path, tmp_path: Path) -> None:
    folder, count = shared_data / "nem12", 0
    for file in sorted(folder.rglob("*.csv*")):
        if str(file.relative_to(folder)) in BROKEN or "NEM13" in file.name:
            continue
        plain = tmp_path / "in.csv"
        plain.write_bytes(gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes())
        found = ReadingBatch.concat(list(nem12.read(file, Options(), Findings())))
        again = independent(written(tmp_path, found))
        assert again == independent(plain), file.name
        count += len(again)
    assert count == 145_344


def test_csv_is_read_back_as_it_was(tmp_path: Path) -> None:
    before = batch(
        ['a"b', "c,d"],
        [START_US, START_US + MINUTE_US],
        consumption_kwh=[0.1, None],
        phase=["L1", None],
        sequence=[1, None],
    )
    file = tmp_path / "out.csv"
    file.write_text("".join(f"{line}\n" for line in csv_lines(before)))
    assert file.read_text().splitlines()[0] == "meter_number,reading_time,consumption_kwh,sequence,phase"
    (after,) = plain_csv.read(file, Options(), Findings())
    assert comparable(after.records) == comparable(before.records)
