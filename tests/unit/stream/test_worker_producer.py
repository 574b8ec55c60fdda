"""Records leave many at once, and a failure of one is a failure of all."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.errors import ServiceUnavailable
from schemas.topics import CONTENT_TYPE, JSON
from stream.worker.producer import BY_KEY, KafkaProducer, Outgoing, producer_settings


class Failure:
    def str(self) -> str:
        return "no leader"


class Client:
    """librdkafka's producer, with a buffer of two records, that fails what it is told to."""

    def __init__(self, fails: set[bytes], stuck: int = 0) -> None:
        self.fails = fails
        self.stuck = stuck
        self.sent: list[dict[str, Any]] = []
        self.buffered: list[tuple[bytes, Callable[[Any, Any], None]]] = []

    def produce(self, topic: str, **record: Any) -> None:
        if len(self.buffered) == 2:
            raise BufferError
        self.sent.append({"topic": topic, **record})
        self.buffered.append((record["value"], record["on_delivery"]))

    def poll(self, _: float) -> None:
        for value, report in self.buffered:
            if value in self.fails:
                report(Failure(), None)
        self.buffered.clear()

    def flush(self, _: float) -> int:
        self.poll(0)
        return self.stuck


def producer(client: Client) -> KafkaProducer:
    made: Any = client
    return KafkaProducer(producer_settings("kafka://localhost:9092"), lambda _: made)


async def test_everything_leaves_in_order_with_its_content_type() -> None:
    client = Client(set())
    await producer(client).send([Outgoing("alerts", f"T{n}", b"%d" % n) for n in range(5)])
    assert [item["value"] for item in client.sent] == [b"0", b"1", b"2", b"3", b"4"]
    assert client.sent[0]["headers"] == [(CONTENT_TYPE, JSON.encode())]
    assert client.sent[0]["partition"] == BY_KEY


async def test_one_that_kafka_did_not_take_fails_the_whole() -> None:
    with pytest.raises(ServiceUnavailable, match="no leader"):
        await producer(Client({b"1"})).send([Outgoing("alerts", None, b"%d" % n) for n in range(3)])


async def test_silence_is_a_failure_too() -> None:
    with pytest.raises(ServiceUnavailable, match="1 records without an answer"):
        await producer(Client(set(), stuck=1)).send([Outgoing("alerts", None, b"")])


async def test_nothing_is_sent_without_a_word() -> None:
    client = Client(set(), stuck=1)
    await producer(client).send([])
    assert client.sent == []
