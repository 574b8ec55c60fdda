"""A batch of columns and the layout that says which columns, types, units and bounds it has."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: Positions of rows in a batch or in the state.
Positions = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

#: A whole number in a message; its column is int64.
Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Event times are instants in UTC, in microseconds: what PostgreSQL stores.
INSTANT = pa.timestamp("us", tz="UTC")


def instant_of(time_us: int) -> datetime:
    """Return microseconds since 1970-01-01 UTC as a datetime."""
    return _EPOCH + timedelta(microseconds=time_us)


@dataclass(frozen=True)
class Layout:
    """Which columns a batch has and what each may hold.

    Attributes:
        schema: Arrow schema, in wire order.
        identity: text columns that name what a row belongs to; never null, never empty.
        time: the column with the event time; never null.
        text_limit: longest text [characters] that a text column may hold.
    """

    schema: pa.Schema
    identity: tuple[str, ...]
    time: str
    text_limit: Mapping[str, int]

    @cached_property
    def floats(self) -> tuple[str, ...]:
        """Names of the measured columns (float64)."""
        return tuple(field.name for field in self.schema if pa.types.is_floating(field.type))

    @cached_property
    def integers(self) -> tuple[str, ...]:
        """Names of the whole-number columns (int64)."""
        return tuple(field.name for field in self.schema if pa.types.is_integer(field.type))

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Names of the text columns."""
        return tuple(field.name for field in self.schema if pa.types.is_string(field.type))


class ColumnBatch:
    """Rows of one layout as Arrow columns, with numpy views for arithmetic; never changed once made.

    Args:
        records: columns in the layout's order and types.
    """

    layout: ClassVar[Layout]

    def __init__(self, records: pa.RecordBatch) -> None:
        self.records = records
        self._floats: dict[str, Floats] = {}

    def __len__(self) -> int:
        return int(self.records.num_rows)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} rows)"

    @classmethod
    def from_columns(cls, **columns: Any) -> Self:
        """Build a batch from named columns; absent ones are null.

        Args:
            columns: arrays or sequences by name; NaN in a float column is null; times as datetime64 or int [us].

        Raises:
            KeyError: a name that the layout does not have.
        """
        unknown = set(columns) - set(cls.layout.schema.names)
        if unknown:
            raise KeyError(f"unknown columns {sorted(unknown)}; there are {cls.layout.schema.names}")
        rows = len(next(iter(columns.values())))
        arrays = [_to_arrow(columns.get(field.name), field.type, rows) for field in cls.layout.schema]
        return cls(pa.RecordBatch.from_arrays(arrays, schema=cls.layout.schema))

    @classmethod
    def empty(cls) -> Self:
        """Return a batch without rows."""
        arrays = [pa.array([], field.type) for field in cls.layout.schema]
        return cls(pa.RecordBatch.from_arrays(arrays, schema=cls.layout.schema))

    @classmethod
    def concat(cls, batches: list[Self]) -> Self:
        """Put batches one behind the other, in order."""
        batches = [batch for batch in batches if len(batch)]
        if len(batches) <= 1:
            return batches[0] if batches else cls.empty()
        return cls(pa.concat_batches([batch.records for batch in batches]))

    def column(self, name: str) -> pa.Array:
        """Return one Arrow column."""
        return self._columns[name]

    @cached_property
    def _columns(self) -> dict[str, pa.Array]:
        return dict(zip(self.layout.schema.names, self.records.columns, strict=True))

    def floats(self, name: str) -> Floats:
        """Return a measured column as float64[n], null as NaN; made once, read-only."""
        values = self._floats.get(name)
        if values is None:
            values = self._floats[name] = self.column(name).to_numpy(zero_copy_only=False)
            values.flags.writeable = False
        return values

    @cached_property
    def time_us(self) -> Ints:
        """Event time as int64[n] [microseconds since 1970-01-01 UTC]."""
        values: Ints = self.column(self.layout.time).cast(pa.int64()).to_numpy(zero_copy_only=False)
        return values

    def meter_numbers(self) -> list[str | None]:
        """Return whose each row is, None where it is no meter's."""
        return [None] * len(self)

    def take(self, rows: npt.NDArray[Any]) -> Self:
        """Return the rows at these positions, in this order."""
        return type(self)(self.records.take(pa.array(rows)))

    def where(self, mask: Mask) -> Self:
        """Return the rows where the mask is true."""
        return self if mask.all() else type(self)(self.records.filter(pa.array(mask)))

    def slice(self, start: int, length: int) -> Self:
        """Return a run of rows without copying."""
        return type(self)(self.records.slice(start, length))


def _to_arrow(values: Any, kind: pa.DataType, rows: int) -> pa.Array:
    if values is None:
        return pa.nulls(rows, kind)
    if isinstance(values, pa.Array):
        return values.cast(kind)
    if pa.types.is_timestamp(kind):
        return pa.array(np.asarray(values).astype("datetime64[us]"), pa.timestamp("us")).cast(kind)
    return pa.array(values, kind, from_pandas=pa.types.is_floating(kind))
