"""Gaps in the supply of meters: when each was dark at the latest, and when power went and came back to some together.

When power went and came back lies between bounds. It went between the newest message with power of any meter and the
first sign of darkness or reading that did not come; a last gasp says when. It came back to a transformer between a
silent meter's next reading and an interval before it, of all its meters together, and shortly before the first that
says so itself. Where nobody said so the middle is taken: neither early nor late on average.
"""

from dataclasses import dataclass

import numpy as np

from schemas.layout import Ints, Mask, Positions
from schemas.supply import GASPED, SILENCE

#: After any time [s].
_NEVER_S = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Gaps:
    """Gaps in the supply of meters, one value per gap; times in seconds since 1970-01-01 UTC.

    Attributes:
        meter: int64[n].
        transformer: int64[n], where the meter stood.
        lit_s, dark_s, back_s, interval_s, cause, back_told: int64[n], as in `schemas.supply.SupplyChanges`.
    """

    meter: Ints
    transformer: Ints
    lit_s: Ints
    dark_s: Ints
    back_s: Ints
    interval_s: Ints
    cause: Ints
    back_told: Ints

    @property
    def by_s(self) -> Ints:
        """When the meter was dark at the latest, int64[n]."""
        by = np.where(self.dark_s > 0, self.dark_s, self.lit_s + self.interval_s * 5 // 4)
        return np.where(self.back_s > 0, np.minimum(by, self.back_s), by)

    @property
    def told(self) -> Mask:
        """Whether the meter said so itself, bool[n]."""
        return np.asarray(self.cause != SILENCE)


@dataclass(frozen=True)
class Span:
    """A time that is known to lie between two others [s].

    Attributes:
        after_s: not before this one.
        at_s: the likeliest; 0 where it has not come.
        by_s: not after this one.
    """

    after_s: int
    at_s: int
    by_s: int


@dataclass(frozen=True)
class Returns:
    """When power came back to some meters, int64[k] each, as in `Span`; 0 where it has not."""

    after_s: Ints
    at_s: Ints
    by_s: Ints


def went(gaps: Gaps, members: Positions, slack_s: int) -> Span:
    """Return when the power of meters went that lost it together.

    Args:
        gaps: of any meters.
        members: intp[k], theirs.
        slack_s: within so long a meter says that its power is gone [s].
    """
    lit_s, dark_s = gaps.lit_s[members], gaps.dark_s[members]
    gasped = dark_s[(gaps.cause[members] == GASPED) & (dark_s > 0)]
    if len(gasped):
        word_s = int(gasped.min())
        return Span(max(int(np.minimum(lit_s, word_s).max()), word_s - slack_s), word_s, word_s)
    after_s = int(lit_s.max())
    by_s = max(after_s, int(np.where(dark_s > 0, dark_s, lit_s + gaps.interval_s[members]).min()))
    return Span(after_s, (after_s + by_s) // 2, by_s)


def came_back(gaps: Gaps, members: Positions, slack_s: int) -> Returns:
    """Return when power came back to meters, to those of one transformer together as far as what came allows that.

    Args:
        gaps: of any meters.
        members: intp[k], theirs.
        slack_s: within so long a meter says that its power is back [s].
    """
    back_s, word = gaps.back_s[members], gaps.back_told[members] > 0
    before_s = np.maximum(back_s - gaps.interval_s[members], np.maximum(gaps.lit_s[members], gaps.dark_s[members]))
    after_s = np.where(word, back_s - slack_s, before_s)
    _, part = np.unique(gaps.transformer[members], return_inverse=True)
    there = back_s > 0
    first_s = _of_parts(np.minimum, part, np.where(there, back_s, _NEVER_S), _NEVER_S)
    together = there & (after_s <= first_s)
    last_s = _of_parts(np.maximum, part, np.where(together, after_s, 0), 0)
    said = _of_parts(np.maximum, part, np.where(together, word, 0), 0) > 0
    by_s, after_s = np.where(together, first_s, back_s), np.where(together, last_s, after_s)
    at_s = np.where(np.where(together, said, word), by_s, (after_s + by_s) // 2)
    return Returns(*(np.where(there, times, 0) for times in (after_s, at_s, by_s)))


def _of_parts(combine: np.ufunc, part: Positions, values: Ints, none: int) -> Ints:
    """Combine the values of each part, and return what came of it for each of its members, int64[k]."""
    found = np.full(len(part), none, dtype=np.int64)
    combine.at(found, part, values)
    return found[part]
