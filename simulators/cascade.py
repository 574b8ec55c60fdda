"""Energy shared out over time by a cascade of splits: exact in whole watt-hours, open at any moment.

The energy of a long span is cut in two, each part again, down to minutes. A cut follows the expected use of both
parts, bent by a random factor of the node. Whole watt-hours go in and come out, so intervals of any length add up to
the register exactly, and the register at any moment is found by walking down one branch: nothing is summed from the
beginning of time. Multiplicative cascades also give household load its character: bursts at every time scale.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from schemas.layout import Floats, Ints


@dataclass(frozen=True)
class Cut:
    """One split of the span from `start` to `end` at `middle`.

    Attributes:
        start: first position of the span.
        middle: where it is cut.
        end: last position of the span.
        depth: how many cuts lie above.
    """

    start: int
    middle: int
    end: int
    depth: int


def halving(length: int) -> tuple[Cut, ...]:
    """Return the cuts that take a span of a whole length apart into ones, wider spans first."""
    found: list[Cut] = []
    level = [(0, length)]
    depth = 0
    while level:
        wide = [(start, end) for start, end in level if end - start > 1]
        found += [Cut(start, (start + end) // 2, end, depth) for start, end in wide]
        level = [part for start, end in wide for part in ((start, (start + end) // 2), ((start + end) // 2, end))]
        depth += 1
    return tuple(found)


def needed(cuts: Iterable[Cut], positions: Iterable[int]) -> tuple[Cut, ...]:
    """Return the cuts that have to be made to know what lies before each of these positions, wider spans first."""
    by_middle = {cut.middle: cut for cut in cuts}
    wanted = [position for position in positions if position in by_middle]
    chosen: dict[int, Cut] = {}
    while wanted:
        cut = by_middle[wanted.pop()]
        if cut.middle not in chosen:
            chosen[cut.middle] = cut
            wanted += [edge for edge in (cut.start, cut.end) if edge in by_middle]
    return tuple(sorted(chosen.values(), key=lambda cut: (cut.depth, cut.middle)))


def share(energy_wh: Ints, before: Floats | np.float64, after: Floats | np.float64, bend: Floats) -> Ints:
    """Return how much of some energy falls into the first part of a cut.

    Args:
        energy_wh: int64[...] of the whole span [Wh].
        before: float64[...], expected use of the first part, in any unit.
        after: float64[...], expected use of the second part, in the same unit.
        bend: float64[...], factor on the odds of the first part.

    Returns: int64[...], between 0 and energy_wh [Wh].
    """
    first = before * bend
    return np.rint(energy_wh * (first / (first + after))).astype(np.int64)
