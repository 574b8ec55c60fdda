from pathlib import Path

import pytest

from schemas.errors import ConfigurationError, MissingColumns
from schemas.readings import ReadingBatch
from simulators.replay.plain_csv import read
from simulators.replay.recording import Findings, NotThisFormat, Options


def minutes(batch: ReadingBatch) -> list[str]:
    times: list[str] = batch.time_us.astype("datetime64[us]").astype("datetime64[m]").astype(str).tolist()
    return times


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "readings.csv"


def test_fields_are_read_by_name_in_any_order(path: Path) -> None:
    path.write_text(
        "reading_time,voltage,meter_number,sequence,source_quality\n"
        "2026-01-01T01:00:00+01:00,230.5,M-1,7,good\n"
        "2026-01-01T00:15:00Z,,M-2,,\n"
    )
    (batch,) = read(path, Options(), Findings())
    assert batch.meter_number.to_pylist() == ["M-1", "M-2"]
    assert minutes(batch) == ["2026-01-01T00:00", "2026-01-01T00:15"]
    assert batch.column("voltage").to_pylist() == [230.5, None]
    assert batch.column("sequence").to_pylist() == [7, None]
    assert batch.column("source_quality").to_pylist() == ["good", None]
    assert batch.column("consumption_kwh").null_count == 2


def test_the_meter_number_may_come_from_the_caller(path: Path) -> None:
    path.write_text("reading_time,voltage\n2026-01-01T00:00:00Z,230\n")
    (batch,) = read(path, Options(meter="M-1"), Findings())
    assert batch.meter_number.to_pylist() == ["M-1"]
    with pytest.raises(MissingColumns, match="meter_number"):
        next(read(path, Options(), Findings()))


def test_two_sources_of_meter_numbers_are_refused(path: Path) -> None:
    path.write_text("meter_number,reading_time\n")
    with pytest.raises(ConfigurationError, match="leave the meter number out"):
        next(read(path, Options(meter="M-1"), Findings()))


def test_unknown_columns_are_named_and_refused_unless_ignored(path: Path) -> None:
    path.write_text("meter_number,reading_time,volts\nM,2026-01-01T00:00:00Z,1\n")
    with pytest.raises(NotThisFormat, match=r"unknown columns \['volts'\]"):
        next(read(path, Options(), Findings()))
    (batch,) = read(path, Options(ignore_unknown=True), Findings())
    assert len(batch) == 1


def test_rows_that_the_engine_would_reject_are_named_and_not_sent(path: Path) -> None:
    path.write_text(
        "meter_number,reading_time,voltage,sequence,phase\n"
        "M,2026-01-01T00:00:00Z,230,1,L1\n"
        ",2026-01-01T00:00:00Z,230,1,L1\n"
        "M,2026-01-01T00:00:00,230,1,L1\n"
        "M,2026-01-01T00:00:00Z,NaN,1,L1\n"
        "M,2026-01-01T00:00:00Z,230,1.5,L1\n"
        f"M,2026-01-01T00:00:00Z,230,1,{'x' * 51}\n"
    )
    findings = Findings()
    (batch,) = read(path, Options(), findings)
    assert len(batch) == 1
    assert [problem.line for problem in findings.problems] == [3, 4, 5, 6, 7]


@pytest.mark.parametrize("meter", ["", "x" * 51, "a\nb"])
def test_a_meter_number_must_be_one(meter: str) -> None:
    with pytest.raises(ConfigurationError, match="meter number"):
        Options(meter=meter)
