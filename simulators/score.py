"""The scoreboard: what a system said about a run against what is known about it.

A sign is anything that a system said of a place at a time: a flag, an alert, a reject. A fault is detected when a sign
of any kind falls on one of its places between its start and its end, or within a grace after it, more often than chance
would have it by the rate of such signs where nothing is wrong. Rates of nothing are None, never 100 %.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import gammainc

from schemas.layout import Ints, Mask, Positions
from simulators.faults import MARKET_CLASSES, FaultClass
from simulators.labels import Label

#: Row of the confusion table for signs where nothing was wrong.
NO_FAULT = "no fault"
#: Kinds of signs that somebody is called by.
_ALARMS = ("alert/", "flag/anomaly")
#: So many signs on a fault must be less likely than this where nothing is wrong.
_CHANCE = 0.05


@dataclass(frozen=True)
class Signs:
    """What a system said, as columns.

    Attributes:
        kind: what it said (`flag/warning`, `alert/high_consumption`, `reject/not_json`), text[n].
        place: meter number, name of a transformer or feeder, or `market/symbol`, text[n].
        time_us: when, in event time, int64[n] [us since 1970].
        unplaced: signs of which it is not known where or when they belong, by kind: counted, never matched.
        content: more such signs, told by the bytes that they are about: kind by `digest` of garbage.
    """

    kind: Sequence[str]
    place: Sequence[str]
    time_us: Ints
    unplaced: dict[str, int] = field(default_factory=dict)
    content: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ClassScore:
    """How well one class of faults was found.

    Attributes:
        fault: which class.
        labelled: faults of the class.
        detected: of those, how many had a sign.
        recall: detected over labelled; None without any.
        precision: signs on these faults over those and the false ones, counting as few kinds of signs as found all
            that were detected, the most trustworthy first; None without any.
        delay_p50_s: median time from the start of a fault to its first sign [s]; None without any.
        delay_p90_s: the same, 90th percentile [s].
    """

    fault: FaultClass
    labelled: int
    detected: int
    recall: float | None
    precision: float | None
    delay_p50_s: float | None
    delay_p90_s: float | None


@dataclass(frozen=True)
class KindScore:
    """How far one kind of signs can be trusted.

    Attributes:
        kind: which.
        signs: how many.
        true: of those, how many were on a fault, or about the very bytes of one.
        precision: true over signs; None without any.
        unplaced: signs that could not be matched with anything; not part of the others.
    """

    kind: str
    signs: int
    true: int
    precision: float | None
    unplaced: int


@dataclass(frozen=True)
class Score:
    """The whole scoreboard.

    Attributes:
        classes: by class of faults.
        kinds: by kind of signs.
        confusion: faults of each class that each kind of signs has found; for `no fault`, the signs.
        false_alarms: alerts and readings called an anomaly where nothing was wrong; other signs are remarks.
        meter_days: how much was watched.
        false_per_10k_meter_days: of the false alarms; None where nothing was watched.
    """

    classes: list[ClassScore]
    kinds: list[KindScore]
    confusion: dict[str, dict[str, int]]
    false_alarms: int
    meter_days: float
    false_per_10k_meter_days: float | None


def score(truth: Sequence[Label], signs: Signs, meter_days: float, grace_s: float) -> Score:
    """Compare what was said with what is known.

    Args:
        truth: labels of the run.
        signs: what the system said.
        meter_days: meters times days that were watched.
        grace_s: how long after its end a fault may still be noticed [s].
    """
    board = _Board(signs, grace_s)
    on = [board.on(label) for label in truth]
    true = np.zeros(len(signs.time_us), dtype=bool)
    for rows in on:
        true[rows] = True
    false = board.counted(~true)
    hits = [
        board.beyond_chance(rows, label, false, meter_days) if meter_days > 0 else rows
        for rows, label in zip(on, truth, strict=True)
    ]
    known = [_recognised(label, signs) for label in truth]
    classes = [_class_score(fault, truth, hits, known, board, false) for fault in FaultClass if _asked(fault, truth)]
    confusion = {
        one.fault.value: _finds(_of(one.fault, truth, hits), _kinds_of(one.fault, truth, known), board)
        for one in classes
        if one.labelled
    }
    false_alarms = sum(count for kind, count in false.items() if kind.startswith(_ALARMS))
    return Score(
        classes=classes,
        kinds=_kind_scores(board, true, signs, {label.detail for label in truth if label.fault is FaultClass.GARBAGE}),
        confusion=confusion | {NO_FAULT: false},
        false_alarms=false_alarms,
        meter_days=meter_days,
        false_per_10k_meter_days=1e4 * false_alarms / meter_days if meter_days > 0 else None,
    )


class _Board:
    """Signs grouped by place and ordered by time, so that those of a label are found by bisection."""

    def __init__(self, signs: Signs, grace_s: float) -> None:
        self._grace_us = int(grace_s * 1e6)
        self.kinds, self.kind = np.unique(np.array(signs.kind, dtype=np.str_), return_inverse=True)
        self.time_us = np.asarray(signs.time_us, dtype=np.int64)
        places, place = np.unique(np.array(signs.place, dtype=np.str_), return_inverse=True)
        order = np.lexsort((self.time_us, place))
        edges = np.searchsorted(place[order], np.arange(len(places) + 1))
        self._rows = {
            str(name): order[first:last] for name, first, last in zip(places, edges[:-1], edges[1:], strict=True)
        }

    def on(self, label: Label) -> Positions:
        """Return the signs on a fault, int[h]."""
        start, end = (int(moment.timestamp() * 1e6) for moment in (label.start, label.end))
        found = [np.empty(0, dtype=np.intp)]
        for place in {label.element, *label.meters}:
            rows = self._rows.get(place)
            if rows is not None:
                first, last = np.searchsorted(self.time_us[rows], (start, end + self._grace_us), side="right")
                found.append(rows[first:last])
        return np.concatenate(found)

    def beyond_chance(self, rows: Positions, label: Label, false: dict[str, int], meter_days: float) -> Positions:
        """Return those signs on a fault whose kind comes more often than by chance.

        Signs where nothing is wrong are taken as a Poisson process: of one that expects m, n or more come with
        probability P(n, m), the regularised incomplete gamma function.

        Args:
            rows: int[h], the signs on it.
            label: the fault.
            false: signs where nothing was wrong, by kind.
            meter_days: how much was watched.
        """
        days = (label.end - label.start).total_seconds() / 86_400 + self._grace_us / 86_400e6
        watched = days * max(len(label.meters), 1) / meter_days
        kinds, place, count = np.unique(self.kind[rows], return_inverse=True, return_counts=True)
        expected = np.array([false[str(self.kinds[kind])] for kind in kinds], dtype=np.float64) * watched
        told: Mask = gammainc(count, expected) < _CHANCE
        return rows[told[place]]

    def counted(self, rows: Positions | Mask) -> dict[str, int]:
        """Return how many of some signs there are of each kind."""
        counts = np.bincount(self.kind[rows], minlength=len(self.kinds)).tolist()
        return dict(zip(self.kinds.tolist(), counts, strict=True))


def _asked(fault: FaultClass, truth: Sequence[Label]) -> bool:
    """Say whether a run could have such faults: markets have others than fleets. An empty truth leaves all in."""
    return not truth or any((label.fault in MARKET_CLASSES) == (fault in MARKET_CLASSES) for label in truth)


def _recognised(label: Label, signs: Signs) -> str | None:
    """Return the kind of sign that is about the very bytes of a fault; None where there is none."""
    return signs.content.get(label.detail or "") if label.fault is FaultClass.GARBAGE else None


def _kinds_of(fault: FaultClass, truth: Sequence[Label], known: list[str | None]) -> list[str | None]:
    return [kind for label, kind in zip(truth, known, strict=True) if label.fault is fault]


def _class_score(
    fault: FaultClass,
    truth: Sequence[Label],
    hits: list[Positions],
    known: list[str | None],
    board: _Board,
    false: dict[str, int],
) -> ClassScore:
    starts = [label.start.timestamp() for label in truth if label.fault is fault]
    mine = _of(fault, truth, hits)
    found = [(start, rows) for start, rows in zip(starts, mine, strict=True) if len(rows)]
    telling = _telling(mine, board, false)
    right = board.counted(np.unique(np.concatenate([np.empty(0, dtype=np.intp), *mine])))
    on_fault, beside = (sum(table[kind] for kind in telling) for table in (right, false))
    detected = sum(bool(len(rows) or kind) for rows, kind in zip(mine, _kinds_of(fault, truth, known), strict=True))
    delays = [board.time_us[rows].min() / 1e6 - start for start, rows in found]
    p50, p90 = np.percentile(delays, [50, 90]).tolist() if found else (None, None)
    return ClassScore(
        fault=fault,
        labelled=len(mine),
        detected=detected,
        recall=detected / len(mine) if mine else None,
        precision=on_fault / (on_fault + beside) if on_fault else None,
        delay_p50_s=p50,
        delay_p90_s=p90,
    )


def _telling(hits: list[Positions], board: _Board, false: dict[str, int]) -> list[str]:
    """Return the kinds of signs that find all faults that any kind does, without those that add nothing."""
    found = [board.counted(rows) for rows in hits]
    every = board.counted(np.ones(len(board.kind), dtype=bool))
    missing, chosen = {row for row, counts in enumerate(found) if any(counts.values())}, list[str]()
    for kind in sorted(every, key=lambda kind: (false[kind] / max(every[kind], 1), kind)):
        covered = {row for row in missing if found[row][kind]}
        if covered:
            chosen.append(kind)
            missing -= covered
    return chosen


def _of(fault: FaultClass, truth: Sequence[Label], hits: list[Positions]) -> list[Positions]:
    return [rows for label, rows in zip(truth, hits, strict=True) if label.fault is fault]


def _finds(hits: list[Positions], known: list[str | None], board: _Board) -> dict[str, int]:
    """Return how many of some faults each kind of signs has found."""
    found = [board.counted(rows) for rows in hits]
    kinds = sorted({*board.kinds.tolist(), *(kind for kind in known if kind)})
    return {
        kind: sum(counts.get(kind, 0) > 0 or kind == told for counts, told in zip(found, known, strict=True))
        for kind in kinds
    }


def _kind_scores(board: _Board, true: Mask, signs: Signs, garbage: set[str | None]) -> list[KindScore]:
    told = Counter(kind for name, kind in signs.content.items() if name in garbage)
    unplaced = Counter(signs.unplaced) + Counter(kind for name, kind in signs.content.items() if name not in garbage)
    every = Counter(board.counted(np.ones(len(true), dtype=bool))) + told
    right = Counter(board.counted(true)) + told
    return [
        KindScore(
            kind=kind,
            signs=every[kind],
            true=right[kind],
            precision=right[kind] / every[kind] if every[kind] else None,
            unplaced=unplaced[kind],
        )
        for kind in sorted({*every, *unplaced})
    ]
