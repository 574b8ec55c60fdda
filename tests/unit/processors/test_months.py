"""Months: each once, at its very edges, long past ones too."""

from datetime import UTC, datetime

import numpy as np

from processors.months import months_of, start_of


def us(*fields: int) -> int:
    return int(datetime(*fields, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[misc]


def test_an_instant_is_in_the_month_that_begins_with_it() -> None:
    begin = us(2026, 11, 1)
    assert start_of(months_of(np.array([begin]))).tolist() == [begin]
    assert start_of(months_of(np.array([begin - 1]))).tolist() == [us(2026, 10, 1)]


def test_each_month_comes_once_and_in_order() -> None:
    times = [us(2026, 11, 21), us(2001, 1, 31), us(2026, 11, 1), us(2026, 2, 28)]
    assert start_of(months_of(np.array(times))).tolist() == [us(2001, 1, 1), us(2026, 2, 1), us(2026, 11, 1)]


def test_many_instants_of_one_month_are_one_month() -> None:
    assert len(months_of(us(2026, 11, 1) + np.arange(0, 29 * 86_400_000_000, 900_000_000))) == 1


def test_no_instants_are_in_no_month() -> None:
    assert months_of(np.empty(0, dtype=np.int64)).tolist() == []
