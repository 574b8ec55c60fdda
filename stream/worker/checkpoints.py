"""Step 7: state goes to a Faust table a shard at a time, and Kafka offsets follow the oldest shard."""

import asyncio
from collections import deque
from typing import Any, Generic, TypeVar

import numpy as np

from processors import checkpoint
from processors.keyed_state import SHARD_ROWS, KeyedState
from schemas.layout import Ints

#: Shards of one partition that are written at once; bounds the memory and the pause of a checkpoint.
_SHARDS_AT_ONCE = 16


S = TypeVar("S", bound=KeyedState)


class Checkpoints(Generic[S]):
    """Writes and reads the state of partitions, and acknowledges records whose effect on state is safe.

    Args:
        app: the Faust application.
        table: key `partition/shard`, value one shard as bytes; its changelog is compacted.
        life: identity of this life of the topic whose offsets are saved.
        kind: what is kept of each partition.
    """

    def __init__(self, app: Any, table: Any, life: str, kind: type[S]) -> None:
        self._app = app
        self._life = life
        self._kind = kind
        self._table = table
        self._saved: dict[int, dict[int, int]] = {}
        self._waiting: dict[int, deque[Any]] = {}

    def load(self, partition: int) -> tuple[S, Ints]:
        """Return a partition's state as last checkpointed, and the offset that each of its shards stands for.

        Raises:
            CheckpointError: a checkpoint is damaged or of another version.
        """
        prefix = f"{partition}/".encode()
        found = [value for key, value in self._table.items() if key.startswith(prefix) and value]
        shards = [checkpoint.read(value, self._kind) for value in found]
        state, offsets = checkpoint.restore(shards, self._life, self._kind)
        self._saved[partition] = {shard.number: shard.offset for shard in shards}
        return state, offsets

    def hold(self, partition: int, messages: list[Any]) -> None:
        """Remember taken messages until the state that they changed has been saved; their values are let go."""
        waiting = self._waiting.setdefault(partition, deque())
        for message in messages:
            message.value = None
            waiting.append(message)

    def forget(self, partition: int) -> None:
        """Drop what is known of a partition that has moved to another worker."""
        self._saved.pop(partition, None)
        self._waiting.pop(partition, None)

    async def save(self, partition: int, state: KeyedState, touched: set[int], next_offset: int) -> None:
        """Save the shards that changed, then acknowledge every record below the oldest of them.

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
        waiting = self._waiting.get(partition, deque())
        while waiting and waiting[0].offset < next_offset:
            self._app.consumer.ack(waiting.popleft())

    def _age(self, partition: int, shard: int) -> int:
        return self._saved.get(partition, {}).get(shard, -1)


def shards_of(rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> set[int]:
    """Return the shards that hold these state rows."""
    return set(np.unique(rows // SHARD_ROWS).tolist())
