"""The quality flag of a tick."""

import numpy as np
import numpy.typing as npt

from schemas.layout import Mask
from schemas.quality import ANOMALY, MISSING, NORMAL, WARNING
from schemas.ticks import TickBatch


def flag_of(batch: TickBatch, remarkable: Mask) -> npt.NDArray[np.int8]:
    """Return the code of a `QualityFlag` for each tick.

    `anomaly`: an extreme or unusual price; `warning`: bid above or at ask; `missing`: an interval without any figure,
    which is what an empty delivery is.
    """
    flag = np.full(len(batch), NORMAL, dtype=np.int8)
    flag[batch.floats("bid") >= batch.floats("ask")] = WARNING
    flag[remarkable] = ANOMALY
    flag[silent(batch)] = MISSING
    return flag


def silent(batch: TickBatch) -> Mask:
    """Say which ticks hold no figure at all, bool[n]."""
    found = np.ones(len(batch), dtype=bool)
    for name in batch.layout.floats:
        if batch.column(name).null_count < len(batch):
            found &= np.isnan(batch.floats(name))
    return found
