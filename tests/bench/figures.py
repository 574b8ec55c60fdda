"""Pure arithmetic on measured figures: medians, ratios, latency percentiles, goals."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Goal:
    """One goal and what was measured.

    Attributes:
        name: what it is about.
        wanted: the bound.
        measured: None where it was not measured.
        unit: of both.
        at_least: whether more is better.
        note: what bounds it, or how it was measured.
    """

    name: str
    wanted: float
    measured: float | None
    unit: str = ""
    at_least: bool = True
    note: str = ""

    @property
    def verdict(self) -> str:
        """Return `holds`, `falls short` or `not measured`."""
        if self.measured is None:
            return "not measured"
        good = self.measured >= self.wanted if self.at_least else self.measured <= self.wanted
        return "holds" if good else "falls short"


def percentiles(latency_s: npt.NDArray[np.float64], weights: npt.NDArray[np.int64] | None = None) -> dict[str, float]:
    """Return p50, p99, p99.9 and the longest latency [s].

    Coordinated omission is avoided before: each latency counts from the moment that its reading was due by the
    schedule, not from when a busy sender got round to it.

    Args:
        latency_s: float64[n].
        weights: int64[n], how many readings each stands for; one each without it.

    Raises:
        ValueError: there is nothing to describe.
    """
    if not len(latency_s):
        raise ValueError("no latency was measured")
    order = np.argsort(latency_s)
    ranked = latency_s[order]
    reached = np.cumsum(np.ones(len(ranked), np.int64) if weights is None else weights[order])
    total = reached[-1]

    def at(share: float) -> float:
        # The smallest latency that at least this share of the readings did not exceed (nearest rank).
        return float(ranked[np.searchsorted(reached, np.ceil(share * total))])

    return {"p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": float(ranked[-1])}


def medians(rounds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the median of each contestant's rounds; one without a round is left out."""
    return {name: statistics.median(values) for name, values in rounds.items() if values}


def ratios(rounds: Mapping[str, Sequence[float]], of: str) -> dict[str, float]:
    """Return how many times as fast `of` is as each other one.

    Rounds are interleaved, so round k of everybody met the same machine: the median of the ratios within rounds is
    steadier than the ratio of the medians. A contestant with fewer rounds is compared within those it has.
    """
    mine = rounds.get(of, ())
    found: dict[str, float] = {}
    for name, values in rounds.items():
        pairs = [ours / theirs for ours, theirs in zip(mine, values, strict=False) if theirs > 0]
        if name != of and pairs:
            found[name] = statistics.median(pairs)
    return found


def spread(values: Sequence[float]) -> float:
    """Return (highest - lowest) / median, 0 for fewer than two values."""
    return (max(values) - min(values)) / statistics.median(values) if len(values) > 1 else 0.0


@dataclass(frozen=True)
class Span:
    """The part of a run that counts: from the first commit to the last.

    Attributes:
        began_s: first commit [s since 1970].
        ended_s: last commit [s since 1970].
        rows: rows committed after the first commit.
    """

    began_s: float
    ended_s: float
    rows: int

    @property
    def seconds(self) -> float:
        """Length [s]."""
        return self.ended_s - self.began_s

    @property
    def rate(self) -> float:
        """Rows per second; 0 where everything came in one commit."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0


def span_of(commits: Sequence[tuple[float, int]]) -> Span:
    """Return the span of some commits (time [s since 1970], rows).

    What the first commit held was worked on before it, so its rows do not count.

    Raises:
        ValueError: there are no commits.
    """
    if not commits:
        raise ValueError("nothing was committed")
    ordered = sorted(commits)
    return Span(ordered[0][0], ordered[-1][0], sum(rows for _, rows in ordered[1:]))


def between(samples: Sequence[tuple[float, float]], began_s: float, ended_s: float) -> float:
    """Return how much a counter grew between two times, interpolated between its samples (time [s], value)."""
    times, values = np.array([s[0] for s in samples]), np.array([s[1] for s in samples])
    if not len(times):
        return 0.0
    first, last = np.interp([began_s, ended_s], times, values)
    return float(last - first)
