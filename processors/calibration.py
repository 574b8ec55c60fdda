"""Scores that mean the same everywhere: how rarely a healthy meter shows something as unusual."""

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats

#: Alerts per 10,000 meters and day that a score of WARNING stands for, unless a setting says otherwise.
BUDGET = 100.0

#: (days between two readings as unusual as this of one healthy meter, score) at that budget; linear in the logarithm of
#: the days.
SCALE = ((0.01, 0.0), (0.1, 0.3), (1.0, 0.5), (10.0, 0.70), (100.0, 0.85), (1_000.0, 0.95), (100_000.0, 1.0))

#: From here on a score is worth watching, an alert, a critical one.
MONITORING, WARNING, CRITICAL = 0.70, 0.85, 0.95

LOG_DAYS = np.log10([days for days, _ in SCALE])
SCORES = np.array([score for _, score in SCALE])
_DAY_S = 86_400.0
LEAST_SHARE = 1e-12


def score_of(
    share: Floats, interval_s: npt.NDArray[np.float32] | Floats, budget: float = BUDGET
) -> npt.NDArray[np.float32]:
    """Turn "so small a share of healthy readings is as unusual" into a score.

    At the usual budget, 0.70 is what a healthy meter shows once in 10 days, 0.85 once in 100, 0.95 once in 1,000,
    whatever the class of the meter and the length of its interval. Alerts from 0.85 on are therefore about 100 per
    10,000 meters and day where nothing is wrong, those from 0.95 on about 10. Half the budget makes all of it twice as
    rare.

    Args:
        share: float64[n], 0 to 1; NaN where not known; 1 is what nothing is unusual about, and scores 0.
        interval_s: of the meters [s].
        budget: alerts from 0.85 on per 10,000 healthy meters and day.

    Returns: float32[n], 0 to 1; NaN where not known.
    """
    days = interval_s / _DAY_S / np.maximum(share, LEAST_SHARE) * (budget / BUDGET)
    scores: npt.NDArray[np.float32] = np.interp(np.log10(days), LOG_DAYS, SCORES).astype(np.float32)
    scores[share >= 1.0] = 0.0
    return scores
