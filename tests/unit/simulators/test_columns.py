from datetime import UTC

import numpy as np
import pyarrow as pa
import pytest

from simulators.replay.columns import Checker
from simulators.replay.recording import Findings

_CLOCK = r"^(?P<Y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2}) (?P<H>\d{2}):(?P<M>\d{2}):(?P<S>\d{2})$"


def checker(rows: int) -> Checker:
    return Checker(np.arange(rows) + 101)


def lines(check: Checker) -> list[int]:
    findings = Findings()
    check.report(findings)
    return [problem.line for problem in findings.problems]


def test_numbers_keep_every_digit_and_missing_ones_are_nan() -> None:
    check = checker(4)
    values = check.floats("x", pa.array(["0.1", " 1e3 ", "", "-2"]))
    assert values.tolist()[:2] == [0.1, 1000.0]
    assert np.isnan(values[2])
    assert check.good.all()


@pytest.mark.parametrize("bad", ["abc", "1,5", "NaN", "inf", "1e999", "0x10", "1_000", "--1", "1 2", "٣"])
def test_what_is_no_number_is_named_with_its_line(bad: str) -> None:
    check = checker(3)
    values = check.floats("x", pa.array(["1.5", bad, "2.5"]))
    assert values[[0, 2]].tolist() == [1.5, 2.5]
    assert lines(check) == [102]


@pytest.mark.parametrize(
    "bad",
    [
        "2024-02-30 00:00:00",
        "2024-13-01 00:00:00",
        "2024-01-01 24:00:00",
        "2024-00-01 00:00:00",
        "0000-01-01 00:00:00",
        "",
    ],
)
def test_dates_that_do_not_exist_are_named(bad: str) -> None:
    check = checker(2)
    times = check.clock_times("t", pa.array(["2024-02-29 23:59:59", bad]), _CLOCK, UTC)
    assert times[0] == np.datetime64("2024-02-29T23:59:59", "us").astype(np.int64)
    assert lines(check) == [102]


@pytest.mark.parametrize(
    "bad", ["2024-01-01T00:00:00", "2024-02-30T00:00:00Z", "yesterday", "", "2024-01-01", "2024-01-01T00:00:00+25:00"]
)
def test_instants_need_a_real_date_and_an_offset(bad: str) -> None:
    check = checker(3)
    times = check.instants("t", pa.array(["2024-01-01T01:00:00+01:00", bad, "2024-01-01t00:00:01.5z"]))
    assert times[[0, 2]].tolist() == [1_704_067_200_000_000, 1_704_067_201_500_000]
    assert lines(check) == [102]


def test_names_must_be_there_short_and_printable() -> None:
    check = checker(4)
    check.names("meter_number", pa.array(["M-1", "", "x" * 51, "a\tb"]))
    assert lines(check) == [102, 103, 104]


def test_whole_numbers_are_whole() -> None:
    check = checker(4)
    values = check.integers("sequence", pa.array(["7", "", "1.5", "99999999999999999999"]))
    assert values.to_pylist() == [7, None, None, None]
    assert lines(check) == [103, 104]


def test_problems_come_in_the_order_of_the_file_one_per_row() -> None:
    check = checker(3)
    check.floats("x", pa.array(["1", "2", "bad"]))
    check.floats("y", pa.array(["bad", "2", "bad"]))
    findings = Findings()
    good = check.report(findings)
    assert [(p.line, p.detail.split()[0]) for p in findings.problems] == [(101, "y"), (103, "x")]
    assert good.tolist() == [False, True, False]
