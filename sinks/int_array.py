"""Whole numbers of numpy as one PostgreSQL array, without a Python step per number.

Source of the layout: PostgreSQL, `array_recv`: number of dimensions, whether there are nulls, type of the elements,
length and first index of each dimension; then each element with its length in bytes before it.
"""

import numpy as np
import psycopg
from psycopg import postgres, pq
from psycopg.adapt import Dumper

from schemas.layout import Ints

_INT8 = postgres.types["int8"]
_ELEMENT = np.dtype([("bytes", ">i4"), ("value", ">i8")])


class IntArrayDumper(Dumper):
    """Sends whole numbers of up to 64 bits, one dimension, as `bigint[]`."""

    oid = _INT8.array_oid
    format = pq.Format.BINARY

    def dump(self, obj: Ints) -> bytes:
        """Return the array in PostgreSQL's binary form."""
        if obj.dtype.kind != "i" or obj.ndim != 1:
            raise psycopg.DataError(f"a column of whole numbers is needed, this is {obj.dtype}{list(obj.shape)}")
        head = [1, 0, _INT8.oid, len(obj), 1] if len(obj) else [0, 0, _INT8.oid]
        elements = np.empty(len(obj), dtype=_ELEMENT)
        elements["bytes"], elements["value"] = 8, obj
        return np.array(head, dtype=">i4").tobytes() + elements.tobytes()


def take_int_arrays(connection: psycopg.AsyncConnection) -> None:
    """Let statements of a connection have numpy columns of whole numbers as parameters."""
    connection.adapters.register_dumper(np.ndarray, IntArrayDumper)
