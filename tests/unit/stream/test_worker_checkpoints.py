"""State goes out a shard at a time, offsets follow, and an old table is not taken for a new one."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from faust.types import TP

from processors.keyed_state import SHARD_ROWS
from processors.state import MeterState
from schemas.errors import CheckpointError
from schemas.topics import METERS_RAW
from stream.worker.checkpoints import Checkpoints

LIFE = "life"


class Table:
    """What Faust's table does: what it sends goes to the changelog, not into the table."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}
        self.changelog: dict[bytes, bytes] = {}

    async def send_changelog(self, partition: int, key: bytes, value: bytes) -> None:
        assert key.startswith(f"{partition}/".encode())
        self.changelog[key] = value


class Consumer:
    def __init__(self) -> None:
        self.committed: dict[TP, int] = {}

    async def commit_up_to(self, tp: TP, next_offset: int) -> None:
        self.committed[tp] = next_offset


class App:
    def __init__(self) -> None:
        self.consumer = Consumer()


def state_of(meters: int) -> MeterState:
    state = MeterState()
    state.rows(pa.array([f"M{number}" for number in range(meters)]))
    return state


def checkpoints(table: Table) -> tuple[Checkpoints[MeterState], App]:
    app: Any = App()
    return Checkpoints(app, METERS_RAW.name, table, LIFE, MeterState), app


async def test_offsets_are_committed_once_every_changed_shard_is_saved() -> None:
    table = Table()
    saving, app = checkpoints(table)
    touched = {0, 1}
    await saving.save(3, state_of(SHARD_ROWS + 1), touched, 70)
    assert set(table.changelog) == {b"3/0", b"3/1"}
    assert touched == set()
    assert app.consumer.committed == {TP(METERS_RAW.name, 3): 70}


async def test_what_a_changelog_gave_back_is_taken() -> None:
    table = Table()
    saving, _ = checkpoints(table)
    await saving.save(3, state_of(5), {0}, 70)
    table.data.update(table.changelog)
    state, offsets = saving.load(3)
    assert len(state) == 5
    assert np.array_equal(offsets, [70])


async def test_a_table_older_than_what_was_saved_is_refused() -> None:
    table = Table()
    saving, _ = checkpoints(table)
    await saving.save(3, state_of(5), {0}, 70)
    with pytest.raises(CheckpointError, match="partition 3"):
        saving.load(3)
    state, _ = saving.load(4)
    assert len(state) == 0


async def test_the_table_lets_go_of_what_was_read_and_the_changelog_keeps_it() -> None:
    table = Table()
    saving, _ = checkpoints(table)
    await saving.save(3, state_of(5), {0}, 70)
    await saving.save(30, state_of(5), {0}, 70)
    table.data.update(table.changelog)
    saving.load(3)
    assert set(table.data) == {b"30/0"}
    table.data.update(table.changelog)  # Faust reads it again when partitions come back
    saving.let_go(30)
    assert set(table.data) == {b"3/0"}
    assert set(table.changelog) == {b"3/0", b"30/0"}
