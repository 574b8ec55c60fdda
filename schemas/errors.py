"""The error tree: each class says whether trying again can help, and carries the facts of the failure."""

from collections.abc import Sequence
from typing import ClassVar


class MeterstreamError(Exception):
    """Root of every error that meterstream raises on purpose.

    Attributes:
        retriable: True where the same call may succeed later with nothing changed by a person.
    """

    retriable: ClassVar[bool] = False


class ServiceUnavailable(MeterstreamError):
    """An external service did not answer or refused for now; waiting and trying again is right.

    Args:
        service: which one (`database`, `redis`, `kafka`, `mqtt`).
        cause: what it said.
    """

    retriable = True

    def __init__(self, service: str, cause: object) -> None:
        super().__init__(f"{service} is not available: {cause}")
        self.service = service
        self.cause = cause


class OffsetConflict(MeterstreamError):
    """Another worker has moved a partition's offset in the database since this one read it.

    Args:
        topic: Kafka topic.
        partition: Kafka partition.
        expected: next offset that this worker believed to be stored.
        stored: next offset found in the database.
    """

    def __init__(self, topic: str, partition: int, expected: int, stored: int) -> None:
        super().__init__(f"{topic}[{partition}]: expected next offset {expected}, the database holds {stored}")
        self.topic = topic
        self.partition = partition
        self.expected = expected
        self.stored = stored


class RowsRefused(MeterstreamError):
    """The database will never take some rows, whatever is tried.

    Args:
        positions: which rows of the delivery.
        cause: what the database said.
    """

    def __init__(self, positions: Sequence[int], cause: object) -> None:
        super().__init__(f"the database refuses {len(positions)} rows: {cause}")
        self.positions = positions
        self.cause = cause


class DatabaseBehind(MeterstreamError):
    """The database has forgotten what it had stored (restored from a backup?), so records must be read again.

    Args:
        topic: Kafka topic.
        partition: Kafka partition.
        expected: next offset that it held, or that the consumer group has committed.
        stored: next offset that it holds now.
    """

    def __init__(self, topic: str, partition: int, expected: int, stored: int) -> None:
        super().__init__(
            f"{topic}[{partition}]: the database stands at offset {stored}, behind {expected}; stop all workers and "
            "start one again: it sets the consumer group back to where the database stands"
        )
        self.topic = topic
        self.partition = partition
        self.expected = expected
        self.stored = stored


class StepMissing(MeterstreamError):
    """Records were processed whose predecessors never took effect; only a fresh start can put that right.

    Args:
        partition: Kafka partition.
        stored: next offset that the database holds.
        first: first offset that is to take effect.
    """

    def __init__(self, partition: int, stored: int, first: int) -> None:
        super().__init__(f"partition {partition}: offsets {stored} to {first - 1} were processed but never stored")
        self.partition = partition
        self.stored = stored
        self.first = first


class GapTooLarge(MeterstreamError):
    """So many records were passed over that a fresh start, which reads them again, is the better way.

    Args:
        topic: Kafka topic.
        partition: Kafka partition.
        first: first offset that was passed over.
        end: first offset that was not.
    """

    def __init__(self, topic: str, partition: int, first: int, end: int) -> None:
        super().__init__(f"{topic}[{partition}]: offsets {first} to {end - 1} were passed over")
        self.topic = topic
        self.partition = partition
        self.first = first
        self.end = end


class ConfigurationError(MeterstreamError):
    """A setting is unknown, missing or contradicts another; the message names it and says what to do."""


class CheckpointError(MeterstreamError):
    """A state checkpoint cannot be used: damaged, of a version that this engine does not know, or out of date."""


class MissingColumns(MeterstreamError):
    """A table lacks columns that its reader needs.

    Args:
        missing: columns that were needed and are absent.
        available: columns that were there.
    """

    def __init__(self, missing: list[str], available: list[str]) -> None:
        super().__init__(f"missing columns {missing}; there are {available}")
        self.missing = missing
        self.available = available
