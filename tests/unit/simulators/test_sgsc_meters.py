from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from schemas.errors import ConfigurationError
from schemas.readings import ReadingBatch
from simulators.replay.recording import Findings, Options
from simulators.replay.sgsc_meters import read


def test_every_row_of_ten_meters_is_read(shared_data: Path) -> None:
    findings = Findings()
    batch = ReadingBatch.concat(list(read(shared_data / "sgsc_meters" / "smart_meter10.csv.gz", Options(), findings)))
    assert (len(batch), findings.count) == (293_874, 0)
    assert len(batch.meter_number.unique()) == 10
    assert pc.sum(pc.equal(batch.column("consumption_kwh"), 0.0)).as_py() == 15_630
    times = batch.time_us.astype("datetime64[us]")
    assert (times.min(), times.max()) == (np.datetime64("2012-02-09T22:00"), np.datetime64("2014-03-03T02:00"))


def test_customer_numbers_stay_text_and_na_is_null(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("customer_id,reading_datetime,general_supply_kwh\n007,2012-02-10 08:00:00,NA\n")
    (batch,) = read(path, Options(), Findings())
    assert batch.meter_number.to_pylist() == ["007"]
    assert batch.column("consumption_kwh").to_pylist() == [None]


def test_broken_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("customer_id,reading_datetime,general_supply_kwh\n,2012-02-10 08:00:00,1\n7,2012-02-10,1\n7,x,\n")
    findings = Findings()
    assert [len(batch) for batch in read(path, Options(), findings)] == [0]
    assert [problem.line for problem in findings.problems] == [2, 3, 4]


def test_a_meter_number_beside_those_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="leave the meter number out"):
        next(read(tmp_path / "f", Options(meter="M"), Findings()))
