"""What was taken from MQTT and is not yet in Kafka: bounded, and released in the order it came."""

import threading
from collections import deque
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Batch:
    """A run of messages that become Kafka records together.

    Attributes:
        generation: the connection that brought them; only it can acknowledge them.
        packet_ids: what to acknowledge, in the order received; messages without acknowledgement (QoS 0) are left out.
        messages: how many there were.
        size: their payload bytes.
        arrived_s: when the first of them arrived [s since 1970].
        outstanding: records that Kafka has not acknowledged.
    """

    generation: int
    packet_ids: list[int]
    messages: int
    size: int
    arrived_s: float
    outstanding: int = 0


class InFlight:
    """Counts what is held and releases whole batches, the oldest first; safe to use from several threads.

    MQTT 5.0 (4.6) wants PUBACKs in the order of their PUBLISHes, so a batch that Kafka has waits for those before it.

    Args:
        max_messages: hold no more than about this many messages.
        max_bytes: hold no more than about this many payload bytes.
    """

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._condition = threading.Condition()
        self._batches: deque[Batch] = deque()
        self.messages = 0
        self.size = 0

    @property
    def full(self) -> bool:
        """Return whether to stop reading from the broker."""
        return self.messages >= self._max_messages or self.size >= self._max_bytes

    def take(self, messages: int, size: int) -> None:
        """Count messages that were read."""
        with self._condition:
            self.messages += messages
            self.size += size

    def open(self, batch: Batch, records: int) -> list[Batch]:
        """Line a batch up before its records are produced; call it in the order the messages came.

        Returns: what is released at once, when it became no record at all.
        """
        with self._condition:
            batch.outstanding = records
            self._batches.append(batch)
            return self._release()

    def delivered(self, batch: Batch) -> list[Batch]:
        """Note that Kafka has one more record of a batch.

        Returns: the batches that may be acknowledged now, oldest first.
        """
        with self._condition:
            batch.outstanding -= 1
            return self._release() if not batch.outstanding else []

    def _release(self) -> list[Batch]:
        released = []
        while self._batches and not self._batches[0].outstanding:
            batch = self._batches.popleft()
            self.messages -= batch.messages
            self.size -= batch.size
            released.append(batch)
        if not self.messages:
            self._condition.notify_all()
        return released

    def waiting_since_s(self) -> float | None:
        """Return when the oldest unreleased batch arrived [s since 1970], None where there is none."""
        with self._condition:
            return self._batches[0].arrived_s if self._batches else None

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until nothing is held; tell whether that came true in time."""
        with self._condition:
            return self._condition.wait_for(lambda: not self.messages, timeout_s)
