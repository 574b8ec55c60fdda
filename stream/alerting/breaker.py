"""A circuit breaker: what fails again and again is left alone for a while, and then tried with one call."""

import time
from collections.abc import Callable
from enum import StrEnum

from stream.backoff import Backoff

#: The longest pause, in first ones.
_CEILING = 4.0


class Circuit(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """Lets calls through until enough in a row have failed; then none for a pause, and after that one, which decides.

    A probe that fails makes the next pause longer, up to four times the first one. Pauses are shortened by chance, so
    that many desks do not return to a service at once.

    Args:
        open_after: failures in a row that open the circuit.
        pause_s: first pause [s].
        clock: seconds that never go back.
    """

    def __init__(self, open_after: int, pause_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._open_after = open_after
        self._clock = clock
        self._pauses = Backoff(pause_s, _CEILING * pause_s)
        self._probe_at: float | None = None
        self.failures = 0

    @property
    def circuit(self) -> Circuit:
        """Closed: call. Open: do not. Half-open: one call is the probe."""
        if self._probe_at is None:
            return Circuit.CLOSED
        return Circuit.OPEN if self._clock() < self._probe_at else Circuit.HALF_OPEN

    @property
    def rest_s(self) -> float:
        """How long it stays open from now on [s]; 0 where it is not."""
        return 0.0 if self._probe_at is None else max(0.0, self._probe_at - self._clock())

    def answered(self) -> bool:
        """Note a call that was answered; return whether that has closed the circuit."""
        closes = self._probe_at is not None
        self.failures, self._probe_at = 0, None
        self._pauses.reset()
        return closes

    def failed(self, at_least_s: float = 0.0) -> bool:
        """Note a call that was not; return whether the circuit is open now.

        Args:
            at_least_s: how long the other side asks to be left alone [s].
        """
        self.failures += 1
        if self._probe_at is None and self.failures < self._open_after:
            return False
        self._probe_at = self._clock() + max(self._pauses.next_s(), at_least_s)
        return True
