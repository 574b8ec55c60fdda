"""Two counts of time: the simulation's seconds, and the microseconds since 1970 that ticks carry."""

from simulators.local_time import DAY_S, EPOCH_DAY

#: The simulation's epoch [s since 1970-01-01 UTC].
EPOCH_S = EPOCH_DAY * DAY_S


def unix_us(seconds: int) -> int:
    """Return seconds since the simulation's epoch as microseconds since 1970-01-01 UTC."""
    return (seconds + EPOCH_S) * 1_000_000
