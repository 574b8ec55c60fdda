"""Whether meters have power: the words that they say of it themselves, and the spans in which they had none."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Self

import numpy as np
import numpy.typing as npt

from schemas.layout import Ints, Mask

#: What `source_quality` says in the message of a meter whose power has gone, and of one whose power is back.
LAST_GASP, POWER_UP = "last_gasp", "power_up"


class Cause(StrEnum):
    """By what a meter without power is known; the position in this list is its code in columns."""

    SILENCE = "silence"
    POWER_UP = "power_up"
    ZERO_VOLTAGE = "zero_voltage"
    LAST_GASP = "last_gasp"


CAUSES = tuple(Cause)
SILENCE, POWERED_UP, ZERO_VOLTAGE, GASPED = range(4)


@dataclass(frozen=True)
class SupplyChanges:
    """What becomes of meters' power, one entry per change; an open gap of the same meter is replaced by its entries.

    Attributes:
        meter_number: object[k], text.
        offset: int64[k], Kafka offset of the reading that shows it.
        lit_s: int64[k], newest reading with power before the gap [s since 1970-01-01 UTC]; 0: there is no gap at all.
        dark_s: int64[k], first sign of the meter that its power is gone [s]; 0 where it gave none.
        back_s: int64[k], first reading with power after the gap [s]; 0 while it is open.
        interval_s: int64[k], the meter's usual time between readings [s], 0 while unknown.
        cause: int8[k], code of a `Cause`.
        back_told: bool[k], whether the meter said itself that its power is back, at `back_s`.
    """

    meter_number: npt.NDArray[np.object_]
    offset: Ints
    lit_s: Ints
    dark_s: Ints
    back_s: Ints
    interval_s: Ints
    cause: npt.NDArray[np.int8]
    back_told: Mask

    def __len__(self) -> int:
        return len(self.offset)

    @classmethod
    def none(cls) -> Self:
        """Return no change."""
        whole = np.zeros(0, dtype=np.int64)
        code, told = np.zeros(0, dtype=np.int8), np.zeros(0, dtype=bool)
        return cls(np.zeros(0, dtype=object), whole, whole, whole, whole, whole, code, told)

    def where(self, mask: Mask) -> Self:
        """Return the changes where the mask is true."""
        return type(self)(*(getattr(self, field.name)[mask] for field in fields(self)))

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Put changes one behind the other."""
        if not parts:
            return cls.none()
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))
