"""Labels on the wrong side: figures that stand under the time of the interval before or after theirs.

Both edges of an interval are on the market's grid, so no tick shows which one it means. What shows it is a second word:
where the same figures came from elsewhere, or come again, each contradicts what is stored under its time and says what
is stored one interval beside it. A price that is the same in both says nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from schemas.layout import Floats

#: Contradictions from which on a series is judged, and the share of them that must agree.
_LEAST, _SHARE = 6, 0.9


class Side(StrEnum):
    """Where a source puts figures, against what is stored."""

    EARLIER = "earlier"
    LATER = "later"


@dataclass(frozen=True)
class Contradictions:
    """What contradicted the stored figures of a series.

    Attributes:
        count: of the figures that did.
        earlier: of them, those that are stored one interval later: they came under too early a time.
        later: those that are stored one interval earlier.
    """

    count: int
    earlier: int
    later: int

    @property
    def side(self) -> Side | None:
        """Where the source puts figures; None where it is not that which they contradict by."""
        if max(self.earlier, self.later) < max(_LEAST, _SHARE * self.count):
            return None
        return Side.EARLIER if self.earlier > self.later else Side.LATER


def contradictions(said: Floats, before: Floats, stored: Floats, after: Floats) -> Contradictions:
    """Hold figures that contradict what is stored against what is stored beside it.

    Args:
        said: float64[n], the figures, prices or quantities; one that is stored as it was said is left out.
        before: float64[n], what is stored one interval earlier, NaN where nothing is.
        stored: float64[n], what is stored under their time.
        after: float64[n], what is stored one interval later.
    """
    against = ~np.isnan(said) & ~np.isnan(stored) & (said != stored)
    is_next, is_last = against & (said == after), against & (said == before)
    return Contradictions(int(against.sum()), int((is_next & ~is_last).sum()), int((is_last & ~is_next).sum()))
