"""Partitions are those that every Kafka client chooses by default."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.partition import murmur2, partition_of

MASK = 0xFFFFFFFF
M = 0x5BD1E995


def reference(key: bytes) -> int:
    """Murmur2 straight from the description, one byte string at a time."""
    h = (0x9747B28C ^ len(key)) & MASK
    whole = len(key) // 4
    for i in range(whole):
        k = int.from_bytes(key[4 * i : 4 * i + 4], "little") * M & MASK
        k = (k ^ k >> 24) * M & MASK
        h = (h * M & MASK) ^ k
    rest = key[4 * whole :]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * M & MASK
    h = (h ^ h >> 13) * M & MASK
    return h ^ h >> 15


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        # Apache Kafka, clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_hashes_are_those_of_the_java_client(key: str, signed: int) -> None:
    assert murmur2(pa.array([key])).astype(np.int32).tolist() == [signed]
    assert reference(key.encode()) == signed % 2**32


@given(st.lists(st.text(max_size=60), max_size=40), st.integers(1, 300))
def test_a_column_hashes_like_its_keys_one_by_one(keys: list[str], partitions: int) -> None:
    found = partition_of(pa.array(keys, pa.string()), partitions)
    assert found.dtype == np.int32
    assert found.tolist() == [(reference(key.encode()) & 0x7FFFFFFF) % partitions for key in keys]


@given(st.lists(st.text(max_size=9), min_size=3, max_size=30), st.data())
def test_a_slice_hashes_like_the_whole(keys: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(keys)))
    whole = partition_of(pa.array(keys, pa.string()), 8)
    assert partition_of(pa.array(keys, pa.string()).slice(start), 8).tolist() == whole[start:].tolist()


def test_null_counts_as_empty() -> None:
    assert murmur2(pa.array(["x", None, ""], pa.string())).tolist() == [reference(b"x"), *[reference(b"")] * 2]


def test_every_length_up_to_sixty_bytes() -> None:
    keys = ["é" * (n // 2) + "x" * (n % 2) for n in range(61)]
    assert murmur2(pa.array(keys)).tolist() == [reference(key.encode()) for key in keys]
