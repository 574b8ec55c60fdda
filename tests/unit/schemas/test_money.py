"""Money that is summed is whole micro-units."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.money import from_micros, to_micros


@given(st.lists(st.decimals(-10_000_000, 10_000_000, places=6), min_size=1))
def test_six_decimals_become_micro_units_and_come_back_unchanged(amounts: list[object]) -> None:
    floats = np.array([float(str(amount)) for amount in amounts])
    micros = to_micros(floats)
    assert micros.tolist() == [int(str(amount).replace(".", "")) for amount in amounts]
    assert from_micros(micros).tolist() == floats.tolist()


def test_sums_do_not_depend_on_their_order() -> None:
    amounts = np.array([0.1, 0.2, 0.3, 1e9, -1e9])
    assert to_micros(amounts).sum() == to_micros(amounts[::-1]).sum() == 600_000


@pytest.mark.parametrize("amount", [np.nan, np.inf, -np.inf, 1e13])
def test_what_is_no_amount_is_refused(amount: float) -> None:
    with pytest.raises(ValueError, match="an amount of money"):
        to_micros(np.array([1.0, amount]))
