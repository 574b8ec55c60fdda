"""Training: readings in the order of time in, a forest, its calibration and its manifest out."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn
import skops

from models.calibrated import Calibrated, shares_of
from models.cold_start import FirstDays, profiles
from models.drift import reference
from models.forest import Forest, fit
from models.manifest import FORMAT_VERSION, Calibration, Data, Kind, Manifest, Probe
from models.package import pack
from processors.calibration import score_of
from processors.features import FEATURES, Matrix, features
from processors.judge import judge
from processors.judging import Judging
from processors.state import MeterState
from schemas import arrow_codec
from schemas.errors import ConfigurationError
from schemas.layout import Ints, Mask, instant_of
from schemas.meter_class import class_codes
from schemas.quality import HEALTHY
from schemas.readings import ReadingBatch

#: Fewer readings than this say nothing about what happens once in a hundred days.
LEAST_READINGS = 2_000
#: Readings of a group of meters that a calibration of its own takes.
_GROUP_READINGS = 10_000
_GROUPS = 5
_PROBES = 16


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        name: of the model.
        version: of it.
        source: where the readings come from, for the manifest.
        holidays: int64[h], rising, days since 1970-01-01 that are holidays.
        trained_at: when.
        trees: of the forest; 100 of 256 readings each are what Liu, Ting and Zhou (2008) found to be enough.
        samples: readings that each tree sees.
        seed: of the choice of readings and splits.
        fit_share: of the span of time that fits the forest.
        calibrate_share: of it that calibrates the scores; what is left measures the outcome.
    """

    name: str
    version: str
    source: str
    holidays: Ints
    trained_at: datetime
    trees: int = 100
    samples: int = 256
    seed: int = 0
    fit_share: float = 0.5
    calibrate_share: float = 0.3


@dataclass(frozen=True)
class History:
    """Readings as a model sees them, one value per reading.

    Attributes:
        matrix: float32[n, 13].
        time_us: int64[n].
        interval_s: float32[n].
        day_mean_kw: float32[n].
        healthy: bool[n], what the engine found nothing to remark about.
        meters: of how many meters.
        sha256: of the readings.
        first_days: how these and earlier readings compare with their meters' means; None where it does not matter.
    """

    matrix: Matrix
    time_us: Ints
    interval_s: npt.NDArray[np.float32]
    day_mean_kw: npt.NDArray[np.float32]
    healthy: Mask
    meters: int = 0
    sha256: str = ""
    first_days: FirstDays | None = None

    _ARRAYS = ("matrix", "time_us", "interval_s", "day_mean_kw", "healthy")

    @classmethod
    def of(
        cls,
        batches: Iterable[ReadingBatch],
        holidays: Ints,
        judging: Judging | None = None,
        classes: Mapping[str, str] | None = None,
    ) -> "History":
        """Follow readings as the stream would, and keep what a model sees of each.

        Args:
            batches: readings, each meter's in the order of time.
            holidays: int64[h], rising, days since 1970-01-01 that are holidays.
            judging: bounds; the engine's own by default.
            classes: class of each meter, where it is known.
        """
        state, digest = MeterState(), hashlib.sha256()
        parts, first_days = list[History](), list[FirstDays]()
        for batch in batches:
            digest.update(arrow_codec.write(batch))
            rows = state.rows(batch.meter_number)
            if classes:
                state.vee_class[rows] = class_codes([classes.get(name or "") for name in batch.meter_numbers()])
            found = judge(batch, rows, state, judging or Judging())
            first_days.append(FirstDays.of(batch, found))
            warm = ~np.isnan(found.score) & (found.past.peak_kw > 0)
            matrix, past = features(batch, found.past, holidays), found.past
            part = cls(matrix, batch.time_us, past.interval_s, past.day_mean_kw, np.isin(found.flag, HEALTHY))
            parts.append(part.where(warm))
        if not parts:
            raise ConfigurationError("there are no readings to learn from")
        beginnings = FirstDays.concat(first_days)
        return cls.concat(parts, meters=len(state), sha256=digest.hexdigest(), first_days=beginnings)

    @classmethod
    def concat(cls, parts: Sequence["History"], **about: Any) -> "History":
        """Put what was seen one behind the other, and say about it what its other fields say."""
        columns: Any = {one: np.concatenate([getattr(part, one) for part in parts]) for one in cls._ARRAYS}
        return cls(**columns, **about)

    def where(self, mask: Mask) -> "History":
        """Return the readings where the mask is true."""
        return replace(self, **{name: getattr(self, name)[mask] for name in self._ARRAYS})

    def between(self, start_us: float, end_us: float) -> "History":
        """Return the readings of [start, end)."""
        return self.where((self.time_us >= start_us) & (self.time_us < end_us))


