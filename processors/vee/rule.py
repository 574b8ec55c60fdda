"""What a rule is: a measure of each reading, held against two thresholds."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from processors.vee.facts import Facts
from schemas.layout import Floats


class Result(IntEnum):
    """What a rule says of a reading."""

    PASS = 0
    WARN = 1
    FAIL = 2


#: Gives a parameter by name: one number, or one per reading where classes or sources differ.
Parameters = Callable[[str], Any]


@dataclass(frozen=True)
class Rule:
    """One rule; a reading warns where its measure is above the first threshold, and fails where above the second.

    Attributes:
        id: name in files, tables and reports; never changed, never used again.
        bit: its place in masks; never changed, never used again.
        version: raised whenever the same reading may be measured differently.
        reason: code of the reason that it gives.
        about: what it looks for, in one line.
        unit: of the measure and its thresholds.
        measure: float64[n]; NaN where the rule does not apply to a reading.
        parameters: names of what else can be set.
        needs: columns of which at least one must hold anything in a batch; none when the rule looks elsewhere.
    """

    id: str
    bit: int
    version: int
    reason: str
    about: str
    unit: str
    measure: Callable[[Facts, Parameters], Floats]
    parameters: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
