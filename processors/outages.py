"""Outages: gaps in the supply of many meters, explained by the highest element of the grid that lost power with them.

When a meter lost power is known to lie between its newest message with power and its first sign of darkness, for a
silent one its next reading that did not come. An element is out at a moment that lies in the spans of enough of its
meters; of several, the moment that explains most. The highest elements take their meters first, so that what is left
for the lower ones is what those do not explain, and a meter that is missing alone explains nothing.

What falls silent everywhere at once, without a single word of a meter, is a feed that has failed and no outage.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from processors.gaps import Gaps, Returns, Span, came_back, went
from schemas.layout import Ints, Mask, Positions

#: Elements that can be out, from the lowest up; `Grid.levels` has one column for each.
LEVELS = ("transformer", "feeder", "substation", "region")


@dataclass(frozen=True)
class OutageRules:
    """When an element is out.

    Attributes:
        share: of its meters, dark at the same moment. Of meters without power about 85 in 100 last for a message, and
            three standard deviations of that among 30 meters are 20 in 100; it is still twice what one phase of three
            brings, and more than half of a feeder behind an open switch.
        least: so many meters.
        parts: share of the elements right below it, each with half of its meters dark.
        told: of those of a whole region, or of everything, such a share has to have said so itself.
        left: it is over when no larger share of its meters is still dark: some never come back.
        slack_s: how far clocks of meters may be apart [s].
    """

    share: float = 0.65
    least: int = 2
    parts: float = 0.8
    told: float = 0.1
    left: float = 0.05
    slack_s: int = 60


@dataclass(frozen=True)
class Grid:
    """What meters there are below each element, one entry per transformer.

    Attributes:
        transformer: int64[t], rising keys.
        above: int64[4, t], in the order of LEVELS a number of the element, -1 where it has none.
        meters: int64[t], meters that are in service.
    """

    transformer: Ints
    above: Ints
    meters: Ints

    def place(self, transformer: Ints) -> Ints:
        """Return the elements above some transformers, int64[4, n], -1 for what is not known."""
        if not len(self.transformer):
            return np.full((len(LEVELS), len(transformer)), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.transformer, transformer), len(self.transformer) - 1)
        return np.where(self.transformer[at] == transformer, self.above[:, at], -1)


@dataclass(frozen=True)
class Outage:
    """One element without power.

    Attributes:
        level: position in LEVELS.
        element: number of the element.
        members: intp[k], its gaps, at most one per meter.
        back: when power came back to each of them.
        started: when power went; at the first word of a meter where there is one.
        dark_by_s: a moment at which all of them were dark, or could be [s].
        ended: when the last of them came back, but for a few.
        told: meters that said so themselves.
        cause: the strongest of what is known by, code of a `Cause`.
    """

    level: int
    element: int
    members: Positions = field(repr=False)
    back: Returns = field(repr=False)
    started: Span
    dark_by_s: int
    ended: Span
    told: int
    cause: int


def infer(gaps: Gaps, grid: Grid, rules: OutageRules) -> list[Outage]:
    """Explain gaps by outages, ordered by start.

    Args:
        gaps: of any meters; those of meters without a place in the grid explain nothing.
        grid: what there is.
        rules: what is enough.
    """
    above = grid.place(gaps.transformer)
    free = above[0] >= 0
    _drop(free, _failed_feeds(gaps, free, grid, rules))
    found = []
    for level in reversed(range(len(LEVELS))):
        for element, at_s, members in _out(gaps, above, free, level, grid, rules):
            free[members] = False
            if level < len(LEVELS) - 1 or _speaks(gaps, members, rules):
                found.append(_outage(gaps, level, element, at_s, members, rules))
    return sorted(found, key=lambda outage: (outage.started.at_s, outage.level, outage.element))


def _drop(free: Mask, groups: Iterator[Positions]) -> None:
    for members in groups:
        free[members] = False


def _failed_feeds(gaps: Gaps, free: Mask, grid: Grid, rules: OutageRules) -> Iterator[Positions]:
    """Yield gaps that most of all meters have at once, without a word."""
    at = np.flatnonzero(free)
    for _, members in _moments(gaps, at, max(rules.least, rules.share * float(grid.meters.sum())), rules):
        if not _speaks(gaps, members, rules):
            yield members


def _speaks(gaps: Gaps, members: Positions, rules: OutageRules) -> bool:
    return bool(np.count_nonzero(gaps.told[members]) >= rules.told * len(members))


def _out(
    gaps: Gaps, above: Ints, free: Mask, level: int, grid: Grid, rules: OutageRules
) -> Iterator[tuple[int, int, Positions]]:
    """Yield the elements of one level that are out: number, moment, and their gaps."""
    at = np.flatnonzero(free & (above[level] >= 0))
    at = at[np.argsort(above[level, at], kind="stable")]
    elements, starts, counts = np.unique(above[level, at], return_index=True, return_counts=True)
    for element, start, count in zip(elements.tolist(), starts.tolist(), counts.tolist(), strict=True):
        below = grid.above[level] == element
        least = max(rules.least, rules.share * float(grid.meters[below].sum()))
        if count < least:
            continue
        for moment_s, members in _moments(gaps, at[start : start + count], least, rules):
            if level == 0 or _through_its_parts(above[level - 1, members], level, below, grid, rules):
                yield element, moment_s, members


def _through_its_parts(part: Ints, level: int, below: Mask, grid: Grid, rules: OutageRules) -> bool:
    """Whether two and enough of the elements right below have half of their meters among those that are dark."""
    names, which = np.unique(grid.above[level - 1, below], return_inverse=True)
    meters = np.bincount(which, weights=grid.meters[below])
    dark = np.bincount(np.searchsorted(names, part[part >= 0]), minlength=len(names))
    there = (names >= 0) & (meters > 0)
    affected = there & (dark >= 0.5 * meters)
    return bool(affected.sum() >= max(2.0, rules.parts * there.sum()))


def _moments(gaps: Gaps, at: Positions, least: float, rules: OutageRules) -> Iterator[tuple[int, Positions]]:
    """Yield the moments that lie in the spans of enough gaps, the fullest first, each gap with one of them only."""
    while len(at) >= least:
        since, by = gaps.lit_s[at] - rules.slack_s, gaps.by_s[at]
        begun = np.searchsorted(np.sort(since), by, side="right")
        over = np.searchsorted(np.sort(by), by, side="left")
        dark = begun - over
        if dark.max() < least:
            return
        moment_s = int(by[dark == dark.max()].min())
        inside = (since <= moment_s) & (by >= moment_s)
        _, first = np.unique(gaps.meter[at[inside]], return_index=True)
        if len(first) >= least:
            yield moment_s, at[inside][np.sort(first)]
        at = at[~inside]


def _outage(gaps: Gaps, level: int, element: int, moment_s: int, members: Positions, rules: OutageRules) -> Outage:
    back = came_back(gaps, members, rules.slack_s)
    over = np.count_nonzero(gaps.back_s[members] == 0) <= rules.left * len(members)
    return Outage(
        level=level,
        element=element,
        members=members,
        back=back,
        started=went(gaps, members, rules.slack_s),
        dark_by_s=moment_s,
        ended=Span(*(int(times.max()) if over else 0 for times in (back.after_s, back.at_s, back.by_s))),
        told=int(np.count_nonzero(gaps.told[members])),
        cause=int(gaps.cause[members].max()),
    )