def train(
    batches: Iterable[ReadingBatch], plan: Plan, classes: Mapping[str, str] | None = None
) -> tuple[Manifest, bytes]:
    """Train a model; what it is measured on comes after what calibrated it, and that after what it was fitted on.

    Args:
        batches: readings, each meter's in the order of time.
        plan: how.
        classes: class of each meter, where it is known.

    Returns: the manifest and the model file's bytes.

    Raises:
        ConfigurationError: too little data.
    """
    return made_of(History.of(batches, plan.holidays, classes=classes), plan)


def made_of(history: History, plan: Plan, features: Sequence[str] = FEATURES) -> tuple[Manifest, bytes]:
    """Train a model on what a stream has shown; see `train`. Only of readings is it known how they are distributed."""
    if len(history.matrix) < LEAST_READINGS:
        known = len(history.matrix)
        raise ConfigurationError(f"{known} readings with a past are too few: {LEAST_READINGS} are needed")
    start, end = int(history.time_us.min()), int(history.time_us.max()) + 1
    first, second = (start + (end - start) * share for share in (plan.fit_share, plan.fit_share + plan.calibrate_share))
    fitting, calibrating, testing = (
        history.between(*span) for span in ((start, first), (first, second), (second, end))
    )
    if min(len(part.matrix) for part in (fitting, calibrating, testing)) < LEAST_READINGS // 10:
        raise ConfigurationError("the readings crowd into a part of their span: a longer one is needed")
    forest = fit(fitting.matrix[fitting.healthy], trees=plan.trees, samples=plan.samples, seed=plan.seed)
    calibration = calibrate(forest, calibrating)
    model = pack(forest)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        name=plan.name,
        version=plan.version,
        kind=Kind.ISOLATION_FOREST,
        features=list(features),
        fill=forest.fill.tolist(),
        holidays=plan.holidays.tolist(),
        data=Data(
            source=plan.source,
            readings=len(history.matrix),
            meters=history.meters,
            start=instant_of(start),
            fitted_until=instant_of(int(first)),
            calibrated_until=instant_of(int(second)),
            end=instant_of(end - 1),
            sha256=history.sha256,
        ),
        parameters={"trees": plan.trees, "samples": plan.samples, "seed": plan.seed},
        calibration=calibration,
        classes=profiles(history.first_days) if history.first_days is not None else [],
        reference=(
            reference(history.matrix, _scores(forest, calibration, history).astype(np.float64))
            if features is FEATURES
            else None
        ),
        metrics=_metrics(forest, calibration, testing),
        libraries={"scikit-learn": sklearn.__version__, "skops": skops.__version__, "numpy": np.__version__},
        trained_at=plan.trained_at,
        probe=_probe(forest, testing.matrix),
        model_bytes=len(model),
        model_sha256=hashlib.sha256(model).hexdigest(),
    )
    return manifest, model


def calibrate(forest: Forest, history: History) -> Calibration:
    """Find which of the forest's scores are how rare among healthy readings, by size of the meter."""
    healthy = history.healthy
    raw, size = forest.score(history.matrix[healthy]), history.day_mean_kw[healthy]
    groups = int(np.clip(len(raw) // _GROUP_READINGS, 1, _GROUPS))
    edges = np.unique(np.quantile(size, np.arange(1, groups) / groups))
    group = np.digitize(size, edges)
    fewest = max(int(np.bincount(group).min()), 1)
    shares = shares_of(fewest)
    thresholds = [
        np.quantile(raw[group == number], 1.0 - np.array(shares)).tolist() for number in range(len(edges) + 1)
    ]
    return Calibration(size_edges_kw=edges.tolist(), shares=shares, thresholds=thresholds)


def _metrics(forest: Forest, calibration: Calibration, history: History) -> dict[str, float]:
    """Return how many healthy readings of unseen days score 0.70, 0.85 and 0.95, per 10,000 meter-days."""
    scores = _scores(forest, calibration, history)[history.healthy]
    days = float(history.interval_s[history.healthy].sum()) / 86_400.0
    return {
        "tested_meter_days": round(days, 2),
        **{
            f"false_{bound}_per_10k_meter_days": round(float((scores >= bound).sum()) / days * 1e4, 2)
            for bound in (0.70, 0.85, 0.95)
        },
    }


def _scores(forest: Forest, calibration: Calibration, history: History) -> npt.NDArray[np.float32]:
    share = Calibrated(calibration).share(forest.score(history.matrix), history.day_mean_kw)
    return score_of(share, history.interval_s)


def _probe(forest: Forest, matrix: Matrix) -> Probe:
    rows = matrix[np.linspace(0, len(matrix) - 1, _PROBES).astype(int)]
    return Probe(
        rows=[[None if np.isnan(value) else float(value) for value in row] for row in rows],
        scores=forest.score(rows).tolist(),
    )
