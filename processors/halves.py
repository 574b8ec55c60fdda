"""Half precision in compiled passes, which know it only as 16 bits (IEEE 754, binary16)."""

import numpy as np
import numpy.typing as npt

from processors.compiled import part
from schemas.layout import Floats

Bits = npt.NDArray[np.uint16]

#: float64[65536], the value of all bits that there are.
VALUE: Floats = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16).view(np.float16).astype(np.float64)

#: Bits of a float64 that a half has no room for.
_LOST = 42


@part
def half_of(value: float) -> int:  # pragma: no cover - runs compiled
    """Return the bits of the half that is nearest to a value, of two the even one; as numpy does."""
    bits = int(np.float64(value).view(np.int64))
    sign = (bits >> 48) & 0x8000
    exponent = ((bits >> 52) & 0x7FF) - 1023
    fraction = bits & ((1 << 52) - 1)
    if exponent == 1024:
        return sign | (0x7E00 if fraction else 0x7C00)
    if exponent > 15:
        return sign | 0x7C00
    if exponent < -25:
        return sign
    if exponent >= -14:
        lost = _LOST
        kept = ((exponent + 15) << 10) | (fraction >> lost)
    else:
        fraction |= 1 << 52
        lost = _LOST - 14 - exponent
        kept = fraction >> lost
    rest, middle = fraction & ((1 << lost) - 1), 1 << (lost - 1)
    if rest > middle or (rest == middle and kept & 1):
        kept += 1
    return sign | kept
