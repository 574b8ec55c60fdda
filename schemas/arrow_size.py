"""How much an Arrow IPC stream unpacks to, told from its metadata before anything is unpacked.

A megabyte of compressed zeros is tens of gigabytes of memory, and a column without values is any number of rows. Source
of the layout: Apache Arrow, `format/Message.fbs`, and the FlatBuffers internals that it rests on.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3
# Positions of fields in their tables.
_MESSAGE_HEADER_TYPE, _MESSAGE_HEADER = 1, 2
_DICTIONARY_DATA = 1
_BATCH_LENGTH, _BATCH_BUFFERS, _BATCH_COMPRESSION = 0, 2, 3
_BUFFER_BYTES = 16


@dataclass(frozen=True)
class Size:
    """What a stream says of itself.

    Attributes:
        rows: in all its batches.
        expanded_bytes: of its compressed buffers, once they are unpacked.
    """

    rows: int
    expanded_bytes: int


def size_of(payload: bytes) -> Size:
    """Read a stream's metadata, as far as the stream goes.

    Raises:
        ValueError: they contradict themselves.
    """
    rows = expanded = 0
    try:
        for message in _messages(payload):
            table, batch = _batch(message)
            if batch is not None:
                rows += _scalar(table, batch, _BATCH_LENGTH, "<q")
                expanded += _expanded(table, batch, message.body)
    except struct.error as error:
        raise ValueError(f"metadata point outside themselves: {error}") from error
    return Size(rows, expanded)


def _messages(payload: bytes) -> Iterator[pa.ipc.Message]:
    try:
        reader = pa.ipc.MessageReader.open_stream(payload)
        while True:
            yield reader.read_next_message()
    except (StopIteration, pa.ArrowException, OSError):
        # At the end, or where the stream breaks off: whoever unpacks it gets no further either.
        return


def _batch(message: pa.ipc.Message) -> tuple[bytes, int | None]:
    """Return a message's metadata, and where in them a record batch is described."""
    table = message.metadata.to_pybytes()
    (root,) = struct.unpack_from("<I", table, 0)
    kind, header = _scalar(table, root, _MESSAGE_HEADER_TYPE, "<B"), _child(table, root, _MESSAGE_HEADER)
    if kind == _RECORD_BATCH:
        return table, header
    return table, _child(table, header, _DICTIONARY_DATA) if kind == _DICTIONARY_BATCH and header else None


def _expanded(table: bytes, batch: int, body: pa.Buffer | None) -> int:
    buffers = _child(table, batch, _BATCH_BUFFERS)
    if buffers is None or body is None or _child(table, batch, _BATCH_COMPRESSION) is None:
        return 0
    (count,) = struct.unpack_from("<I", table, buffers)
    total = 0
    for position in range(count):
        offset, length = struct.unpack_from("<qq", table, buffers + 4 + _BUFFER_BYTES * position)
        if length > 0:
            # A compressed buffer leads with its unpacked length; -1 says that it is not compressed after all.
            total += max(struct.unpack_from("<q", body, offset)[0], 0)
    return total


def _field(table: bytes, at: int, position: int) -> int | None:
    """Return where a field of a FlatBuffers table stands, None where it is absent."""
    (back,) = struct.unpack_from("<i", table, at)
    (size,) = struct.unpack_from("<H", table, at - back)
    entry = 4 + 2 * position
    if entry >= size:
        return None
    (offset,) = struct.unpack_from("<H", table, at - back + entry)
    return at + offset if offset else None


def _scalar(table: bytes, at: int, position: int, kind: str) -> int:
    found = _field(table, at, position)
    return 0 if found is None else int(struct.unpack_from(kind, table, found)[0])


def _child(table: bytes, at: int, position: int) -> int | None:
    found = _field(table, at, position)
    return None if found is None else found + int(struct.unpack_from("<I", table, found)[0])
