import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.replay.lines import Block
from simulators.replay.recording import Findings
from simulators.replay.telegrams import MOST_BYTES, Framer, crc16


def plain_crc16(text: bytes) -> int:
    crc = 0
    for byte in text:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def test_checksum_is_the_one_of_the_catalogue() -> None:
    assert crc16([b"123456789"]).tolist() == [0xBB3D]  # CRC-16/ARC, the catalogue's check value


@given(texts=st.lists(st.binary(max_size=40), max_size=8))
def test_checksums_side_by_side_are_those_one_by_one(texts: list[bytes]) -> None:
    assert crc16(texts).tolist() == [plain_crc16(text) for text in texts]
    assert crc16(texts).dtype == np.uint16


def frame(log: bytes, cut: int | None = None) -> tuple[list[tuple[int, bytes]], Findings]:
    findings = Findings()
    framer = Framer(findings)
    pieces = log.splitlines(keepends=True)
    parts = [pieces] if cut is None else [pieces[:cut], pieces[cut:]]
    telegrams, line = [], 1
    for part in parts:
        if part:
            telegrams += [(item.line, item.text) for item in framer.feed(Block(line, b"".join(part)))]
            line += len(part)
    framer.finish()
    return telegrams, findings


@pytest.mark.parametrize("cut", [None, 1, 2, 3, 4, 5, 6, 7])
def test_a_log_may_begin_and_end_inside_a_telegram(cut: int | None) -> None:
    telegrams, findings = frame(b"tail\n!0000\n/A\n\n1\n!AAAA\n/B\n2\n", cut)
    assert telegrams == [(3, b"/A\r\n\r\n1\r\n!")]
    assert findings.count == 0
    assert findings.notes == [
        "the log begins inside a telegram; lines 1 to 2 are left out",
        "the log ends inside the telegram that begins at line 7",
    ]


def test_line_ends_of_the_wire_and_of_the_log_give_the_same_telegram() -> None:
    assert frame(b"/A\n1\n!00\n")[0] == frame(b"/A\r\n1\r\n!00\r\n")[0]


def test_a_telegram_without_an_end_and_stray_lines_are_told_once_each() -> None:
    telegrams, findings = frame(b"/A\n1\n/B\n2\n!BB\nstray\nstray\n!CC\n/D\n!DD\n")
    assert [line for line, _ in telegrams] == [3, 9]
    assert [(problem.line, problem.detail.split(" ")[0]) for problem in findings.problems] == [(1, "this"), (6, "this")]


def test_a_telegram_without_end_does_not_grow_without_bound() -> None:
    telegrams, findings = frame(b"/A\n" + b"x" * 100 + b"\n" + b"y\n" * MOST_BYTES + b"/B\n!BB\n")
    assert [text for _, text in telegrams] == [b"/B\r\n!"]
    assert [problem.line for problem in findings.problems] == [1]
