"""What a place published before against what it holds now: repeats are left out, changed figures become revisions.

Many publishers send the whole day again with each new interval, and correct a figure in place without saying so. What
stood there before under the same name and interval and says the same now is no news; what says something else is the
next revision of it. A row that is gone is forgotten: most files are windows that move on.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Self

import numpy as np

from schemas.json_writer import write_rows
from schemas.layout import Ints, Mask
from schemas.ticks import TICK_IDENTITY, TickBatch

Name = tuple[object, ...]


@dataclass(frozen=True)
class Edition:
    """All ticks of a place at one time.

    Attributes:
        batch: n ticks as they were read.
        revision: int64[n], revision under which each was published, which may be higher than the one it was read with.
    """

    batch: TickBatch
    revision: Ints

    @classmethod
    def none(cls) -> Self:
        """Return the edition before the first."""
        return cls(TickBatch.concat([]), np.empty(0, dtype=np.int64))

    def followed_by(self, batch: TickBatch) -> tuple[Self, TickBatch]:
        """Return the edition that a place holds now, and what of it is news, with the revisions to publish it under."""
        names, texts = _names(batch), write_rows(batch)
        stood = dict(
            zip(_keys(self.batch), zip(write_rows(self.batch), self.revision.tolist(), strict=True), strict=True)
        )
        taken = _by_name(_names(self.batch), self.revision)
        coming = _by_name(names, batch.revisions)
        revisions, news = batch.revisions.copy(), np.ones(len(batch), dtype=bool)
        for row, (name, key, text) in enumerate(zip(names, _keys(batch), texts, strict=True)):
            before = stood.get(key)
            if before is not None and before[0] == text:
                revisions[row], news[row] = before[1], False
            elif before is not None or int(revisions[row]) in taken[name]:
                revisions[row] = max(taken[name] | coming[name]) + 1
                taken[name].add(int(revisions[row]))
        return type(self)(batch, revisions), _revised(batch, revisions, news)


def _names(batch: TickBatch) -> list[Name]:
    """Return what each tick is of: market, symbol, kind and time."""
    columns = [batch.column(name).to_pylist() for name in TICK_IDENTITY[:3]]
    return list(zip(*columns, batch.time_us.tolist(), strict=True))


def _keys(batch: TickBatch) -> list[tuple[Name, int]]:
    return list(zip(_names(batch), batch.revisions.tolist(), strict=True))


def _by_name(names: list[Name], revisions: Ints) -> defaultdict[Name, set[int]]:
    found = defaultdict[Name, set[int]](set)
    for name, revision in zip(names, revisions.tolist(), strict=True):
        found[name].add(revision)
    return found


def _revised(batch: TickBatch, revisions: Ints, which: Mask) -> TickBatch:
    """Return some ticks, with other revisions where they have others."""
    columns = {name: batch.column(name) for name in batch.layout.schema.names}
    if (revisions != batch.revisions).any():
        columns["revision"] = revisions
    return TickBatch.from_columns(**(columns | {"tick_time": batch.time_us})).where(which)
