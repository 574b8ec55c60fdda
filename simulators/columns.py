"""Columns of readings straight from numpy, without a Python object for any value."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.layout import Ints
from simulators.local_time import DAY_S, EPOCH_DAY


def fixed_text(values: npt.NDArray[np.bytes_]) -> pa.StringArray:
    """Return texts of one length as an Arrow column."""
    width = values.itemsize
    offsets = np.arange(0, (len(values) + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(offsets), pa.py_buffer(values))


def instants(seconds: Ints) -> npt.NDArray[np.datetime64]:
    """Return moments, given in seconds since the simulation's epoch, as datetime64[us]."""
    return ((seconds + EPOCH_DAY * DAY_S) * 1_000_000).view("datetime64[us]")
