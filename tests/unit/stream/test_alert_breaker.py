"""A breaker opens after enough failures in a row, lets one probe through after its pause, and believes that."""

import pytest

from stream.alerting.breaker import Breaker, Circuit


class Timer:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def opened(timer: Timer) -> Breaker:
    breaker = Breaker(3, 60.0, timer)
    assert [breaker.failed() for _ in range(3)] == [False, False, True]
    return breaker


def test_failures_that_are_not_in_a_row_open_nothing() -> None:
    breaker = Breaker(3, 60.0, Timer())
    for _ in range(5):
        assert not breaker.failed()
        assert not breaker.failed()
        assert not breaker.answered()
    assert breaker.circuit is Circuit.CLOSED


def test_enough_in_a_row_open_it_for_a_pause() -> None:
    timer = Timer()
    breaker = opened(timer)
    assert breaker.circuit is Circuit.OPEN
    assert 30.0 <= breaker.rest_s <= 60.0
    timer.now_s += breaker.rest_s
    assert (breaker.circuit, breaker.rest_s) == (Circuit.HALF_OPEN, 0.0)


def test_a_probe_that_is_answered_closes_it_and_failures_count_anew() -> None:
    timer = Timer()
    breaker = opened(timer)
    timer.now_s += 60.0
    assert breaker.answered()
    assert (breaker.circuit, breaker.failures) == (Circuit.CLOSED, 0)
    assert not breaker.failed()


def test_a_probe_that_fails_opens_it_for_longer_up_to_four_times_as_long() -> None:
    timer = Timer()
    breaker = opened(timer)
    for least, most in ((60.0, 120.0), (120.0, 240.0), (120.0, 240.0)):
        timer.now_s += breaker.rest_s
        assert breaker.circuit is Circuit.HALF_OPEN
        assert breaker.failed()
        assert least <= breaker.rest_s <= most
    assert breaker.failures == 6


@pytest.mark.parametrize("asked_s", [600.0, 3_600.0])
def test_it_stays_open_as_long_as_the_other_side_asks(asked_s: float) -> None:
    breaker = Breaker(1, 60.0, Timer())
    assert breaker.failed(asked_s)
    assert breaker.rest_s == asked_s
