"""Classes of meters that rules can tell apart, and what a registry's status means."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8]

#: The position is the code in columns; `unknown` is a meter that nobody has registered or whose class is not listed.
CLASSES = (
    "unknown",
    "residential",
    "commercial",
    "industrial",
    "agricultural",
    "public",
    "solar",
    "generation",
    "transformer",
)
#: Class of the meters of transformers themselves: they measure their customers once more, and are none.
TRANSFORMER_METERS = "transformer"
#: What is known of a meter's standing, by code: nothing yet, not in the registry, in use, and everything else.
NOT_ASKED, UNREGISTERED, ACTIVE, INACTIVE = range(4)


def class_codes(names: Sequence[str | None]) -> Codes:
    """Return the code of each class name, uint8[n]; what is not listed counts as `unknown`."""
    return np.array([CLASSES.index(name) if name in CLASSES else 0 for name in names], dtype=np.uint8)


def status_codes(names: Sequence[str]) -> Codes:
    """Return the code of each registry status, uint8[n]."""
    known = {"unregistered": UNREGISTERED, "active": ACTIVE}
    return np.array([known.get(name, INACTIVE) for name in names], dtype=np.uint8)
