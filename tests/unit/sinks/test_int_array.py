"""Columns as parameters: what PostgreSQL is told of them."""

import numpy as np
import psycopg
import pytest

from sinks.int_array import IntArrayDumper


def dumped(values: np.ndarray) -> bytes:
    return bytes(IntArrayDumper(np.ndarray).dump(values))


def test_each_number_has_its_length_before_it() -> None:
    head = np.array([1, 0, 20, 2, 1], dtype=">i4").tobytes()
    numbers = b"".join(np.array([8], dtype=">i4").tobytes() + np.array([k], dtype=">i8").tobytes() for k in (5, -1))
    assert dumped(np.array([5, -1])) == head + numbers


def test_an_empty_array_has_no_dimension() -> None:
    assert dumped(np.empty(0, dtype=np.int64)) == np.array([0, 0, 20], dtype=">i4").tobytes()


@pytest.mark.parametrize("values", [np.array([1.5]), np.array([[1, 2]]), np.array(["a"])], ids=["float", "2d", "text"])
def test_what_is_no_column_of_whole_numbers_is_refused(values: np.ndarray) -> None:
    with pytest.raises(psycopg.DataError, match="whole numbers"):
        dumped(values)
