"""Step 7: state goes to a Faust table a shard at a time, and Kafka's offset follows the oldest shard."""

import asyncio
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
from faust.types import TP

from processors import checkpoint
from processors.keyed_state import SHARD_ROWS, KeyedState
from schemas.errors import CheckpointError
from schemas.layout import Ints

#: Shards of one partition that are written at once; bounds the memory and the pause of a checkpoint.
_SHARDS_AT_ONCE = 16


S = TypeVar("S", bound=KeyedState)


class Checkpoints(Generic[S]):
    """Writes and reads the state of partitions, and commits offsets of records whose effect on state is safe.

    Args:
        app: the Faust application.
        topic: whose records are counted.
        table: key `partition/shard`, value one shard as bytes; its changelog is compacted.
        life: identity of this life of the topic whose offsets are saved.
        kind: what is kept of each partition.
    """

    def __init__(self, app: Any, topic: str, table: Any, life: str, kind: type[S]) -> None:
        self._app = app
        self._topic = topic
        self._life = life
        self._kind = kind
        self._table = table
        self._saved: dict[int, dict[int, int]] = {}

    def load(self, partition: int) -> tuple[S, Ints]:
        """Return a partition's state as last checkpointed, and the offset that each of its shards stands for.

        The table lets go of what was read: its copy would weigh half as much as the state again.

        Raises:
            CheckpointError: a checkpoint is damaged, of another version, or older than what this worker has saved.
        """
        shards = [checkpoint.read(value, self._kind) for value in self._taken(partition) if value]
        state, offsets = checkpoint.restore(shards, self._life, self._kind)
        reached = {shard.number: shard.offset for shard in shards}
        del shards
        # Arrow keeps the room that shards were read into: 150 bytes a meter that nobody needs again.
        pa.default_memory_pool().release_unused()
        # Faust reads a changelog again when a partition comes back, not when it never left: going on from what its
        # table held before would unlearn what lies between, without a word.
        if any(reached.get(number, -1) < offset for number, offset in self._saved.get(partition, {}).items()):
            raise CheckpointError(f"the table holds less of partition {partition} than was saved: begin anew")
        self._saved[partition] = reached
        return state, offsets

    def let_go(self, partition: int) -> None:
        """Let the table forget what Faust has read again of a partition whose state is here."""
        self._taken(partition)

    async def save(self, partition: int, state: KeyedState, touched: set[int], next_offset: int) -> None:
        """Save the shards that changed, then commit the offset that all of them have reached.

        Args:
            partition: Kafka partition.
            state: its state, at `next_offset`.
            touched: shards changed since their last checkpoint; emptied as they are saved.
            next_offset: first offset that is not in the state.
        """
        while touched:
            chosen = sorted(touched, key=lambda shard: self._age(partition, shard))[:_SHARDS_AT_ONCE]
            sent = [
                self._table.send_changelog(
                    partition, f"{partition}/{shard}".encode(), checkpoint.save(state, shard, self._life, next_offset)
                )
                for shard in chosen
            ]
            await asyncio.gather(*sent)
            self._saved.setdefault(partition, {}).update(dict.fromkeys(chosen, next_offset))
            touched.difference_update(chosen)
        await self._app.consumer.commit_up_to(TP(self._topic, partition), next_offset)

    def _taken(self, partition: int) -> list[bytes]:
        prefix = f"{partition}/".encode()
        # What is taken from below the table stays in its changelog.
        kept = self._table.data
        return [kept.pop(key) for key in list(kept) if key.startswith(prefix)]

    def _age(self, partition: int, shard: int) -> int:
        return self._saved.get(partition, {}).get(shard, -1)


def shards_of(rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> set[int]:
    """Return the shards that hold these state rows."""
    return set(np.unique(rows // SHARD_ROWS).tolist())
