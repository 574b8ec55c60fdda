"""Files as blocks of whole lines with their line numbers, gzip or not."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from simulators.replay.recording import Findings, NotThisFormat

_GZIP_MAGIC = b"\x1f\x8b"
#: Large enough for columns to pay, small enough to hold dozens.
BLOCK_BYTES = 2 * 1024 * 1024
#: No line of a meter file comes near; a longer one is a file without lines.
MAX_LINE_BYTES = 16 * 1024 * 1024


class Block(NamedTuple):
    """Some whole lines.

    Attributes:
        first_line: number of the first one, counted from 1.
        data: their bytes, line ends included; the file's last line may lack its own.
    """

    first_line: int
    data: bytes


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading; whether it is compressed is told by its first bytes, not by its name."""
    with path.open("rb") as raw:
        compressed = raw.read(2) == _GZIP_MAGIC
    return cast("BinaryIO", gzip.open(path)) if compressed else path.open("rb")


def blocks(path: Path, findings: Findings, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """Yield a file's lines; where a compressed file breaks off, what came before is still yielded.

    Raises:
        NotThisFormat: a line is too long to be one.
    """
    line, rest = 1, b""
    for chunk in _chunks(path, block_bytes):
        if chunk is None:
            findings.add(line + rest.count(b"\n"), "the compressed file is damaged or ends early here")
            continue
        data = rest + chunk
        end = data.rfind(b"\n") + 1
        whole, rest = data[:end], data[end:]
        if len(rest) > MAX_LINE_BYTES:
            raise NotThisFormat(path, f"line {line} is longer than {MAX_LINE_BYTES} bytes; this is no text file")
        if whole:
            yield Block(line, whole)
            line += whole.count(b"\n")
    if rest:
        yield Block(line, rest)


def count_lines(path: Path, start: bytes = b"") -> int:
    """Return how many line breaks a file has, counting only those that are followed by these bytes."""
    # A break before the first byte, so that the first line is counted like any other.
    mark, tail, count = b"\n" + start, b"\n" if start else b"", 0
    for chunk in _chunks(path, BLOCK_BYTES):
        data = tail + (chunk or b"")
        count += data.count(mark)
        tail = data[-len(start) :] if start else b""
    return count


def _chunks(path: Path, size: int) -> Iterator[bytes | None]:
    """Yield a file's bytes; None where it cannot be decompressed any further."""
    with open_file(path) as file:
        while True:
            try:
                chunk = file.read(size)
            except (EOFError, gzip.BadGzipFile, zlib.error):
                yield None
                return
            if not chunk:
                return
            yield chunk
