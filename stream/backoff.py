"""How long to wait before the next attempt, or before the next piece of work that others go before."""

import asyncio
import random
from collections.abc import Callable

#: While others wait, a twentieth of the time goes into work that can wait.
_PAUSE_PER_WORK = 19.0
#: How often work that rests looks whether others still wait [s].
_LOOK_S = 1.0


class Backoff:
    """Waits that double up to a ceiling, each shortened by chance so that many clients do not return at once.

    Args:
        first_s: first wait [s].
        ceiling_s: longest wait [s].
    """

    def __init__(self, first_s: float = 0.25, ceiling_s: float = 5.0) -> None:
        self._first_s = first_s
        self._ceiling_s = ceiling_s
        self._next_s = first_s

    def next_s(self) -> float:
        """Return the wait before the next attempt [s]."""
        wait_s, self._next_s = self._next_s, min(2 * self._next_s, self._ceiling_s)
        return wait_s * random.uniform(0.5, 1.0)  # noqa: S311 (spreads load, guards nothing)

    def reset(self) -> None:
        """Begin anew, after a success."""
        self._next_s = self._first_s


async def rest(least_s: float, took_s: float, busy: Callable[[], bool]) -> None:
    """Rest after work, and for longer while others wait; once they no longer do, the work goes on.

    Args:
        least_s: rest for so long in any case [s].
        took_s: what the work has just taken [s].
        busy: whether others wait.
    """
    await asyncio.sleep(least_s)
    rested_s = least_s
    while rested_s < _PAUSE_PER_WORK * took_s and busy():
        await asyncio.sleep(_LOOK_S)
        rested_s += _LOOK_S
