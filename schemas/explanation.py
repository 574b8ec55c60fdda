"""Why a reading is worth watching, kept beside it."""

from typing import NamedTuple


class Explanation(NamedTuple):
    """What is said of one reading whose score is worth watching.

    Attributes:
        kind: value of an `AlertKind`: what it looks like, whether or not anybody is told.
        expected: what was expected, in `unit`; NaN where nothing was known.
        band: 98 % of the meter's readings are no further above `expected`; NaN where unknown, and for volts.
        unit: `kWh` or `V`.
        contributions: signals or features with the score or share that each has by itself, the largest first.
    """

    kind: str
    expected: float
    band: float
    unit: str
    contributions: str
