"""Columns through a real COPY: every kind of value, every pattern of nulls, texts of every length."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.copy_binary import PG_EPOCH_US, CopyColumn, encode, instant, integer, number, text
from stream.stack.endpoints import Endpoints
from tests.strategies import PRINTABLE

pytestmark = pytest.mark.integration

TYPES = {
    "position": "integer",
    "eight": "double precision",
    "four": "real",
    "large": "bigint",
    "small": "smallint",
    "truth": "boolean",
    "moment": "timestamptz",
    "word": "text",
    "other": "text",
}


@pytest.fixture(scope="module")
def table(stack: Endpoints) -> Iterator[psycopg.Connection]:
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        columns = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
        connection.execute(f"CREATE TEMP TABLE copied ({columns})")
        yield connection


def copied(table: psycopg.Connection, columns: list[CopyColumn]) -> list[tuple[Any, ...]]:
    table.execute("TRUNCATE copied")
    with table.cursor() as cursor:
        with cursor.copy("COPY copied FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(encode(columns))
        return cursor.execute(
            "SELECT eight, four::float8, large, small, truth, (extract(epoch FROM moment) * 1e6)::bigint, word, other "
            "FROM copied ORDER BY position"
        ).fetchall()


Row = tuple[float | None, float | None, int | None, int, bool, int, str | None, str | None]


def columns_of(found: list[Row]) -> list[CopyColumn]:
    eight, four, large, small, truth, moment, word, other = zip(*found, strict=True) if found else [()] * 8
    nan = float("nan")
    return [
        number(np.arange(len(found)), ">i4"),
        number(np.array([nan if value is None else value for value in eight]), ">f8"),
        number(np.array([nan if value is None else value for value in four], dtype=np.float32), ">f4"),
        integer(pa.array(large, pa.int64())),
        number(np.array(small, dtype=np.int16), ">i2"),
        number(np.array(truth, dtype=bool), ">b1"),
        instant(np.array(moment, dtype=np.int64)),
        text(pa.array(word, pa.string())),
        text(pa.array(other, pa.string())),
    ]


texts = st.none() | st.text(PRINTABLE | st.sampled_from(" \t\n"), max_size=40)
any_rows = st.lists(
    st.tuples(
        st.none() | st.floats(allow_nan=False),
        st.none() | st.floats(allow_nan=False, width=32),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.integers(-(2**15), 2**15 - 1),
        st.booleans(),
        st.integers(PG_EPOCH_US - 10**15, PG_EPOCH_US + 10**15),
        texts,
        texts,
    ),
    max_size=12,
)


@given(any_rows)
def test_what_goes_in_comes_out(table: psycopg.Connection, found: list[Row]) -> None:
    kept = copied(table, columns_of(found))
    assert [repr(row) for row in kept] == [repr(tuple(row)) for row in found]


def test_every_pattern_of_nulls(table: psycopg.Connection) -> None:
    found = [
        (
            1.5 if a else None,
            2.5 if b else None,
            7 if c else None,
            1,
            True,
            PG_EPOCH_US,
            "x" if d else None,
            "yy" if e else None,
        )
        for a, b, c, d, e in itertools.product((True, False), repeat=5)
    ]
    assert copied(table, columns_of(found)) == found


def test_no_rows(table: psycopg.Connection) -> None:
    assert copied(table, columns_of([])) == []


@pytest.mark.parametrize("words", [["", "a", "ab"], ["ü", "米", "𝕏", ""], ["x" * 5_000, None, "x"], [None, None, None]])  # noqa: RUF001 - letters of four bytes
def test_texts_of_different_lengths(table: psycopg.Connection, words: list[str | None]) -> None:
    found: list[Row] = [(None, None, None, 0, False, PG_EPOCH_US, word, None) for word in words]
    assert [row[6] for row in copied(table, columns_of(found))] == words


def test_a_slice_of_a_column_is_only_the_slice(table: psycopg.Connection) -> None:
    whole = pa.array(["a", None, "ccc", "dd"])
    found: list[Row] = [(None, None, None, 0, False, PG_EPOCH_US, None, None)] * 2
    columns = columns_of(found)
    columns[7] = text(whole[2:])
    columns[3] = integer(pa.array([1, 2, None, 4])[2:])
    assert [(row[6], row[2]) for row in copied(table, columns)] == [("ccc", None), ("dd", 4)]
