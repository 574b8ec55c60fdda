"""One seeded generator per entity, addressed by counter.

A draw depends on who, what for and when, never on what was drawn before. That makes a fleet the same however many
processes or batches it is cut into. The mixer is the finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable
Pseudorandom Number Generators, OOPSLA 2014), which passes BigCrush on counters; its eight elementwise operations
are cheaper in numpy than a round of Philox.
"""

import hashlib
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats, Ints

Bits = npt.NDArray[np.uint64]
Lane = npt.NDArray[np.uint16]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))

#: A table of normal quantiles beats the inverse function by far; 1,024 of them stay in the fastest cache.
_QUANTILES = 1024
_LANE_SHIFT = np.uint16(6)
_NORMAL: Floats = np.array([NormalDist().inv_cdf((step + 0.5) / _QUANTILES) for step in range(_QUANTILES)])


def salt(*parts: str | int) -> int:
    """Return 64 bits that stand for these words and numbers, the same on every machine."""
    text = "\0".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def keys(seed: int, kind: str, numbers: npt.NDArray[np.integer]) -> Bits:
    """Return the generator key of each entity.

    Args:
        seed: of the whole simulation.
        kind: what the entities are (`meter`, `feeder`, ...).
        numbers: int[n], their positions in the whole grid.
    """
    return draw(np.full(len(numbers), salt(seed, kind), dtype=np.uint64), 0, numbers.astype(np.uint64))


def draw(entity: Bits, purpose: int, counter: int | Bits | Ints) -> Bits:
    """Return 64 fresh bits per entity.

    Args:
        entity: uint64[...], generator keys.
        purpose: what the draw is for, a `salt`; draws for other purposes are independent.
        counter: which draw: a number for all, or an array that broadcasts against the keys.
    """
    if isinstance(counter, (int, np.integer)):
        mixed = entity + np.uint64((purpose + int(counter) * _GOLDEN) & _MASK)
    else:
        mixed = entity + (counter.astype(np.uint64) * np.uint64(_GOLDEN) + np.uint64(purpose))
    scratch = mixed >> _SHIFTS[0]
    mixed ^= scratch
    mixed *= _FIRST
    np.right_shift(mixed, _SHIFTS[1], out=scratch)
    mixed ^= scratch
    mixed *= _SECOND
    np.right_shift(mixed, _SHIFTS[2], out=scratch)
    mixed ^= scratch
    return mixed


def uniform(bits: Bits) -> Floats:
    """Turn draws into numbers in [0, 1) with 53 bits each."""
    numbers: Floats = np.multiply(bits >> np.uint64(11), 2.0**-53, dtype=np.float64)
    return numbers


def lane(bits: Bits, number: int) -> Lane:
    """Return one of the four 16-bit parts (0 to 3) of each draw: four small decisions for the price of one."""
    return bits.view(np.uint16)[..., number::4]


def fraction(part: Lane) -> Floats:
    """Turn 16-bit parts into numbers in [0, 1)."""
    numbers: Floats = np.multiply(part, 2.0**-16, dtype=np.float64)
    return numbers


def lookup(part: Lane, table: Floats) -> Floats:
    """Return the entry of a 1,024-row table that each 16-bit part points to."""
    found: Floats = table.take((part >> _LANE_SHIFT).astype(np.intp))
    return found


def normal(part: Lane) -> Floats:
    """Turn 16-bit parts into standard normal numbers (1,024 steps, within 3.3 standard deviations)."""
    return lookup(part, _NORMAL)


def lognormal_table(sigma: float) -> Floats:
    """Return the 1,024-row table for `lookup` of exp(sigma x normal): median one."""
    table: Floats = np.exp(sigma * _NORMAL)
    return table


def smooth(entity: Bits, purpose: int, position: Floats) -> Floats:
    """Return smooth noise with mean 0 and standard deviation about 0.8.

    Independent normal numbers at whole positions, eased between.

    Args:
        entity: uint64[e] keys.
        purpose: what for.
        position: float[t], time in units of the noise's period; equal positions always give equal values.

    Returns: float64[t, e].
    """
    left = np.floor(position)
    ease = position - left
    ease = (ease * ease * (3.0 - 2.0 * ease))[:, None]
    at_left = normal(lane(draw(entity[None, :], purpose, left.astype(np.int64)[:, None]), 0))
    at_right = normal(lane(draw(entity[None, :], purpose, left.astype(np.int64)[:, None] + 1), 0))
    return at_left * (1.0 - ease) + at_right * ease
