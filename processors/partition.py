"""Which Kafka partition a key belongs to, for a whole column of keys at once."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Partitions = npt.NDArray[np.int32]
_Words = npt.NDArray[np.uint32]
_Sizes = npt.NDArray[np.int64]

# murmur2 (32 bit) by Austin Appleby with the seed of Apache Kafka, `org.apache.kafka.common.utils.Utils.murmur2`.
_SEED = np.uint32(0x9747B28C)
_M = np.uint32(0x5BD1E995)
_WORD_BYTES = 4


def partition_of(keys: pa.StringArray, partitions: int) -> Partitions:
    """Return each key's partition as Kafka's default partitioner does: murmur2 without its sign, modulo `partitions`.

    Args:
        keys: text[n]; null counts as empty.
        partitions: partitions of the topic, at least 1.

    Returns: int32[n].
    """
    hashes = murmur2(keys) & np.uint32(0x7FFFFFFF)
    return (hashes % np.uint32(partitions)).astype(np.int32)


def murmur2(keys: pa.StringArray) -> _Words:
    """Return the murmur2 hash of each key's UTF-8 bytes, uint32[n]."""
    starts, lengths, words = _bytes_of(keys)
    hashes: _Words = _SEED ^ lengths.astype(np.uint32)
    whole = lengths // _WORD_BYTES
    # One pass per word position; keys that are used up drop out, so a few long ones cost only themselves.
    rows = np.arange(len(lengths))
    for position in range(int(whole.max(initial=0))):
        rows = rows[whole[rows] > position]
        hashes[rows] = (hashes[rows] * _M) ^ _mix(words[starts[rows] + _WORD_BYTES * position])
    rest = lengths % _WORD_BYTES
    rows = np.flatnonzero(rest)
    last = words[starts[rows] + _WORD_BYTES * whole[rows]] & _low_bytes(rest[rows])
    hashes[rows] = (hashes[rows] ^ last) * _M
    hashes = (hashes ^ (hashes >> np.uint32(13))) * _M
    return hashes ^ (hashes >> np.uint32(15))


def _mix(word: _Words) -> _Words:
    word = word * _M
    return (word ^ (word >> np.uint32(24))) * _M


def _low_bytes(count: _Sizes) -> _Words:
    return ((np.int64(1) << (8 * count)) - 1).astype(np.uint32)


def _bytes_of(keys: pa.StringArray) -> tuple[_Sizes, _Sizes, _Words]:
    """Return start and length [bytes] of each key, and the little-endian word that begins at each byte."""
    _, offset_buffer, data = keys.buffers()
    if not len(keys) or offset_buffer is None:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint32)
    offsets = np.frombuffer(offset_buffer, dtype=np.int32)[keys.offset : keys.offset + len(keys) + 1].astype(np.int64)
    size = int(offsets[-1] - offsets[0])
    # Three bytes of padding let a word begin at any byte of the text.
    padded = np.zeros(size + _WORD_BYTES, dtype=np.uint8)
    if size:
        padded[:size] = np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]]
    words: _Words = np.ndarray(shape=(size + 1,), dtype="<u4", buffer=padded.data, strides=(1,))
    return offsets[:-1] - offsets[0], np.diff(offsets), words
