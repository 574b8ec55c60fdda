"""Other detectors in the same harness: the usual baselines, and two public ones where they are installed."""

from collections.abc import Callable, Iterable
from importlib.util import find_spec

import numpy as np
from sklearn.ensemble import IsolationForest

from models.evaluation.measures import PROBATION
from models.evaluation.series import Series
from schemas.layout import Floats

#: Scores of each series, float64[n], higher is more unusual, in no particular unit.
Detector = Callable[[list[Series]], list[Floats]]

_DAY_S, _WEEK_S = 86_400.0, 7 * 86_400.0


def each(score: Callable[[Series], Floats]) -> Detector:
    """Return a detector that looks at one series at a time."""
    return lambda series: [score(one) for one in series]


def plain_forest(series: Series) -> Floats:
    """Isolation Forest on the raw values, fitted on the probation."""
    values = _filled(series.values)
    known = values[: _probation(series)]
    forest = IsolationForest(n_estimators=100, max_samples=min(256, len(known)), random_state=0).fit(known)
    scores: Floats = -forest.score_samples(values)
    return scores


def rolling_z(series: Series) -> Floats:
    """Distance from the mean of the last day in its standard deviations; the largest of all columns."""
    values = _filled(series.values)
    n, width = len(values), max(int(_DAY_S / series.interval_s), 10)
    total = np.cumsum(np.r_[np.zeros((1, values.shape[1])), values], axis=0)
    squares = np.cumsum(np.r_[np.zeros((1, values.shape[1])), values**2], axis=0)
    start = np.maximum(np.arange(n) - width, 0)
    count = np.maximum(np.arange(n) - start, 1)[:, None]
    mean = (total[:n] - total[start]) / count
    variance = np.maximum((squares[:n] - squares[start]) / count - mean**2, 0.0)
    floor = 1e-3 * np.abs(values[: _probation(series)]).mean(axis=0) + 1e-9
    scores: Floats = (np.abs(values - mean) / (np.sqrt(variance) + floor)).max(axis=1)
    return scores


def seasonal_naive(series: Series) -> Floats:
    """Distance from the value of a week before, or of a day before where the series is short."""
    values = _filled(series.values)
    span_s = float(series.time_us[-1] - series.time_us[0]) / 1e6
    season_us = int((_WEEK_S if PROBATION * span_s >= _WEEK_S else _DAY_S) * 1e6)
    before = np.searchsorted(series.time_us, series.time_us - season_us)
    known = series.time_us >= series.time_us[0] + season_us
    off = np.abs(values - values[before]) * known[:, None]
    scale = np.median(off[known], axis=0) if known.any() else np.ones(values.shape[1])
    scores: Floats = (off / (scale + 1e-3 * np.abs(values).mean(axis=0) + 1e-9)).max(axis=1)
    return scores


def half_space_trees(series: Series) -> Floats:
    """Streaming half-space trees (Tan, Ting and Liu, 2011) as `river` has them, with its defaults and scaling."""
    from river import anomaly, compose, preprocessing  # noqa: PLC0415 - optional

    model = compose.Pipeline(preprocessing.MinMaxScaler(), anomaly.HalfSpaceTrees(seed=0))
    rows = ({str(k): value for k, value in enumerate(row)} for row in _filled(series.values).tolist())
    return np.fromiter(_one_by_one(model, rows), dtype=np.float64, count=len(series.values))


def matrix_profile(series: Series) -> Floats:
    """Distance of the last day's shape from the nearest other one (`stumpy`): it may look ahead, the others may not."""
    import stumpy  # noqa: PLC0415 - optional

    values = _filled(series.values)[:, 0].astype(np.float64)
    width = int(np.clip(_DAY_S / series.interval_s, 10, len(values) // 8))
    distance = np.asarray(stumpy.stump(values, m=width)[:, 0], dtype=np.float64)
    scores: Floats = np.r_[np.zeros(width - 1), np.where(np.isfinite(distance), distance, 0.0)]
    return scores


def baselines() -> dict[str, Detector]:
    """Return the detectors that are installed, by name."""
    found: dict[str, Detector] = {
        "plain isolation forest": each(plain_forest),
        "rolling z-score": each(rolling_z),
        "seasonal naive": each(seasonal_naive),
    }
    if find_spec("river") is not None:
        found["half-space trees (river)"] = each(half_space_trees)
    if find_spec("stumpy") is not None:
        found["matrix profile (stumpy)"] = each(matrix_profile)
    return found


def _one_by_one(model: object, rows: Iterable[dict[str, float]]) -> Iterable[float]:
    for row in rows:
        yield model.score_one(row)  # type: ignore[attr-defined]
        model.learn_one(row)  # type: ignore[attr-defined]


def _probation(series: Series) -> int:
    return max(int(PROBATION * len(series.values)), 10)


def _filled(values: Floats) -> Floats:
    """Replace what is not known by the last value that was, or by 0 before any."""
    at = np.where(np.isnan(values), 0, np.arange(len(values))[:, None])
    filled: Floats = np.nan_to_num(np.take_along_axis(values, np.maximum.accumulate(at, axis=0), axis=0))
    return filled
