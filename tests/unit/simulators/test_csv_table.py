from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import MissingColumns
from simulators.replay.csv_table import CsvTable
from simulators.replay.recording import Findings, NotThisFormat


def read(path: Path, body: bytes) -> tuple[list[tuple[int, str, str]], Findings]:
    path.write_bytes(body)
    findings = Findings()
    rows = []
    for part in CsvTable.open(path, ",", ["a", "b"]).rows(["a", "b"], findings):
        rows += list(zip(part.lines.tolist(), *(part.columns[name].to_pylist() for name in "ab"), strict=True))
    return rows, findings


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_rows_know_their_line_past_blank_and_broken_ones(tmp_path: Path, end: bytes) -> None:
    body = end.join([b"a,b", b"1,2", b"", b"3", b"4,5,6", b"7,8", b","])
    rows, findings = read(tmp_path / "f", body)
    assert rows == [(2, "1", "2"), (6, "7", "8"), (7, "", "")]
    assert [problem.line for problem in findings.problems] == [4, 5]


@pytest.mark.parametrize(
    ("broken", "detail"),
    [
        (b"\xff\xfe,2", "is not UTF-8 text"),
        (b"\xff,2,3", "is not UTF-8 text"),
        (b'"open,2', "unexpected end of data"),
        (b"1\r,2", "new-line"),
    ],
    ids=["bytes", "bytes-and-too-many", "open-quote", "lone-CR"],
)
def test_a_line_that_upsets_the_parser_costs_only_itself(tmp_path: Path, broken: bytes, detail: str) -> None:
    rows, findings = read(tmp_path / "f", b'a,b\n1,"x, ""y"""\n' + broken + b"\n3,4\n")
    assert rows == [(2, "1", 'x, "y"'), (4, "3", "4")]
    assert [problem.line for problem in findings.problems] == [3]
    assert detail in findings.problems[0].detail


@given(cells=st.lists(st.tuples(st.text('a1 ,"é', max_size=4), st.text("b2;", max_size=4)), max_size=20))
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]]) -> None:
    cells = [("x" + left, right) for left, right in cells]
    body = "".join(f'"{left.replace(chr(34), chr(34) * 2)}",{right}\n' for left, right in cells)
    rows, findings = read(tmp_path_factory.mktemp("csv") / "f", f"a,b\n{body}".encode())
    assert [row[1:] for row in rows] == cells
    assert findings.count == 0


def test_header_may_have_a_byte_order_mark_and_blanks(tmp_path: Path) -> None:
    assert read(tmp_path / "f", b"\xef\xbb\xbfa , b\n1,2\n")[0] == [(2, "1", "2")]


@pytest.mark.parametrize("body", [b"a,b", b"a,b\n", b"a,b\n\n"])
def test_no_rows_are_no_rows(tmp_path: Path, body: bytes) -> None:
    rows, findings = read(tmp_path / "f", body)
    assert (rows, findings.count) == ([], 0)


def test_missing_columns_are_named_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(MissingColumns) as caught:
        read(tmp_path / "f", b"a,c\n")
    assert (caught.value.missing, caught.value.available) == (["b"], ["a", "c"])


def test_an_empty_file_lacks_every_column(tmp_path: Path) -> None:
    with pytest.raises(MissingColumns):
        read(tmp_path / "f", b"")


@pytest.mark.parametrize("header", [b"a,b,a\n", b"\xff\xfea,b\n"], ids=["twice", "bytes"])
def test_a_header_that_is_none_is_refused(tmp_path: Path, header: bytes) -> None:
    with pytest.raises(NotThisFormat):
        read(tmp_path / "f", header)
