import gzip
from pathlib import Path

import pytest

from simulators.replay.lines import Block, blocks, count_lines
from simulators.replay.recording import Findings, NotThisFormat


@pytest.mark.parametrize("block_bytes", [1, 3, 7, 1000])
@pytest.mark.parametrize(
    "text", [b"a\nbb\n\nccc\n", b"a\nbb\n\nccc", b"", b"\n"], ids=["ended", "open", "empty", "blank"]
)
def test_blocks_together_are_the_file_and_know_their_lines(tmp_path: Path, text: bytes, block_bytes: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(text)
    found = list(blocks(path, Findings(), block_bytes))
    assert b"".join(block.data for block in found) == text
    assert [block.first_line for block in found] == [
        1 + text[: sum(len(earlier.data) for earlier in found[:index])].count(b"\n") for index in range(len(found))
    ]
    assert all(block.data.endswith(b"\n") for block in found[:-1])


def test_gzip_is_recognised_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "plain.csv"
    path.write_bytes(gzip.compress(b"a\nb\n"))
    assert list(blocks(path, Findings())) == [Block(1, b"a\nb\n")]


def test_damaged_gzip_gives_what_came_before_and_a_problem(tmp_path: Path) -> None:
    text = b"".join(b"line %d\n" % number for number in range(100_000))
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(text)[:-2_000])
    findings = Findings()
    data = b"".join(block.data for block in blocks(path, findings, 1_000))
    assert len(data) > 1_000
    assert text.startswith(data)
    assert findings.count == 1
    assert findings.problems[0].line == data.count(b"\n") + (not data.endswith(b"\n"))


def test_a_file_without_lines_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 17 * 1024 * 1024)
    with pytest.raises(NotThisFormat, match="line 1 is longer"):
        list(blocks(path, Findings()))


def test_counts_lines_and_beginnings(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"/a\nb/\n/c\n")
    assert count_lines(path) == 3
    assert count_lines(path, b"/") == 2
