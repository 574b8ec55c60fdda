"""The bench: every detector on every series, one threshold each, chosen on series that nothing is reported about."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from models.evaluation.baselines import Detector
from models.evaluation.measures import PROBATION, Tally, precision_recall, tally
from models.evaluation.series import Series
from schemas.layout import Floats, Mask

#: Series whose names hold one of these choose the thresholds and are not reported.
TUNING = ("ambient_temperature", "ec2_request", "rogue_agent_key_hold", "Fridge/", "Dryer/", "tuning/")
ENGINE = "meterstream"
_ENGINE_BOUNDS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
_FACTORS = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0, 20.0)


@dataclass(frozen=True)
class Result:
    """What one detector is worth.

    Attributes:
        detector: its name.
        bound: chosen on the tuning series: a score for the engine; for others, how many times the distance from the
            median to the 99th percentile of a series' probation an alarm lies above that median.
        scores: of each tested series.
        tallies: by data set.
        areas: average precision by reading, by data set.
        hindsight: event-wise F1 with the best threshold for each data set itself, which nobody can know beforehand.
    """

    detector: str
    bound: float
    scores: list[Floats]
    tallies: dict[str, Tally]
    areas: dict[str, float]
    hindsight: dict[str, float]

    @property
    def mean_event_f1(self) -> float:
        """Mean over data sets."""
        return float(np.mean([one.event_f1 for one in self.tallies.values()]))


def split(series: Iterable[Series]) -> tuple[list[Series], list[Series]]:
    """Part series into those that choose thresholds and those that are reported."""
    parts: tuple[list[Series], list[Series]] = ([], [])
    for one in series:
        parts[not any(word in one.name for word in TUNING)].append(one)
    return parts


def run(
    series: list[Series], detectors: dict[str, Detector], tell: Callable[[str], None] = lambda _line: None
) -> list[Result]:
    """Run detectors, in their order.

    Args:
        series: all of them; `split` parts them.
        detectors: by name; ENGINE is judged by its own scale.
        tell: is told which one begins.
    """
    tuning, testing = split(series)
    results = []
    for name, detector in detectors.items():
        tell(name)
        scores = detector(tuning + testing)
        bounds = _ENGINE_BOUNDS if name == ENGINE else _FACTORS
        bound = max(bounds, key=lambda at: _mean_f1(_tallies(name, tuning, scores[: len(tuning)], at)))
        tested = scores[len(tuning) :]
        by_bound = {at: _tallies(name, testing, tested, at) for at in bounds}
        best = {group: max(one[group].event_f1 for one in by_bound.values()) for group in by_bound[bound]}
        results.append(Result(name, bound, tested, by_bound[bound], _areas(testing, tested), best))
    return results


def alarms(name: str, scores: Floats, bound: float) -> Mask:
    """Return which readings alarm at a bound, bool[n]."""
    if name == ENGINE:
        return np.asarray(scores >= bound)
    known = scores[: max(int(PROBATION * len(scores)), 1)]
    median, high = np.quantile(known, [0.5, 0.99])
    return np.asarray(scores >= median + bound * max(high - median, 1e-9))


def _tallies(name: str, series: list[Series], scores: list[Floats], bound: float) -> dict[str, Tally]:
    found: dict[str, Tally] = {}
    for one, score in zip(series, scores, strict=True):
        found[one.group] = found.get(one.group, Tally()) + tally(one, alarms(name, score, bound))
    return found


def _mean_f1(tallies: dict[str, Tally]) -> float:
    return float(np.mean([one.event_f1 for one in tallies.values()])) if tallies else 0.0


def _areas(series: list[Series], scores: list[Floats]) -> dict[str, float]:
    areas = {}
    for group in dict.fromkeys(one.group for one in series):
        places = [place for place, one in enumerate(series) if one.group == group]
        areas[group] = precision_recall([series[k] for k in places], [scores[k] for k in places])[2]
    return areas
