"""State to bytes and back, a shard of rows at a time, each with the Kafka offset that it stands for."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa

from processors.keyed_state import SHARD_ROWS, Columns, KeyedState
from schemas.errors import CheckpointError
from schemas.layout import Ints

S = TypeVar("S", bound=KeyedState)


def _kind(numpy_kind: str, width: int) -> pa.DataType:
    kind = pa.from_numpy_dtype(np.dtype(numpy_kind))
    return kind if width == 1 else pa.list_(kind, width)


def _schema(columns: Columns) -> pa.Schema:
    kinds = ((name, _kind(kind, width)) for name, (kind, width, _) in columns.items())
    return pa.schema([("key", pa.string()), *kinds])


@dataclass(frozen=True)
class Shard:
    """Rows [number * SHARD_ROWS, (number + 1) * SHARD_ROWS) of a partition's state, as checkpointed.

    Attributes:
        number: which run of rows.
        life: identity of the topic that the offset belongs to.
        offset: first Kafka offset that is not in it.
        records: keys (null for a hole) and state columns.
    """

    number: int
    life: str
    offset: int
    records: pa.RecordBatch


def save(state: KeyedState, number: int, life: str, offset: int) -> bytes:
    """Return one shard as bytes, standing for everything below an offset of one life of a topic."""
    first = number * SHARD_ROWS
    count = min(SHARD_ROWS, state.extent - first)
    columns: dict[str, pa.Array] = {"key": pa.array(state.names(first, count), pa.string())}
    for name, (_, width, _) in state.columns.items():
        values = getattr(state, name)[first : first + count]
        flat = pa.array(values.reshape(-1))
        columns[name] = flat if width == 1 else pa.FixedSizeListArray.from_arrays(flat, width)
    facts = {"version": str(state.version), "shard": str(number), "life": life, "offset": str(offset)}
    records = pa.RecordBatch.from_pydict(columns).replace_schema_metadata(facts)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, records.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as stream:
        stream.write_batch(records)
    return bytes(sink.getvalue())


def read(data: bytes, into: type[KeyedState]) -> Shard:
    """Read one shard of a kind of state.

    Raises:
        CheckpointError: the bytes are damaged or of another version.
    """
    try:
        with pa.ipc.open_stream(data) as stream:
            records = stream.read_next_batch()
        records.validate(full=True)
        facts = {key.decode(): value.decode() for key, value in (records.schema.metadata or {}).items()}
        version, number, offset = int(facts["version"]), int(facts["shard"]), int(facts["offset"])
        life = facts["life"]
    except (pa.ArrowException, OSError, KeyError, ValueError, StopIteration) as error:
        raise CheckpointError(f"a state checkpoint is damaged: {error}") from error
    if version != into.version:
        raise CheckpointError(f"a state checkpoint has version {version}; this engine knows {into.version}")
    needed = _schema(into.columns)
    if not records.schema.equals(needed):
        raise CheckpointError(f"a state checkpoint has columns {records.schema.names}; {needed.names} are needed")
    return Shard(number, life, offset, records)


def restore(shards: Iterable[Shard], life: str, into: type[S]) -> tuple[S, Ints]:
    """Build a partition's state from its shards.

    Args:
        shards: as saved.
        life: identity of the topic as it is now; what an earlier life taught is kept, but its offsets mean nothing.
        into: the kind of state.

    Returns: the state, and int64[k] with the offset that each shard stands for (0 for a shard never saved).
    """
    state, offsets = into(), dict[int, int]()
    for shard in shards:
        first = shard.number * SHARD_ROWS
        state.place(shard.records.column("key").to_pylist(), first)
        for name, (_, width, _) in into.columns.items():
            column = shard.records.column(name)
            values = (column if width == 1 else column.flatten()).to_numpy(zero_copy_only=False)
            target = getattr(state, name)[first : first + len(column)]
            target[...] = values.reshape(target.shape)
        offsets[shard.number] = shard.offset if shard.life == life else 0
    state.settle()
    known = np.zeros(max(offsets, default=-1) + 1, dtype=np.int64)
    for number, offset in offsets.items():
        known[number] = offset
    return state, known
