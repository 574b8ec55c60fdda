"""Which offsets are missing between what was processed and what came."""

import pytest

from stream.worker.worker import stretches


@pytest.mark.parametrize(
    ("offsets", "expected", "missing"),
    [
        pytest.param([5, 6, 7], 5, [], id="nothing"),
        pytest.param([7, 8], 5, [(5, 7)], id="before the first"),
        pytest.param([5, 8, 9], 5, [(6, 8)], id="in the middle"),
        pytest.param([8, 5, 11], 4, [(4, 5), (6, 8), (9, 11)], id="several, in any order"),
        pytest.param([], 4, [], id="no message"),
    ],
)
def test_missing_stretches(offsets: list[int], expected: int, missing: list[tuple[int, int]]) -> None:
    assert stretches(offsets, expected) == missing
