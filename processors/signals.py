"""What of a reading may be unusual: twelve signals, each higher the more unusual it is."""

from enum import StrEnum

import numpy as np


class Anomaly(StrEnum):
    """What kind of unusual a reading is; the position in this list is that of its signal."""

    SPIKE = "spike"
    DROP = "drop"
    LEVEL_RISE = "level_rise"
    THEFT_SUSPICION = "theft_suspicion"
    SWELL = "swell"
    SAG = "sag"
    LONG_HIGH = "long_high"
    LONG_LOW = "long_low"
    FLATLINE = "flatline"
    REGISTER_MISMATCH = "register_mismatch"
    OVERHEATING = "overheating"
    LONGER_RUNS = "longer_runs"


SIGNALS = tuple(Anomaly)

#: Where the tails of a new meter begin, and where none falls below: threshold and mean excess, by signal, but for the
#: last one, of which theory says how rare it is (`processors.runs`). Standard
#: deviations for the first four, volts, logarithms of intervals, repeats, shares of the average
#: energy, and kelvin.
FIRST_THRESHOLD = np.array([3, 2.5, 1.2, 1.2, 4, 4, 3.7, 4.2, 1, 0.1, 10], dtype=np.float32)
FIRST_EXCESS = np.array([1.5, 0.7, 0.4, 0.4, 1, 1, 0.4, 0.4, 0.5, 0.05, 3], dtype=np.float32)
LEAST = (
    np.array([1.5, 1.5, 0.3, 0.3, 2, 2, 1.4, 1.4, 0.5, 0.05, 3], dtype=np.float32),
    np.array([0.3, 0.3, 0.1, 0.1, 0.5, 0.5, 0.05, 0.05, 0.25, 0.02, 1], dtype=np.float32),
)

#: How heavy the tails are, by signal: loads have heavier ones than voltages.
SHAPE = np.array([0.2, 0.1, 0.1, 0.1, 0.05, 0.05, 0.1, 0.1, 0.02, 0.02, 0.05], dtype=np.float32)
#: Signals of what customers do, which may be a habit; the others are of the state of things, and no habit excuses them.
OF_USE = ~np.isin(
    SIGNALS, (Anomaly.SWELL, Anomaly.SAG, Anomaly.REGISTER_MISMATCH, Anomaly.OVERHEATING, Anomaly.LONGER_RUNS)
)
#: Signals that say nothing before a day of the meter is known: until then everything deviates from next to nothing.
NEEDS_DAY = np.arange(len(SIGNALS)) < 4
