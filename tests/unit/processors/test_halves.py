"""Half precision by its bits is what numpy makes of it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from processors.halves import VALUE, half_of


def test_all_there_are_come_back_as_they_were() -> None:
    bits = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16)
    known = ~np.isnan(bits.view(np.float16))
    assert [half_of(value) for value in VALUE[known].tolist()] == bits[known].tolist()
    assert half_of(np.nan) == 0x7E00


@given(st.floats(allow_nan=False) | st.floats(-70_000, 70_000) | st.floats(-1e-4, 1e-4))
def test_any_number_becomes_the_nearest(value: float) -> None:
    with np.errstate(over="ignore"):
        assert half_of(value) == int(np.array([value]).astype(np.float16).view(np.uint16)[0])
