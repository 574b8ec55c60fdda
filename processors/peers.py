"""A meter beside its neighbours: what others of its transformer and class show at once is not its own doing."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.judgement import Judgement
from processors.signals import SIGNALS, Anomaly
from processors.state import MeterState
from schemas.layout import Floats, Ints, Mask, Positions

#: So many neighbours must have spoken, and this share of them must show the same ...
LEAST_PEERS, LEAST_SHARE = 3, 2.0 / 3.0
#: ... at least this part as far off, or as far as is unusual for themselves, within this part of an interval.
_AS_FAR, _UNUSUAL_Z, _AT_ONCE = 0.5, 3.0, 0.5

_VOLTS = np.isin(SIGNALS, (Anomaly.SWELL, Anomaly.SAG))
#: Signals of which a neighbour may show the same, and in which direction.
_UP = np.isin(SIGNALS, (Anomaly.SPIKE, Anomaly.LEVEL_RISE, Anomaly.LONG_HIGH, Anomaly.SWELL))
_DOWN = np.isin(SIGNALS, (Anomaly.DROP, Anomaly.THEFT_SUSPICION, Anomaly.LONG_LOW, Anomaly.SAG))


@dataclass(frozen=True)
class Before:
    """What the meters of n readings showed last before these came.

    Attributes:
        time_us: int64[n], when [us].
        z: float32[n], deviation of power from the profile [standard deviations].
        volts_off: float32[n], deviation of voltage from the usual [V].
    """

    time_us: Ints
    z: npt.NDArray[np.float32]
    volts_off: npt.NDArray[np.float32]

    @classmethod
    def of(cls, state: MeterState, rows: Positions) -> "Before":
        """Remember the state, and where each meter stands in the grid."""
        state.peer_group[rows] = state.group_id[rows]
        return cls(state.last_time_us[rows], state.last_z[rows], state.last_volts_off[rows])


@dataclass(frozen=True)
class Neighbours:
    """What neighbours said of some readings.

    Attributes:
        spoken: int32[n], neighbours that had reported the same interval before; 0 where nothing was asked.
        agree: int32[n], those that show the same.
    """

    spoken: npt.NDArray[np.int32]
    agree: npt.NDArray[np.int32]

    @classmethod
    def none(cls, n: int) -> "Neighbours":
        """Return what is said where nobody was asked."""
        return cls(np.zeros(n, dtype=np.int32), np.zeros(n, dtype=np.int32))

    @property
    def shared(self) -> Mask:
        """bool[n], where most of enough neighbours show the same: it is the grid or the weather, not the meter."""
        return np.asarray((self.spoken >= LEAST_PEERS) & (self.agree >= LEAST_SHARE * self.spoken))


def compare(
    judgement: Judgement, rows: Positions, time_us: Ints, before: Before, state: MeterState, asked: Mask
) -> Neighbours:
    """Ask the neighbours of some readings, those of the same transformer and class in the same partition.

    What counts is what had come before the reading, in the order of the partition, so that batches do not show; nothing
    in the state changes.

    Args:
        judgement: of n readings.
        rows: intp[n], state row of each reading's meter.
        time_us: int64[n], event time [us].
        before: from before they were judged.
        state: the partition's state after they were.
        asked: bool[n], the readings in question.
    """
    n = len(rows)
    found = Neighbours.none(n)
    signal = judgement.rarity.argmin(axis=1)
    at = np.flatnonzero(asked & (state.peer_group[rows] > 0) & (_UP | _DOWN)[signal])
    if not len(at):
        return found
    asking, peer = _pairs(state, rows, at)
    then_us, z, volts_off = _latest(judgement, rows, time_us, before, state, asking, peer)
    volts = _VOLTS[signal[asking]]
    theirs = np.where(volts, volts_off, z).astype(np.float64)
    ours = np.where(volts, judgement.volts_off[asking], judgement.z[asking]).astype(np.float64)
    side = np.where(_UP[signal[asking]], 1.0, -1.0)
    near_us = _AT_ONCE * judgement.past.interval_s[asking] * 1e6
    spoken = (np.abs((then_us - time_us[asking]).astype(np.float64)) < near_us) & ~np.isnan(theirs)
    enough = np.minimum(_AS_FAR * np.maximum(side * ours, 0.0), np.where(volts, np.inf, _UNUSUAL_Z))
    agree = spoken & (side * theirs > 0.0) & (side * theirs >= enough)
    found.spoken[:] = np.bincount(asking[spoken], minlength=n)
    found.agree[:] = np.bincount(asking[agree], minlength=n)
    return found


def _pairs(state: MeterState, rows: Positions, at: Positions) -> tuple[Positions, Positions]:
    """Return pairs of a reading's position and the row of a neighbour of its meter."""
    family = state.peer_group[: state.extent].astype(np.int64) * 256 + state.vee_class[: state.extent]
    members = np.flatnonzero(np.isin(family, np.unique(family[rows[at]])))
    members = members[np.argsort(family[members], kind="stable")]
    first = np.searchsorted(family[members], family[rows[at]], side="left")
    count = np.searchsorted(family[members], family[rows[at]], side="right") - first
    asking = np.repeat(at, count)
    within = np.arange(len(asking)) - np.repeat(np.cumsum(count) - count, count)
    peer = members[np.repeat(first, count) + within]
    others = peer != rows[asking]
    return asking[others], peer[others]


def _latest(
    judgement: Judgement,
    rows: Positions,
    time_us: Ints,
    before: Before,
    state: MeterState,
    asking: Positions,
    peer: Positions,
) -> tuple[Ints, Floats, Floats]:
    """Return time, z and volts of the newest reading of each peer that came before the one that asks."""
    order = np.flatnonzero(judgement.in_order)
    order = order[np.argsort(rows[order], kind="stable")]
    key = rows[order].astype(np.int64) * (len(rows) + 1) + order
    # A peer that is not in the batch stands as it did; otherwise what it showed before its first reading here ...
    then_us, z, volts_off = state.last_time_us[peer], state.last_z[peer], state.last_volts_off[peer]
    place = np.searchsorted(rows[order], peer)
    here = (place < len(order)) & (rows[order][np.minimum(place, max(len(order) - 1, 0))] == peer)
    start = order[place[here]]
    then_us[here], z[here], volts_off[here] = before.time_us[start], before.z[start], before.volts_off[start]
    # ... unless one came between that and the reading that asks.
    newest = np.searchsorted(key, peer.astype(np.int64) * (len(rows) + 1) + asking) - 1
    came = here & (newest >= place)
    late = order[newest[came]]
    then_us[came], z[came], volts_off[came] = time_us[late], judgement.z[late], judgement.volts_off[late]
    return then_us, z.astype(np.float64), volts_off.astype(np.float64)
