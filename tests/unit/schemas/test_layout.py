"""Batches of columns."""

import numpy as np
import pyarrow as pa
import pytest

from schemas.readings import Reading, ReadingBatch
from schemas.ticks import Tick, TickBatch
from tests.builders import START_US, batch


def test_nan_in_a_measured_column_is_null_and_null_is_nan_in_arithmetic() -> None:
    found = batch(["A", "B"], START_US, voltage=np.array([230.0, np.nan]))
    assert found.column("voltage").to_pylist() == [230.0, None]
    assert np.isnan(found.floats("voltage")[1])


def test_unknown_columns_are_a_mistake() -> None:
    with pytest.raises(KeyError, match="colour"):
        batch("A", START_US, colour=["red"])


def test_rows_can_be_cut_chosen_and_joined() -> None:
    found = batch(["A", "B", "C"], [START_US, START_US + 1, START_US + 2])
    assert found.take(np.array([2, 0])).meter_number.to_pylist() == ["C", "A"]
    assert found.where(np.array([False, True, False])).time_us.tolist() == [START_US + 1]
    joined = ReadingBatch.concat([found.slice(0, 1), ReadingBatch.empty(), found.slice(1, 2)])
    assert joined.records.equals(found.records)
    assert len(ReadingBatch.concat([])) == 0


@pytest.mark.parametrize(("columns", "message"), [(ReadingBatch, Reading), (TickBatch, Tick)])
def test_the_columns_are_the_fields_of_the_message(columns: type, message: type) -> None:
    kinds = {"double": "float", "int64": "int", "string": "str"}
    assert columns.layout.schema.names == list(message.model_fields)
    for field in columns.layout.schema:
        annotation = str(message.model_fields[field.name].annotation)
        expected = "datetime" if pa.types.is_timestamp(field.type) else kinds[str(field.type)]
        assert expected in annotation.lower() or "literal" in annotation.lower()
