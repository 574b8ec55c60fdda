"""The engine's own scores of labelled series: the processors as the stream runs them."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from models.calibrated import Calibrated
from models.evaluation.measures import PROBATION
from models.evaluation.series import Series
from models.forest import fit
from models.training import History, calibrate
from processors.calibration import score_of
from processors.features import features
from processors.judge import judge
from processors.judgement import Judgement
from processors.judging import Judging
from processors.state import MeterState
from schemas.layout import Floats
from schemas.quality import HEALTHY
from schemas.readings import ReadingBatch

#: A forest takes part where the probation has so many readings to fit and calibrate it.
_LEAST_READINGS = 2_000


def engine(series: list[Series]) -> list[Floats]:
    """Return the scores of each series, float64[n], 0 to 1, 0 where nothing is known yet.

    Each series is a meter; those of a data set are a fleet, with a forest that knows their probation.
    """
    scores: dict[int, Floats] = {}
    for group in dict.fromkeys(one.group for one in series):
        places = [place for place, one in enumerate(series) if one.group == group]
        scores.update(zip(places, _fleet([series[place] for place in places]), strict=True))
    return [scores[place] for place in range(len(series))]


def _fleet(series: list[Series]) -> list[Floats]:
    state, batch = MeterState(), as_readings(series)
    found = judge(batch, state.rows(batch.meter_number), state, Judging())
    both = np.fmax(found.score, _forest_scores(series, batch, found)).astype(np.float64)
    edges = np.cumsum([0, *(len(one.time_us) for one in series)])
    scores = np.nan_to_num(both)
    return [scores[first:last] for first, last in pairwise(edges.tolist())]


def _forest_scores(series: list[Series], batch: ReadingBatch, found: Judgement) -> npt.NDArray[np.float32]:
    """Return what a forest that knows the probation of the series says of them all."""
    place = np.concatenate([np.arange(len(one.time_us)) / len(one.time_us) for one in series])
    warm = ~np.isnan(found.score) & (found.past.peak_kw > 0)
    matrix = features(batch, found.past, np.empty(0, dtype=np.int64))
    scores = np.full(len(batch), np.nan, dtype=np.float32)
    fitting, calibrating = warm & (place < PROBATION / 2), warm & (place >= PROBATION / 2) & (place < PROBATION)
    if min(fitting.sum(), calibrating.sum()) < _LEAST_READINGS // 2:
        return scores
    forest = fit(matrix[fitting], trees=100, samples=256, seed=0)
    history = History(
        matrix, batch.time_us, found.past.interval_s, found.past.day_mean_kw, np.isin(found.flag, HEALTHY)
    )
    share = Calibrated(calibrate(forest, history.where(calibrating))).share(
        forest.score(matrix[warm]), found.past.day_mean_kw[warm]
    )
    scores[warm] = score_of(share, found.past.interval_s[warm])
    return scores


def as_readings(series: list[Series]) -> ReadingBatch:
    """Return series as readings, one behind the other; the load becomes the energy of each interval."""
    columns: dict[str, list[Floats]] = {name: [] for name in ("consumption_kwh", *_OTHERS)}
    for one in series:
        values = dict(zip(one.columns, one.values.T, strict=True))
        columns["consumption_kwh"].append(np.maximum(values["demand_kw"], 0.0) * one.interval_s / 3600.0)
        for name in _OTHERS:
            columns[name].append(values.get(name, np.full(len(one.time_us), np.nan)))
    return ReadingBatch.from_columns(
        meter_number=np.repeat([f"S{k}" for k in range(len(series))], [len(one.time_us) for one in series]),
        reading_time=np.concatenate([one.time_us for one in series]),
        **{name: np.concatenate(parts) for name, parts in columns.items()},
    )


_OTHERS = ("voltage", "current_amps", "power_factor", "register_kwh", "temperature_c")
