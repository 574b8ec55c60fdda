"""Delimited files with a header line, as blocks of text columns whose rows know their line."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from schemas.errors import MissingColumns
from schemas.layout import Ints
from simulators.replay.lines import Block, blocks, count_lines, open_file
from simulators.replay.recording import Findings, NotThisFormat

#: A header beyond this is no header.
_HEADER_BYTES = 64 * 1024


class Rows(NamedTuple):
    """Some rows of a file.

    Attributes:
        columns: text by name.
        lines: int64[n], the line of each row.
    """

    columns: dict[str, pa.Array]
    lines: Ints


@dataclass(frozen=True)
class CsvTable:
    """A delimited file whose header has been read.

    Attributes:
        path: the file.
        delimiter: between values.
        header: the names of all its columns.
    """

    path: Path
    delimiter: str
    header: tuple[str, ...]

    @classmethod
    def open(cls, path: Path, delimiter: str, needed: Sequence[str]) -> "CsvTable":
        """Read the header.

        Raises:
            MissingColumns: a needed column is not there.
            NotThisFormat: the first line is not text, or names a column twice.
        """
        with open_file(path) as file:
            first = file.readline(_HEADER_BYTES)
        try:
            names = next(csv.reader([first.decode("utf-8-sig").strip("\r\n")], delimiter=delimiter), [])
        except (UnicodeDecodeError, csv.Error):
            raise NotThisFormat(path, "its first line is not a header of column names") from None
        header = tuple(name.strip() for name in names)
        missing = [name for name in needed if name not in header]
        if missing:
            raise MissingColumns(missing, list(header))
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise NotThisFormat(path, f"its header names {twice} more than once")
        return cls(path, delimiter, header)

    def rows(self, wanted: Sequence[str], findings: Findings) -> Iterator[Rows]:
        """Yield the rows below the header, only the wanted columns; broken lines go to the findings."""
        for block in blocks(self.path, findings):
            if block.first_line == 1:
                _, _, below = block.data.partition(b"\n")
                block = Block(2, below)  # noqa: PLW2901 (the same block without its header)
            if block.data:
                yield self._by_columns(block, wanted, findings) or self._by_lines(block, wanted, findings)

    def _by_columns(self, block: Block, wanted: Sequence[str], findings: Findings) -> Rows | None:
        """Parse a block at once; None where lines and rows cannot be told apart for sure."""
        refused: list[tuple[int, int]] = []

        def refuse(row: pacsv.InvalidRow) -> str:
            refused.append((row.number, row.actual_columns))
            return "skip"

        try:
            block.data.decode()
            table = pacsv.read_csv(
                pa.BufferReader(block.data),
                pacsv.ReadOptions(use_threads=False, column_names=self.header, block_size=len(block.data) + 1),
                pacsv.ParseOptions(delimiter=self.delimiter, invalid_row_handler=refuse, ignore_empty_lines=False),
                pacsv.ConvertOptions(
                    column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted, strings_can_be_null=False
                ),
            )
        except (UnicodeDecodeError, pa.ArrowInvalid):
            return None
        count = block.data.count(b"\n") + (not block.data.endswith(b"\n"))
        if table.num_rows + len(refused) != count:
            return None
        for number, found in refused:
            findings.add(block.first_line + number - 1, self._wrong_count(found))
        lines = np.delete(np.arange(count) + block.first_line, [number - 1 for number, _ in refused])
        columns = {name: table[name].combine_chunks() for name in wanted}
        return _without_blank_lines(Rows(columns, lines), block)

    def _by_lines(self, block: Block, wanted: Sequence[str], findings: Findings) -> Rows:
        """Parse a block line by line: slow, and exact about each."""
        places = [self.header.index(name) for name in wanted]
        values, lines = list[list[str]](), list[int]()
        for number, line in enumerate(block.data.split(b"\n"), block.first_line):
            if not line.strip():
                continue
            try:
                row = next(csv.reader([line.decode().removesuffix("\r")], delimiter=self.delimiter, strict=True))
            except UnicodeDecodeError:
                findings.add(number, "is not UTF-8 text")
            except csv.Error as error:
                findings.add(number, str(error))
            else:
                if len(row) == len(self.header):
                    values.append([row[place] for place in places])
                    lines.append(number)
                else:
                    findings.add(number, self._wrong_count(len(row)))
        columns = [pa.array(column, pa.string()) for column in zip(*values, strict=True)] or [
            pa.array([], pa.string()) for _ in wanted
        ]
        return Rows(dict(zip(wanted, columns, strict=True)), np.array(lines, dtype=np.int64))

    def _wrong_count(self, found: int) -> str:
        return f"has {found} values, the header names {len(self.header)}"


def count_rows(path: Path) -> int:
    """Return how many lines stand below the header."""
    return max(count_lines(path) - 1, 0)


def _without_blank_lines(rows: Rows, block: Block) -> Rows:
    """Leave out rows that are empty lines; a line of delimiters only is not empty."""
    empty = np.logical_and.reduce(
        [pc.equal(pc.binary_length(text), 0).to_numpy(zero_copy_only=False) for text in rows.columns.values()]
    )
    if not empty.any():
        return rows
    texts = block.data.split(b"\n")
    blank = np.array([not texts[line - block.first_line].strip() for line in rows.lines[empty].tolist()], dtype=bool)
    keep = np.ones(len(rows.lines), dtype=bool)
    keep[np.flatnonzero(empty)[blank]] = False
    return Rows({name: column.filter(pa.array(keep)) for name, column in rows.columns.items()}, rows.lines[keep])
