"""How often newest values are written."""

import pytest

from stream.worker.newest import pause_s


@pytest.mark.parametrize(
    ("write_s", "then_s"),
    [(0.0, 0.25), (0.02, 0.25), (0.5, 4.5), (10.0, 5.0), (3_600.0, 5.0)],
    ids=["nothing", "few", "many", "Redis hangs until the timeout", "Redis hangs"],
)
def test_the_pause_grows_with_the_work_but_a_redis_that_hangs_leaves_no_stale_values_behind(
    write_s: float, then_s: float
) -> None:
    assert pause_s(write_s) == then_s
