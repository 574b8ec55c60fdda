"""Checkpoints: what is read is what was saved, and what cannot be read says so."""

import numpy as np
import pyarrow as pa
import pytest

from processors import checkpoint
from processors.keyed_state import SHARD_ROWS
from processors.state import COLUMNS, MeterState
from schemas.errors import CheckpointError
from tests.judging import judged


def same(one: MeterState, other: MeterState) -> bool:
    """Byte for byte, meter by meter; where a meter stands does not matter."""
    names = [name for name in one.names(0, one.extent) if name is not None]
    if sorted(names) != sorted(name for name in other.names(0, other.extent) if name is not None):
        return False
    pairs = [(one.row(name), other.row(name)) for name in names]
    return all(getattr(one, c)[a].tobytes() == getattr(other, c)[b].tobytes() for c in COLUMNS for a, b in pairs)


def lived(meters: int = 3) -> MeterState:
    state = MeterState()
    judged([1.0, 2.0, 0.5] * 40, state=state)
    state.rows(pa.array([f"X{k}" for k in range(meters)]))
    return state


def test_what_is_restored_is_what_was_saved() -> None:
    state = lived(3 * SHARD_ROWS)
    shards = [checkpoint.read(checkpoint.save(state, number, "life", 100 + number), MeterState) for number in range(4)]
    found, offsets = checkpoint.restore(reversed(shards), "life", MeterState)
    assert same(found, state)
    assert found.names(0, found.extent) == state.names(0, state.extent)
    assert offsets.tolist() == [100, 101, 102, 103]


def test_a_shard_that_was_never_saved_stands_for_nothing() -> None:
    state = lived(2 * SHARD_ROWS)
    found, offsets = checkpoint.restore(
        [checkpoint.read(checkpoint.save(state, 2, "life", 7), MeterState)], "life", MeterState
    )
    assert offsets.tolist() == [0, 0, 7]
    assert found.row("M1") is None
    assert found.rows(pa.array(["new"])).tolist() == [0]


def test_offsets_of_an_earlier_life_of_the_topic_mean_nothing_but_what_it_taught_is_kept() -> None:
    state = lived()
    found, offsets = checkpoint.restore(
        [checkpoint.read(checkpoint.save(state, 0, "before", 900), MeterState)], "now", MeterState
    )
    assert offsets.tolist() == [0]
    assert same(found, state)


def test_no_shards_are_an_empty_state() -> None:
    state, offsets = checkpoint.restore([], "life", MeterState)
    assert (len(state), offsets.tolist()) == (0, [])


def test_a_checkpoint_cut_at_any_byte_says_that_it_is_damaged() -> None:
    data = checkpoint.save(lived(), 0, "life", 7)
    whole = checkpoint.read(data, MeterState).records
    for end in [*range(0, 2_000, 7), *range(2_000, len(data), 97), len(data) - 9]:
        try:
            assert checkpoint.read(data[:end], MeterState).records.equals(whole)
        except CheckpointError as error:
            assert "damaged" in str(error)  # noqa: PT017 - both outcomes are right, a third is not


def rewritten(change: dict[str, str] | None = None, drop: str | None = None) -> bytes:
    records = checkpoint.read(checkpoint.save(lived(), 0, "life", 7), MeterState).records
    facts = {key.decode(): value.decode() for key, value in records.schema.metadata.items()} | (change or {})
    table = pa.Table.from_batches([records]).replace_schema_metadata(facts)
    table = table.drop_columns([drop]) if drop else table
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (rewritten({"version": "99"}), "version 99; this engine knows"),
        (rewritten({"offset": "x"}), "damaged"),
        (rewritten(drop="spread_kw"), "spread_kw"),
        (rewritten(drop="last_time_us"), "last_time_us"),
        (b"", "damaged"),
        (b"\0" * 100, "damaged"),
    ],
    ids=["another version", "no offset", "a column less", "no meters", "nothing", "zeros"],
)
def test_what_cannot_be_a_checkpoint_is_refused_with_a_reason(data: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        checkpoint.read(data, MeterState)


def test_a_full_shard_fits_into_one_record_of_kafka() -> None:
    state = MeterState()
    rows = state.rows(pa.array([f"{k:050d}" for k in range(SHARD_ROWS)]))
    noise = np.random.default_rng(1)
    for name, (_, width, _) in COLUMNS.items():
        column = getattr(state, name)
        shape = (len(rows), width) if width > 1 else len(rows)
        column[rows] = noise.integers(0, 255, shape) if column.dtype.kind == "u" else noise.random(shape) * 6e4
    assert len(checkpoint.save(state, 0, "life", 7)) < 900_000
