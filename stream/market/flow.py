"""The pure part of the worker, for one partition of ticks: records in, followed columns out, state moved on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from processors.market.beyond import in_other_unit
from processors.market.check import FAILURES, IN_OTHER_UNIT, OUT_OF_LIMITS, TickLimits, check
from processors.market.events import raise_events, remarkable
from processors.market.flags import flag_of
from processors.market.follow import Followed, Following, follow
from processors.market.opinion import TickPast, onsets, together
from processors.market.overdue import Patience, note_figures
from processors.market.price import price_of
from processors.market.series import SeriesState, keys_of
from processors.market.terms import Terms, terms
from processors.opinion import Onsets, Opinion
from processors.validate import Codes
from processors.windows import watermark
from schemas.delivery import Position
from schemas.layout import Ints, Positions
from schemas.markets import Markets
from schemas.rejected import Rejected
from schemas.tick_rows import TickRows
from schemas.ticks import TickBatch
from stream.worker.cut import due_rejects, due_rows, progress_of
from stream.worker.intake import Begun, Effects, Intake, Record, Taken

Consult = Callable[[TickBatch, TickPast], Opinion]


def _nobody(batch: TickBatch, _past: TickPast) -> Opinion:
    """Say nothing of ticks."""
    return Opinion.none(len(batch))


@dataclass(frozen=True)
class TickStep:
    """What some records of one partition came to; effects are cut from it, from any offset on.

    Attributes:
        partition: Kafka partition.
        first_offset: first offset that had not been processed before.
        next_offset: first offset after the records.
        batch: n valid ticks.
        terms: what their markets' definitions say.
        state_rows: intp[n], row of each tick's series.
        offset: int64[n], Kafka offset.
        arrived_us: int64[n], arrival [us].
        followed: what was found of each, the model's score in it.
        begun: what begins by the model's word alone.
        rejected: each with the offset of its record.
        rejected_at: int64[r], those offsets.
    """

    partition: int
    first_offset: int
    next_offset: int
    batch: TickBatch
    terms: Terms
    state_rows: Positions
    offset: Ints
    arrived_us: Ints
    followed: Followed
    begun: Onsets
    rejected: list[Rejected]
    rejected_at: Ints


class TickFlow(Intake[TickBatch, SeriesState]):
    """One partition of ticks: its state and the way through the processors.

    Args:
        topic: Kafka topic, for the source noted with rejected ticks.
        partition: Kafka partition.
        state: as restored from its checkpoint, or empty.
        shard_offset: int64[k], first offset that each shard of the state has not seen.
        markets: the definitions.
        limits: validation bounds.
        following: when a tick is remarkable.
        patience: when a figure is overdue.
        next_offset: where to begin.
        consult: what a model says of ticks and what was known before them; nothing without one.
    """

    def __init__(
        self,
        topic: str,
        partition: int,
        state: SeriesState,
        shard_offset: Ints,
        markets: Markets,
        limits: TickLimits | None = None,
        following: Following | None = None,
        patience: Patience | None = None,
        next_offset: int = 0,
        consult: Consult = _nobody,
    ) -> None:
        super().__init__(topic, partition, TickBatch, state, shard_offset, next_offset)
        self._markets = markets
        self._limits = limits or TickLimits()
        self._following = following or Following()
        self._patience = patience or Patience()
        self._consult = consult

    def begin(self, records: Sequence[Record]) -> Begun[TickStep] | None:
        """Read records in order; those already processed are passed over.

        Returns: what is to be followed, or None when all had been processed before.
        """
        first_offset = self.next_offset
        taken = self._take(records)
        if taken is None:
            return None
        facts = terms(taken.batch, self._markets)
        codes = check(taken.batch, facts, taken.arrived_us, self._limits)
        rows = self.state.rows(keys_of(taken.batch.where(codes == 0)))
        return Begun(rows, partial(self._follow, first_offset, taken, codes, facts.where(codes == 0), rows))

    def _suspect(self, batch: TickBatch, codes: Codes, rows: Positions, followed: Followed) -> Codes:
        """Say of prices beyond the limits which look like another unit's; `rows` and `followed` are of valid ticks."""
        beyond, valid = codes == OUT_OF_LIMITS, codes == 0
        if not beyond.any():
            return codes
        price, row = price_of(batch), np.full(len(batch), -1, dtype=np.intp)
        row[valid], row[beyond] = rows, self.state.find(keys_of(batch.where(beyond)))
        usual, judged = np.full(len(batch), np.nan), np.zeros(len(batch), dtype=bool)
        usual[valid], judged[valid] = followed.usual, followed.in_order & ~np.isnan(price[valid])
        slip = in_other_unit(beyond, row, price, judged, usual, self.state)
        return np.where(slip, IN_OTHER_UNIT, codes).astype(np.int8)

    def process(self, records: Sequence[Record]) -> TickStep | None:
        """Read and follow records in order."""
        begun = self.begin(records)
        return begun.finish() if begun else None

    def _follow(
        self, first_offset: int, whole: Taken[TickBatch], codes: Codes, facts: Terms, rows: Positions
    ) -> TickStep:
        valid = codes == 0
        seen, batch = self._seen(rows, whole.offset[valid]), whole.batch.where(valid)
        followed = follow(batch, facts, rows, self.state, self._following, seen)
        taken = whole.without(self._suspect(whole.batch, codes, rows, followed), FAILURES, self._source)
        opinion = self._consult(taken.batch, TickPast(facts, followed))
        begun = onsets(opinion, followed, rows, taken.batch.time_us, self.state)
        note_figures(taken.batch, facts, rows, self.state, taken.arrived_us, self._patience, seen)
        return TickStep(
            self.partition,
            first_offset,
            self.next_offset,
            taken.batch,
            facts,
            rows,
            taken.offset,
            taken.arrived_us,
            together(followed, opinion),
            begun,
            taken.rejected,
            taken.rejected_at,
        )


def tick_effects(
    step: TickStep, state: SeriesState, position: Position, lost_records: int = 0
) -> Effects[TickRows] | None:
    """Cut from a step what the database does not have yet; see `stream.worker.flow.effects`."""
    due = due_rows(step, position)
    if due is None:
        return None
    batch, arrived_us = step.batch.where(due), step.arrived_us[due]
    flag = flag_of(step.batch, remarkable(step.followed))
    marks = watermark(batch.time_us, arrived_us, position.watermark_us)
    rejected = due_rejects(step, position)
    rows = TickRows(
        batch=batch,
        series_id=state.key_id[step.state_rows[due]],
        starts_us=step.terms.start_us[due],
        ends_us=step.terms.end_us[due],
        in_order=step.followed.in_order[due],
        flag=flag[due],
        score=step.followed.score[due],
        newest=step.followed.newest[due],
        partition=np.full(len(batch), step.partition, dtype=np.int64),
        offset=step.offset[due],
        arrived_us=arrived_us,
    )
    progress = progress_of(step, position, int(marks[-1]), len(rows), len(rejected), lost_records)
    alerts = raise_events(step.batch, step.terms, step.followed, step.arrived_us, due, step.begun)
    return Effects(rows, rejected, alerts, progress)
