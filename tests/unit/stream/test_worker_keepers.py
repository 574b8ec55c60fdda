"""Records of topics that are kept as they are: read, passed over, or, of the registry, a meter that is gone."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP
from pydantic import ValidationError

from schemas.errors import ServiceUnavailable
from schemas.layout import instant_of
from schemas.registry import RegistryEntry
from schemas.rejected import Rejected
from stream.worker.gaps import GapReader
from stream.worker.intake import Record
from stream.worker.keepers import Keeper, json_of, registry_entry

CAME_US = 1_780_000_000_000_000


def test_an_entry_comes_with_the_time_of_its_coming() -> None:
    found = registry_entry(Record(0, b'{"meter_number":"M1","transformer":"T1"}', None, CAME_US))
    assert found == (RegistryEntry(meter_number="M1", transformer="T1"), instant_of(CAME_US))


def test_a_record_without_a_value_says_that_the_meter_of_its_key_is_gone() -> None:
    found = registry_entry(Record(0, b"", None, CAME_US, key=b"M1"))
    assert found == (RegistryEntry(meter_number="M1", status="unregistered"), instant_of(CAME_US))
    assert registry_entry(Record(0, b"", None, CAME_US)) is None


def test_what_cannot_be_an_entry_is_invalid() -> None:
    for record in (Record(0, b"{}", None, CAME_US), Record(0, b"", None, CAME_US, key=b"M" * 51)):
        with pytest.raises(ValidationError):
            registry_entry(record)


def test_a_record_of_another_topic_without_a_value_says_nothing() -> None:
    assert json_of(Rejected)(Record(0, b"", None, CAME_US)) is None


class Kafka:
    """The topic beside the consumer, and the offsets that are committed; the first question finds it away."""

    def __init__(self, committed: int = 0) -> None:
        self.committed, self.asked = committed, list[tuple[int, int]]()
        self.consumer = self
        self.away = True

    async def start(self, _partition: int) -> int:
        away, self.away = self.away, False
        if away:
            raise ServiceUnavailable("kafka", "scripted")
        return self.committed

    async def earliest(self, _partition: int) -> int:
        return 3

    async def read(self, _partition: int, first: int, end: int) -> list[Record]:
        self.asked.append((first, end))
        return [line(offset) for offset in range(first, end)]

    async def commit_up_to(self, _tp: TP, next_offset: int) -> None:
        self.committed = next_offset


def line(offset: int) -> Record:
    return Record(offset, str(offset).encode(), None, CAME_US)


def fetch(first: int, end: int) -> Any:
    """What Faust gives of one fetch of offsets [first, end)."""
    records = [line(offset) for offset in range(first, end)]
    return SimpleNamespace(message=SimpleNamespace(tp=TP("t", 0), value=records, offset=end - 1))


async def test_fetches_that_faust_drops_when_partitions_move_are_kept_all_the_same() -> None:
    """Two rejects were in Kafka and never in the database: a fetch was dropped, and what came behind was committed."""
    kafka, kept = Kafka(committed=2), list[int]()

    async def keep(items: Sequence[int]) -> None:
        kept.extend(items)

    keeper = Keeper[int](kafka, lambda record: int(record.payload), keep, cast("GapReader", kafka))
    await keeper.take([fetch(4, 6), fetch(6, 8)])  # the first fetch after a start: 2 and 3 were dropped
    await keeper.take([fetch(8, 9), fetch(12, 13)])
    assert kept == list(range(3, 13))  # 2 is too old for Kafka
    assert kafka.asked == [(3, 4), (9, 12)]
    assert kafka.committed == 13
    kafka.committed = 20  # by another worker, which had the partition meanwhile
    await keeper.take([fetch(20, 21)])
    assert kept[-1] == 20
    assert len(kafka.asked) == 2
    await keeper.take([fetch(18, 22)])  # a repeat
    assert kept[-4:] == [18, 19, 20, 21]
