"""Why readings are worth watching: kind, what contributed and by how much, what was expected and its band."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from processors import calibration
from processors.alert_kinds import KIND_OF, VOLTS
from processors.judgement import Judgement
from processors.opinion import NOTHING_BEGUN, Onsets, Opinion
from processors.signals import SIGNALS
from schemas.alerts import AlertKind
from schemas.explanation import Explanation
from schemas.layout import Mask, Positions

#: Explanations beside n readings: object[n], None where there is nothing to explain.
Explanations = npt.NDArray[np.object_]

#: Signals that less than this share of a meter's readings reach contribute.
_RARE = 0.01
#: Readings of one step whose features are worked out: all that begin something, then the strangest. Each costs as much
#: as scoring thirteen: in a storm, where thousands are strange for one reason, the others have kind, expectation and
#: band alone.
_MOST_WITH_FEATURES = 256

_KINDS = np.array([KIND_OF[signal].value for signal in SIGNALS], dtype=object)
_IN_VOLTS = np.isin(SIGNALS, VOLTS)
_NAMES = pa.array([str(signal) for signal in SIGNALS])
_HUNDREDTHS = pa.array([f"{hundredths / 100:.2f}" for hundredths in range(101)])


def explain(judgement: Judgement, opinion: Opinion, monitoring: float, begun: Onsets = NOTHING_BEGUN) -> Explanations:
    """Explain each reading that is worth watching.

    Args:
        judgement: of n readings by their meters' own past.
        opinion: of the same by models; it explains what the past does not find.
        monitoring: scores from here on are worth watching.
        begun: what begins by the models' word, whose reasons are known already.

    Returns: object[n], an `Explanation` or None.
    """
    found: Explanations = np.full(len(judgement.score), None, dtype=object)
    own = judgement.score >= monitoring
    _fill(found, np.flatnonzero(own), *_by_past(judgement, own))
    by_model = np.flatnonzero(~own & (opinion.score >= monitoring))
    kinds = np.full(len(by_model), AlertKind.UNUSUAL_READING.value, dtype=object)
    values = (judgement.expected_kwh[by_model], judgement.band_kwh[by_model], np.full(len(by_model), "kWh"))
    _fill(found, by_model, kinds, *values, _features(opinion, by_model, begun))
    return found


def contributions(judgement: Judgement, at: Positions) -> list[str]:
    """Return the signals that are rare for their meters, with the score that each would have alone, the rarest first.

    Args:
        judgement: of n readings.
        at: intp[k], the readings asked for.
    """
    share = judgement.rarity[at].astype(np.float64)
    scores = calibration.score_of(share, judgement.past.interval_s[at, None], judgement.budget)
    # NaN is sorted behind everything and is not rare.
    order = np.argsort(share, axis=1, kind="stable")
    most = int((share < _RARE).sum(axis=1).max(initial=0))
    if not most:
        return [""] * len(at)
    told = [_told(order[:, rank], share, scores) for rank in range(most)]
    # Each begins with a comma, since joining with one leaves a row of nothing but nulls out altogether.
    texts: list[str] = pc.utf8_slice_codeunits(pc.binary_join_element_wise(*told, ""), 2).to_pylist()
    return texts


def _told(signal: Positions, share: npt.NDArray[np.float64], scores: npt.NDArray[np.float32]) -> pa.StringArray:
    """Return `, signal score` of one signal of each reading, nothing where it is not rare."""
    rows = np.arange(len(signal))
    rare = share[rows, signal] < _RARE
    hundredths = np.rint(np.where(rare, scores[rows, signal], 0.0) * 100).astype(np.int64)
    names = pc.binary_join_element_wise(", ", _NAMES.take(pa.array(signal)), "")
    told = pc.binary_join_element_wise(names, _HUNDREDTHS.take(pa.array(hundredths)), " ")
    return pc.if_else(pa.array(rare), told, "")


def _by_past(
    judgement: Judgement, own: Mask
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.str_], list[str]]:
    at = np.flatnonzero(own)
    # A reading with a score has at least one signal that is known.
    what = np.nan_to_num(judgement.rarity[at], nan=np.inf).argmin(axis=1)
    volts = _IN_VOLTS[what]
    return (
        _KINDS[what],
        np.where(volts, judgement.usual_voltage[at], judgement.expected_kwh[at]),
        np.where(volts, np.nan, judgement.band_kwh[at]),
        np.where(volts, "V", "kWh"),
        contributions(judgement, at),
    )


def _features(opinion: Opinion, at: Positions, begun: Onsets) -> list[str]:
    """Return what models say contributed, of what begins and of the strangest readings; nothing of the rest."""
    told = np.full(len(at), "", dtype=object)
    _, known, place = np.intersect1d(at, begun.at, assume_unique=True, return_indices=True)
    told[known] = np.array(begun.reasons, dtype=object)[place]
    others = np.setdiff1d(np.arange(len(at)), known, assume_unique=True)
    most = max(_MOST_WITH_FEATURES - len(known), 0)
    strangest = np.sort(others[np.argsort(-opinion.score[at[others]], kind="stable")[:most]])
    told[strangest] = opinion.explain(at[strangest])
    texts: list[str] = told.tolist()
    return texts


def _fill(
    found: Explanations,
    at: Positions,
    kind: npt.NDArray[np.object_],
    expected: npt.NDArray[np.float64],
    band: npt.NDArray[np.float64],
    unit: npt.NDArray[np.str_],
    told: list[str],
) -> None:
    columns = (kind.tolist(), expected.tolist(), band.tolist(), unit.tolist(), told)
    # One object for each reading that is worth watching, which are few by what a score means.
    for place, facts in zip(at.tolist(), zip(*columns, strict=True), strict=True):
        found[place] = Explanation(*facts)
