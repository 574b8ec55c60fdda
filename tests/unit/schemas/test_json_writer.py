"""Columns to JSON text: every digit of every number, and texts that any reader takes back."""

import json

import numpy as np
import pytest

from schemas import json_writer
from schemas.readings import ReadingBatch
from schemas.ticks import TickBatch
from tests.builders import START_US, batch


def test_nulls_are_left_out_and_times_are_utc() -> None:
    written = batch(["A", "B"], [START_US, START_US + 1], voltage=[230.5, None])
    assert json_writer.write_rows(written) == [
        b'{"meter_number":"A","reading_time":"2024-01-01T00:00:00.000000Z","voltage":230.5}',
        b'{"meter_number":"B","reading_time":"2024-01-01T00:00:00.000001Z"}',
    ]


def test_no_rows_are_an_empty_array() -> None:
    assert json_writer.write_array(ReadingBatch.empty()) == b"[]"
    assert json_writer.write_rows(ReadingBatch.empty()) == []


@pytest.mark.parametrize(
    "value",
    [0.1, 1 / 3, 1e-9, 5e-324, 1.7976931348623157e308, 123456789.123456789, 2.0**53 + 2, -0.0, 1e16, 1e22, 1.0],
)
def test_every_digit_of_a_number_is_written(value: float) -> None:
    (text,) = json_writer.write_rows(batch("A", START_US, voltage=value))
    found = float(json.loads(text, parse_int=float)["voltage"])
    assert np.float64(found).tobytes() == np.float64(value).tobytes()


@pytest.mark.parametrize("text", ['"', "\\", '\\"', "a/b", "ü", "米", "𝕏", "{}", "]", "'"])  # noqa: RUF001 - letters of four bytes
def test_texts_are_escaped(text: str) -> None:
    (written,) = json_writer.write_rows(batch(text, START_US, phase=text))
    assert [json.loads(written)[name] for name in ("meter_number", "phase")] == [text, text]


def test_whole_numbers_stay_whole() -> None:
    (written,) = json_writer.write_rows(batch("A", START_US, sequence=[2**63 - 1]))
    assert json.loads(written)["sequence"] == 2**63 - 1


def test_ticks_are_written_too() -> None:
    tick = TickBatch.from_columns(market=["nem"], symbol=["NSW1"], tick_time=[START_US], price=[-1000.0])
    assert json.loads(json_writer.write_rows(tick)[0]) == {
        "market": "nem",
        "symbol": "NSW1",
        "tick_time": "2024-01-01T00:00:00.000000Z",
        "price": -1000.0,
    }
