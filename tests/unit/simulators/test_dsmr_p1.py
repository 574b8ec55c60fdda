import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.readings import ReadingBatch
from simulators.replay.dsmr_p1 import FORMAT, read
from simulators.replay.recording import Findings, NotThisFormat, Options
from simulators.replay.telegrams import crc16

LOG = (Path(__file__).parent / "data" / "dsmr_p1.txt").read_bytes()


def rows(path: Path, options: Options | None = None) -> tuple[list[dict[str, Any]], Findings]:
    findings = Findings()
    batch = ReadingBatch.concat(list(read(path, options or Options(), findings)))
    return batch.records.to_pylist(), findings


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    path = tmp_path_factory.mktemp("dsmr") / "log"
    path.write_bytes(LOG)
    found, findings = rows(path)
    assert (len(found), findings.count, findings.notes) == (3, 0, [])
    return found


def test_a_telegram_becomes_a_reading(original: list[dict[str, Any]]) -> None:
    given = {name: value for name, value in original[0].items() if value is not None}
    assert given == {
        "meter_number": "E0044007131650618",
        "reading_time": datetime(2019, 3, 24, 14, 5, 19, tzinfo=UTC),
        "register_kwh": 6657.459,  # 3432.827 + 3224.632; as floats that is 6657.459000000001
        "demand_kw": 0.378,
        "voltage": 237.1,
        "voltage_l2": 235.1,
        "voltage_l3": 236.1,
        "current_amps": 0.0,
        "current_l2_amps": 0.0,
        "current_l3_amps": 2.0,
    }


def test_a_telegram_of_one_phase_has_no_others(tmp_path: Path) -> None:
    text = LOG[LOG.index(b"/") : LOG.index(b"!") + 1].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    text = re.sub(rb"1-0:[57][12]\.7\.0\([^\r]*\r\n", b"", text)
    path = tmp_path / "log"
    path.write_bytes(text + b"%04X\r\n" % int(crc16([text])[0]))
    (found,), findings = rows(path)
    assert findings.count == 0
    assert found["voltage"] == 237.1
    assert [found[name] for name in ("voltage_l2", "voltage_l3", "current_l2_amps", "current_l3_amps")] == [None] * 4


def test_a_real_log_and_its_table_hold_the_same_telegrams(shared_data: Path) -> None:
    log, in_log = rows(shared_data / "dsmr_p1" / "ttyUSB0-raw.txt")
    table, in_table = rows(shared_data / "dsmr_p1" / "telegrams.csv")
    assert len(log) == 566
    assert log == table
    assert (in_log.count, in_table.count) == (0, 0)
    assert in_log.notes == ["the log begins inside a telegram; lines 1 to 16 are left out"]
    assert log[-1]["reading_time"] == datetime(2019, 3, 24, 14, 14, 45, tzinfo=UTC)


def test_the_count_for_progress_is_that_of_the_telegrams(shared_data: Path) -> None:
    assert FORMAT.count(shared_data / "dsmr_p1" / "ttyUSB0-raw.txt") == 566
    assert FORMAT.count(shared_data / "dsmr_p1" / "telegrams.csv") == 566


# The last byte is the line break after the last checksum: nothing depends on it.
@given(position=st.integers(0, len(LOG) - 2), value=st.integers(0, 255))
@example(position=0, value=0x0F)
@example(position=LOG.index(b"!"), value=ord("1"))
@example(position=LOG.index(b"!D4BA") + 1, value=ord("d"))
@example(position=LOG.index(b"!D4BA") + 5, value=ord("\r"))
@settings(max_examples=300, deadline=None)
def test_a_changed_byte_never_becomes_a_changed_reading(
    tmp_path_factory: pytest.TempPathFactory, original: list[dict[str, Any]], position: int, value: int
) -> None:
    if LOG[position] == value:
        return
    path = tmp_path_factory.mktemp("dsmr") / "log"
    path.write_bytes(LOG[:position] + bytes([value]) + LOG[position + 1 :])
    found, findings = rows(path)
    assert len(found) < len(original)
    assert all(row in original for row in found)
    assert findings.count or findings.notes


def test_a_bad_checksum_is_named_with_the_line_of_its_telegram(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(LOG.replace(b"190324150520W", b"190324150521W"))
    found, findings = rows(path)
    assert len(found) == 2
    assert [problem.line for problem in findings.problems] == [36]
    assert "checksum" in findings.problems[0].detail


def test_the_caller_may_name_the_meter(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(LOG)
    assert {row["meter_number"] for row in rows(path, Options(meter="M-1"))[0]} == {"M-1"}


@pytest.mark.parametrize("text", [b"", b"customer_id,kwh\n1,2\n"], ids=["empty", "csv"])
def test_a_file_without_telegrams_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "f"
    path.write_bytes(text)
    with pytest.raises(NotThisFormat, match="no line begins a telegram"):
        rows(path)
