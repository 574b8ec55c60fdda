"""The arithmetic of reconcile: what becomes of each reading, and when that is sound."""

import numpy as np
import pytest

from stream.reconcile.account import (
    ALTERED,
    CONFLICT,
    DUPLICATE,
    MISSING,
    ROW,
    Account,
    Counters,
    Reconciliation,
    RejectAccount,
    first_of_each,
    judge,
)


def test_only_the_first_of_a_meter_and_time_within_a_record_is_the_first() -> None:
    meter = np.array([0, 1, 0, 0, 0])
    time_us = np.array([5, 5, 5, 6, 5])
    record = np.array([0, 0, 0, 0, 1])
    assert first_of_each(meter, time_us, record).tolist() == [True, True, False, True, True]


def test_no_readings_have_no_first() -> None:
    nothing = np.empty(0, dtype=np.int64)
    assert len(first_of_each(nothing, nothing, nothing)) == 0


@pytest.mark.parametrize(
    ("first", "found", "own", "differs", "verdict"),
    [
        pytest.param(True, True, True, False, ROW, id="its row"),
        pytest.param(True, True, True, True, ALTERED, id="its row, changed"),
        pytest.param(False, True, True, False, DUPLICATE, id="repeated within its record"),
        pytest.param(False, True, True, True, CONFLICT, id="contradicted within its record"),
        pytest.param(True, True, False, False, DUPLICATE, id="repeats an earlier record"),
        pytest.param(True, True, False, True, CONFLICT, id="contradicts an earlier record"),
        pytest.param(True, False, False, True, MISSING, id="no row"),
        pytest.param(False, False, False, True, MISSING, id="no row, repeated"),
    ],
)
def test_a_reading_is_judged_by_what_the_database_has(
    first: bool, found: bool, own: bool, differs: bool, verdict: int
) -> None:
    masks = [np.array([value]) for value in (first, found, own, differs)]
    assert judge(*masks).tolist() == [verdict]


def test_what_is_no_row_no_reject_and_no_duplicate_is_unaccounted() -> None:
    account = Account(0, readings=10, rows=6, rejected=2, duplicates=1, missing=1)
    assert account.unaccounted == 1
    assert not account.sound


def test_rows_from_nowhere_are_unaccounted_too() -> None:
    account = Account(0, readings=10, rows=11)
    assert account.unaccounted == -1
    assert not account.sound


@pytest.mark.parametrize(
    "flaw",
    [{"altered": 1}, {"lost_records": 1}, {"rejects_missing": 1}, {"missing": 1}, {"counters": Counters(9, 9, 0, 0)}],
    ids=lambda flaw: next(iter(flaw)),
)
def test_flaws_that_the_sum_does_not_show_are_flaws(flaw: dict[str, object]) -> None:
    fine = {"readings": 10, "rows": 10}
    assert Account(0, **fine).sound
    assert not Account(0, **fine, **flaw).sound  # type: ignore[arg-type]


def test_lag_is_no_flaw() -> None:
    assert Account(0, readings=1, rows=1, pending=5).sound


def test_flaws_of_two_partitions_do_not_cancel_out() -> None:
    accounts = [Account(0, readings=1, rows=0), Account(1, readings=0, rows=1)]
    proof = Reconciliation("meters.raw", "life", accounts, RejectAccount())
    assert proof.total.unaccounted == 0
    assert not proof.sound


def test_a_missing_reject_of_the_bridge_is_a_flaw() -> None:
    assert not Reconciliation("meters.raw", "life", [], RejectAccount(records=3, stored=2, missing=1)).sound


def test_the_json_form_sums_partitions_up() -> None:
    accounts = [Account(0, readings=3, rows=3), Account(1, readings=2, rows=1, duplicates=1)]
    found = Reconciliation("meters.raw", "life", accounts, RejectAccount()).as_json()
    assert found["sound"] is True
    assert found["unaccounted"] == 0
    assert found["total"]["readings"] == 5
    assert "counters" not in found["total"]
    assert [account["partition"] for account in found["partitions"]] == [0, 1]
