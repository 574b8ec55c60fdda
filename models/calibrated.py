"""From what a model says of readings to how rare that is among healthy ones."""

import numpy as np
import numpy.typing as npt

from models.manifest import Calibration
from schemas.layout import Floats

#: The rarest share that is calibrated is seen this often.
_RAREST_SEEN = 5
_SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 5e-3, 2e-3, 1e-3, 5e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5)


def shares_of(readings: int) -> list[float]:
    """Return the shares that so many readings can tell, falling."""
    return [share for share in _SHARES if share * readings >= _RAREST_SEEN]


class Calibrated:
    """From the forest's own score to the share of healthy readings of such meters that are as strange.

    Args:
        calibration: as the manifest has it.
    """

    def __init__(self, calibration: Calibration) -> None:
        self._edges = np.array(calibration.size_edges_kw)
        self._log_shares = np.log(calibration.shares)
        self._thresholds = [np.array(row) for row in calibration.thresholds]

    def share(self, raw: Floats, day_mean_kw: npt.NDArray[np.float32]) -> Floats:
        """Return float64[n], 0 to 1; beyond the rarest reading that was seen, the tail goes on as it ended.

        Args:
            raw: float64[n], the forest's own scores.
            day_mean_kw: float32[n], how large the meters are [kW].
        """
        group = np.digitize(day_mean_kw, self._edges)
        log_share = np.empty(len(raw))
        for number, thresholds in enumerate(self._thresholds):
            mine = group == number
            log_share[mine] = np.interp(raw[mine], thresholds, self._log_shares)
            beyond = mine & (raw > thresholds[-1])
            slope = (self._log_shares[-1] - self._log_shares[-3]) / max(thresholds[-1] - thresholds[-3], 1e-6)
            log_share[beyond] += (raw[beyond] - thresholds[-1]) * slope
        share: Floats = np.exp(log_share)
        return share
