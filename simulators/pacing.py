"""When readings are due: an open-loop schedule made from event time, which a slow broker cannot stretch."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from schemas.layout import ColumnBatch, Floats

#: Speed-up that means: as fast as it is acknowledged.
UNPACED = math.inf


class Part(NamedTuple):
    """Readings that are sent together.

    Attributes:
        due_s: when, counted from the start of publishing [s]; None: as soon as possible.
        batch: the readings or ticks.
    """

    due_s: float | None
    batch: ColumnBatch


@dataclass(frozen=True)
class Pace:
    """How event time becomes sending time.

    Attributes:
        speedup: seconds of event time per second of sending; `UNPACED` for no schedule at all.
        tick_s: readings that fall due within this span are sent together [s]; finer costs more than it shows.
        most_rows: readings sent together at most, so that progress and a stop are never far away.
    """

    speedup: float = UNPACED
    tick_s: float = 0.02
    most_rows: int = 5_000

    def __post_init__(self) -> None:
        if not self.speedup > 0:
            raise ValueError(f"the speed-up must be above 0, this is {self.speedup}")

    def cut(self, batches: Iterable[ColumnBatch]) -> Iterator[Part]:
        """Cut batches into parts with their due times, which count from the first reading's event time.

        No reading is due before its event time has come. One that is older than an earlier one is due together with
        that one: a schedule does not run backwards.
        """
        origin_us: int | None = None
        latest_s = 0.0
        for batch in batches:
            if not len(batch):
                continue
            if self.speedup == UNPACED:
                yield from (Part(None, part) for part in self._pieces(batch))
                continue
            origin_us = int(batch.time_us[0]) if origin_us is None else origin_us
            due_s = np.maximum.accumulate((batch.time_us - origin_us) / 1e6 / self.speedup)
            due_s = np.maximum(due_s, latest_s)
            latest_s = float(due_s[-1])
            yield from self._ticks(batch, due_s)

    def _ticks(self, batch: ColumnBatch, due_s: Floats) -> Iterator[Part]:
        ticks = np.ceil(due_s / self.tick_s)
        edges = [0, *(np.flatnonzero(np.diff(ticks)) + 1).tolist(), len(batch)]
        for start, end in pairwise(edges):
            for piece in self._pieces(batch.slice(start, end - start)):
                yield Part(float(due_s[end - 1]), piece)

    def _pieces(self, batch: ColumnBatch) -> Iterator[ColumnBatch]:
        for start in range(0, len(batch), self.most_rows):
            yield batch.slice(start, min(self.most_rows, len(batch) - start))
