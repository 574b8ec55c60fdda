"""What is said of the quality of a value: the engine's flag, the letter and method of NEM12, the bits of ESPI."""

from enum import IntFlag, StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class QualityFlag(StrEnum):
    """What the engine thinks of a stored reading; the position in this list is its code in columns."""

    NORMAL = "normal"
    WARNING = "warning"
    ANOMALY = "anomaly"
    MISSING = "missing"
    MONITORING = "monitoring"
    ESTIMATED = "estimated"
    EDITED = "edited"
    REJECTED = "rejected"


FLAGS = tuple(QualityFlag)
NORMAL, WARNING, ANOMALY, MISSING, MONITORING, ESTIMATED, EDITED, REJECTED = range(8)
#: What nobody doubts; unusual values among them are worth watching, and no more.
HEALTHY = (NORMAL, MONITORING)
Codes = npt.NDArray[np.int8]

#: Where two parts of the engine speak of one reading, what is further back in this list is what counts.
_WEAKEST_FIRST = (NORMAL, MONITORING, WARNING, ANOMALY, ESTIMATED, EDITED, MISSING, REJECTED)
_STRENGTH = np.argsort(_WEAKEST_FIRST).astype(np.int8)


def stronger(one: Codes, other: Codes) -> Codes:
    """Return, reading by reading, the flag that counts of two, int8[n]."""
    return np.where(_STRENGTH[other] > _STRENGTH[one], other, one).astype(np.int8)


class EspiQuality(IntFlag):
    """IEEE 2030.5 and ESPI `ReadingQuality`: one bit per statement."""

    VALID = 1 << 0
    MANUALLY_EDITED = 1 << 1
    REFERENCE_DAY = 1 << 2
    LINEAR = 1 << 3
    QUESTIONABLE = 1 << 4
    DERIVED = 1 << 5
    PROJECTED = 1 << 6


#: NEM12 letters: actual, estimated, final substitute, null, substitute, varying within the day.
NEM12_LETTERS = "AEFNSV"
#: A letter and a method in one code: position of the letter times this, plus the method (0 for none).
_METHODS = 100


def nem12_code(text: str) -> int:
    """Return the code of a NEM12 quality and method such as `A` or `S14`.

    Raises:
        ValueError: it is neither.
    """
    letter, method = text[:1].upper(), text[1:]
    if letter not in NEM12_LETTERS or not letter or (method and not (method.isdecimal() and len(method) == 2)):
        raise ValueError(f"{text!r} is no NEM12 quality: one of {', '.join(NEM12_LETTERS)}, and a method of two digits")
    return NEM12_LETTERS.index(letter) * _METHODS + int(method or 0)


def nem12_text(codes: npt.NDArray[np.int16]) -> pa.StringArray:
    """Return codes as NEM12 writes them, text[n]."""
    known, which = np.unique(codes, return_inverse=True)
    words = [NEM12_LETTERS[code // _METHODS] + (f"{code % _METHODS:02d}" if code % _METHODS else "") for code in known]
    return pa.array(words, pa.string()).take(pa.array(which))


#: Code of an actual value, which needs no method.
ACTUAL = nem12_code("A")
