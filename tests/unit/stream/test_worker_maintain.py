"""Upkeep beside the flow: again and again, and less often while readings wait."""

import asyncio
import inspect

import pytest

from stream.worker.maintain import again_and_again


async def pauses(monkeypatch: pytest.MonkeyPatch, *, busy_s: float, took_s: float) -> list[float]:
    """How long it rests after each of three times that took so long, while others wait for some time at first."""
    clock, slept = [0.0], list[float]()

    async def work() -> list[str]:
        if len(slept) == 3:
            raise asyncio.CancelledError
        slept.append(0.0)
        clock[0] += took_s
        return []

    async def sleep(seconds: float) -> None:
        slept[-1] += seconds
        clock[0] += seconds

    monkeypatch.setattr("stream.worker.maintain.asyncio.sleep", sleep)
    monkeypatch.setattr("stream.worker.maintain.time.monotonic", lambda: clock[0])
    with pytest.raises(asyncio.CancelledError):
        await again_and_again(work, 30.0, lambda: clock[0] < busy_s)
    return slept


async def test_it_rests_as_long_as_it_was_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await pauses(monkeypatch, busy_s=0.0, took_s=10.0) == [30.0] * 3


async def test_while_readings_wait_it_takes_a_twentieth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await pauses(monkeypatch, busy_s=1e9, took_s=10.0) == [190.0] * 3
    assert await pauses(monkeypatch, busy_s=1e9, took_s=1.0) == [30.0] * 3


async def test_it_goes_on_once_nobody_waits_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await pauses(monkeypatch, busy_s=100.0, took_s=60.0) == [40.0, 30.0, 30.0]


def test_nothing_is_left_for_faust_to_fill_in() -> None:
    """Faust hands its app to a task that takes an argument: to one with a default, too, which upkeep then called."""
    parameters = inspect.signature(again_and_again).parameters.values()
    assert [one.name for one in parameters if one.default is not inspect.Parameter.empty] == []
