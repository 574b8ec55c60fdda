"""New values of intervals: estimates, edits, and what a newer rule set says; never a change of what there is."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats, Ints, Mask
from schemas.quality import Codes


class ValueKind(StrEnum):
    """Why there is a new value of an interval."""

    ESTIMATE = "estimate"
    EDIT = "edit"
    ACCEPT = "accept"
    REJECT = "reject"
    RERUN = "rerun"


@dataclass(frozen=True)
class Values:
    """New values, as columns.

    Attributes:
        meter_id: int64[n].
        time_us: int64[n], end of the interval [us].
        over_reading: bool[n], counts even where there is a reading.
        kwh: float64[n], energy [kWh]; NaN for a value that is not to be used.
        flag: int8[n], code of a `QualityFlag`.
        failed: int64[n], mask of the rules that fail.
        warned: int64[n], mask of those that warn.
        method: text[n], how it was come by.
        confidence: float64[n], 0 to 1, NaN where unknown.
        nem12: text[n], NEM12 quality and method.
        espi: int16[n], ESPI quality bits.
        export_kwh: float64[n], energy fed in [kWh]; NaN where nothing is said of it: the reading's own then counts.
        export_method: text[n], how that was come by; empty where nothing is said.
        export_confidence: float64[n], as `confidence`.
    """

    meter_id: Ints
    time_us: Ints
    over_reading: Mask
    kwh: Floats
    flag: Codes
    failed: Ints
    warned: Ints
    method: npt.NDArray[np.str_]
    confidence: Floats
    nem12: npt.NDArray[np.str_]
    espi: npt.NDArray[np.int16]
    export_kwh: Floats
    export_method: npt.NDArray[np.str_]
    export_confidence: Floats

    def __len__(self) -> int:
        """Return how many values there are."""
        return len(self.meter_id)

    @classmethod
    def of(cls, meter_id: Ints, **columns: Any) -> "Values":
        """Return values that fail no rule, and say nothing of confidence and of energy fed in unless it is given."""
        count = len(meter_id)
        nothing, zero = np.full(count, np.nan), np.zeros(count, dtype=np.int64)
        usual = {
            "failed": zero,
            "warned": zero,
            "confidence": nothing,
            "export_kwh": nothing,
            "export_method": np.full(count, "", dtype=np.str_),
            "export_confidence": nothing,
        }
        return cls(meter_id=meter_id, **(usual | columns))

    def where(self, mask: Mask) -> "Values":
        """Return those where the mask is true."""
        return Values(**{item.name: getattr(self, item.name)[mask] for item in fields(self)})


@dataclass(frozen=True)
class Audit:
    """Who makes new values, and why.

    Attributes:
        kind: what they are.
        author: a person or a part of the engine.
        reason: in words.
        rule_set: version of the rule set in force.
    """

    kind: ValueKind
    author: str
    reason: str
    rule_set: int
