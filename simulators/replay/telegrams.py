"""P1 telegrams out of a serial log: where each begins and ends, and whether its checksum holds."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulators.replay.lines import Block
from simulators.replay.recording import Findings

#: The longest telegram of the DSMR 5.0 standard, with a full text message, is below 4 KiB.
MOST_BYTES = 16 * 1024


class Telegram(NamedTuple):
    """One telegram as it was on the wire.

    Attributes:
        line: where it begins in the file.
        text: from `/` to `!`, lines ended by CR LF; what the checksum is computed over.
        crc: the checksum that it came with, as text.
    """

    line: int
    text: bytes
    crc: bytes


@dataclass
class Framer:
    """Cuts a log into telegrams; keeps what is unfinished from block to block.

    A log may begin and end in the middle of a telegram, as a recorder is switched on and off at any time: those two
    pieces are noted, not held against the file. Everything between must be whole telegrams.

    Attributes:
        findings: gets what does not fit.
        begun: a telegram has begun.
    """

    findings: Findings
    begun: bool = False
    _lines: list[bytes] = field(default_factory=list)
    _first: int = 0
    _size: int = 0
    _stray: bool = False

    def feed(self, block: Block) -> list[Telegram]:
        """Return the telegrams that end within a block."""
        telegrams = list[Telegram]()
        for number, raw in enumerate(block.data.removesuffix(b"\n").split(b"\n"), block.first_line):
            line = raw.removesuffix(b"\r")
            if line.startswith(b"/"):
                self._begin(number, line)
            elif not self._lines:
                self._outside(number, line)
            elif line.startswith(b"!"):
                text = b"\r\n".join([*self._lines, b"!"])
                telegrams.append(Telegram(self._first, text, line[1:]))
                self._lines = []
            else:
                self._inside(line)
        return telegrams

    def finish(self) -> None:
        """Say what is left when the log has ended."""
        if self._lines:
            self.findings.notes.append(f"the log ends inside the telegram that begins at line {self._first}")

    def _begin(self, number: int, line: bytes) -> None:
        if self._lines:
            self.findings.add(self._first, f"this telegram has no end before the next begins at line {number}")
        elif not self.begun and number > 1:
            self.findings.notes.append(f"the log begins inside a telegram; lines 1 to {number - 1} are left out")
        self.begun, self._stray = True, False
        self._lines, self._first, self._size = [line], number, len(line)

    def _inside(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line) + 2
        if self._size > MOST_BYTES:
            self.findings.add(self._first, f"this telegram is longer than {MOST_BYTES} bytes")
            self._lines, self._stray = [], True

    def _outside(self, number: int, line: bytes) -> None:
        # A run of stray lines is one problem, told at its first line.
        if self.begun and line.strip() and not self._stray:
            self.findings.add(number, "this line belongs to no telegram")
            self._stray = True
        elif not line.strip():
            self._stray = False


def verify(telegrams: Iterable[Telegram], findings: Findings) -> list[Telegram]:
    """Return the telegrams whose checksum holds; the others become problems."""
    candidates = list(telegrams)
    good = list[Telegram]()
    for telegram, computed in zip(candidates, crc16([item.text for item in candidates]).tolist(), strict=True):
        # Compared as text: the standard writes four capital hex digits, and anything else was changed on the way.
        if telegram.crc == b"%04X" % computed:
            good.append(telegram)
        else:
            findings.add(telegram.line, f"checksum {telegram.crc!r} of this telegram should be {computed:04X}")
    return good


def crc16(texts: list[bytes]) -> npt.NDArray[np.uint16]:
    """Return the CRC16 of each text: polynomial 0xA001 (reflected 0x8005), start 0.

    Source: DSMR P1 companion standard 5.0.2, section 5.2.
    """
    width = max((len(text) for text in texts), default=0)
    # Zeros in front do not change a CRC that starts with 0, so texts of any length go through side by side.
    padded = b"".join([text.rjust(width, b"\0") for text in texts])
    matrix = np.frombuffer(padded, dtype=np.uint8).reshape(len(texts), width) if texts else np.empty((0, 0), np.uint8)
    crc = np.zeros(len(texts), dtype=np.uint16)
    for column in np.ascontiguousarray(matrix.T):
        crc = _TABLE[(crc ^ column) & 0xFF] ^ (crc >> 8)
    return crc


def _table() -> npt.NDArray[np.uint16]:
    values = np.arange(256, dtype=np.uint16)
    for _ in range(8):
        values = np.where(values & 1, (values >> 1) ^ 0xA001, values >> 1).astype(np.uint16)
    return values


_TABLE = _table()
