"""Batches are released in the order their messages came, and what is held is counted."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from stream.bridge.inflight import Batch, InFlight


def batch(*packet_ids: int, size: int = 10) -> Batch:
    return Batch(1, list(packet_ids), len(packet_ids), size, arrived_s=100.0 + packet_ids[0])


def test_a_finished_batch_waits_for_those_before_it() -> None:
    held = InFlight(100, 1_000)
    first, second, third = batch(1), batch(2), batch(3)
    for one, records in ((first, 2), (second, 1), (third, 1)):
        assert held.open(one, records) == []

    assert held.delivered(second) == []
    assert held.delivered(first) == []
    assert held.delivered(first) == [first, second]
    assert held.delivered(third) == [third]


def test_a_batch_without_records_is_released_in_its_turn() -> None:
    held = InFlight(100, 1_000)
    first, empty = batch(1), batch(2)
    held.open(first, 1)
    assert held.open(empty, 0) == []
    assert held.delivered(first) == [first, empty]
    assert held.open(batch(3), 0) != []


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_whatever_order_kafka_answers_in_the_release_is_in_order_and_complete(
    records: list[int], chance: object
) -> None:
    held = InFlight(10_000, 10_000)
    batches = [batch(number + 1) for number in range(len(records))]
    released: list[Batch] = []
    for one, count in zip(batches, records, strict=True):
        held.take(one.messages, one.size)
        released += held.open(one, count)
    answers = [one for one, count in zip(batches, records, strict=True) for _ in range(count)]
    chance.shuffle(answers)  # type: ignore[attr-defined]
    for one in answers:
        released += held.delivered(one)

    assert released == batches
    assert (held.messages, held.size) == (0, 0)


def test_it_is_full_by_messages_or_by_bytes_until_the_release() -> None:
    held = InFlight(max_messages=3, max_bytes=100)
    large = batch(1, size=100)
    held.take(1, 100)
    assert held.full
    held.open(large, 1)
    held.delivered(large)
    assert not held.full
    held.take(3, 1)
    assert held.full


def test_the_age_of_the_oldest_batch_is_known() -> None:
    held = InFlight(10, 10)
    assert held.waiting_since_s() is None
    held.open(batch(5), 1)
    held.open(batch(6), 1)
    assert held.waiting_since_s() == 105.0


def test_waiting_for_the_end_wakes_up_at_the_last_release() -> None:
    held = InFlight(10, 100)
    last = batch(1)
    held.take(1, 10)
    held.open(last, 1)
    assert not held.wait_empty(0.01)
    threading.Timer(0.05, held.delivered, [last]).start()
    assert held.wait_empty(5)
