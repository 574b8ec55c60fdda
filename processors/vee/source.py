"""What a source says of its own values: a NEM12 quality, a word, or nothing."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.layout import Mask
from schemas.quality import ACTUAL, EspiQuality, nem12_code

#: Words that sources use for values that they made up, and for meters that are not in service.
_WORDS = {"estimated": "E", "substituted": "S", "substitute": "S", "forecast": "E", "null": "N"}
_MODES = {"test": 1, "test_mode": 1, "maintenance": 2}
#: NEM12 methods that take a like day, and that compute a value from others.
_REFERENCE_DAYS = {14, 15, 20, 22, 23, 25, 51, 61}
_LINEAR = {17, 54, 69}


class Said(NamedTuple):
    """What sources say, one value per reading.

    Attributes:
        nem12: int16[n], code of quality letter and method.
        espi: int16[n], ESPI quality bits.
        estimated: bool[n], the value was estimated, substituted or left open.
        mode: int8[n], 0 in service, 1 in test mode, 2 under maintenance.
    """

    nem12: npt.NDArray[np.int16]
    espi: npt.NDArray[np.int16]
    estimated: Mask
    mode: npt.NDArray[np.int8]


def said(source_quality: pa.StringArray) -> Said:
    """Read what sources say of their readings; nothing, or a word that nobody knows, is an actual value.

    Args:
        source_quality: text[n], null where nothing is said.
    """
    count = len(source_quality)
    if source_quality.null_count == count:
        return Said(
            np.full(count, ACTUAL, np.int16),
            np.full(count, EspiQuality.VALID, np.int16),
            np.zeros(count, dtype=bool),
            np.zeros(count, np.int8),
        )
    words = source_quality.dictionary_encode()
    # Null is one more word, the last one.
    which = words.indices.fill_null(len(words.dictionary)).to_numpy(zero_copy_only=False)
    table = [_read(word) for word in words.dictionary.to_pylist()] + [(ACTUAL, EspiQuality.VALID, False, 0)]
    code, espi, estimated, mode = (np.array(column) for column in zip(*table, strict=True))
    return Said(
        code[which].astype(np.int16), espi[which].astype(np.int16), estimated[which], mode[which].astype(np.int8)
    )


def espi_of(code: int) -> EspiQuality:
    """Return the ESPI bits that say the same as a NEM12 quality."""
    letter, method = divmod(code, 100)
    if letter == ACTUAL // 100:
        return EspiQuality.VALID
    if letter == nem12_code("E") // 100:
        return EspiQuality.PROJECTED
    if method in _REFERENCE_DAYS:
        return EspiQuality.REFERENCE_DAY
    if method in _LINEAR:
        return EspiQuality.LINEAR
    return EspiQuality.DERIVED


def _read(word: str) -> tuple[int, EspiQuality, bool, int]:
    # After a colon comes the reason.
    said_first = word.partition(":")[0].strip()
    plain = said_first.lower()
    try:
        code = nem12_code(_WORDS.get(plain, said_first))
    except ValueError:
        code = ACTUAL
    return code, espi_of(code), code // 100 != ACTUAL // 100, _MODES.get(plain, 0)
