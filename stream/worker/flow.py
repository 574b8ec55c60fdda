"""The pure part of the worker, for one partition: records in, judged columns out, state moved on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from processors.alerts import model_alerts, raise_alerts
from processors.explained import Explanations, explain
from processors.judge import judge
from processors.judgement import Judgement, Past
from processors.judging import Judging
from processors.opinion import Onsets, Opinion, onsets
from processors.peers import Before, Neighbours, compare
from processors.record_sources import Runs
from processors.state import MeterState
from processors.supply import Signs, SupplyWatch, signs_of
from processors.validate import FAILURES, Limits, validate
from processors.vee.check import Findings, check
from processors.vee.rule_set import RuleSet
from processors.windows import watermark
from schemas.delivery import Position, Rows
from schemas.layout import Ints, Mask, Positions
from schemas.quality import stronger
from schemas.readings import ReadingBatch
from schemas.rejected import Rejected
from schemas.supply import SupplyChanges
from stream.vee.rule_book import own_rules
from stream.worker.cut import due_rejects, due_rows, progress_of
from stream.worker.intake import Begun, Effects, Intake, Record, Taken

#: What models say of readings. It depends on a reading and its meter's past alone, and changes nothing that judgement
#: goes by, so that a replay may run with other models.
Consult = Callable[[ReadingBatch, Past], Opinion]


def no_model(batch: ReadingBatch, _past: Past) -> Opinion:
    """Say nothing: each meter's own past is all there is."""
    return Opinion.none(len(batch))


@dataclass(frozen=True)
class Step:
    """What some records of one partition came to; effects are cut from it, from any offset on.

    Attributes:
        partition: Kafka partition.
        first_offset: first offset that had not been processed before.
        next_offset: first offset after the records.
        batch: n valid readings.
        state_rows: intp[n], row of each reading's meter.
        offset: int64[n], Kafka offset.
        arrived_us: int64[n], arrival [us].
        findings: what the rules said of each.
        judgement: what was found of each; its flag is the stronger one of judgement and rules.
        neighbours: what neighbours said of what begins.
        opinion: what models say of each.
        onsets: what begins by a model's word alone.
        why: of each reading that is worth watching.
        rejected: each with the offset of its record.
        rejected_at: int64[r], those offsets.
        sources: where its records come from.
        supply: whose power has gone or come back.
    """

    partition: int
    first_offset: int
    next_offset: int
    batch: ReadingBatch
    state_rows: Positions
    offset: Ints
    arrived_us: Ints
    findings: Findings
    judgement: Judgement
    neighbours: Neighbours
    opinion: Opinion
    onsets: Onsets
    why: Explanations
    rejected: list[Rejected]
    rejected_at: Ints
    sources: Runs
    supply: SupplyChanges


class PartitionFlow(Intake[ReadingBatch, MeterState]):
    """One partition of readings: its state and the way through the processors.

    Args:
        topic: Kafka topic, for the source noted with rejected readings.
        partition: Kafka partition.
        state: as restored from its checkpoint, or empty.
        shard_offset: int64[k], first offset that each shard of the state has not seen.
        limits: validation bounds.
        judging: judgement bounds.
        next_offset: where to begin.
        consult: asks the models that serve.
        rules: gives the rule set as it is now; the engine's own by default.

    Attributes:
        next_offset: first offset that has not been processed.
    """

    def __init__(
        self,
        topic: str,
        partition: int,
        state: MeterState,
        shard_offset: Ints,
        limits: Limits,
        judging: Judging,
        next_offset: int = 0,
        consult: Consult = no_model,
        rules: Callable[[], RuleSet] = own_rules,
    ) -> None:
        super().__init__(topic, partition, ReadingBatch, state, shard_offset, next_offset)
        self._limits = limits
        self._judging = judging
        self._consult = consult
        self._rules = rules
        self._supply = SupplyWatch(state)

    def resume(self, start: int, position: Position) -> None:
        """Begin where the group or, if that is behind, the database stands."""
        super().resume(start, position)
        self._supply.resume(position.watermark_us)

    def begin(self, records: Sequence[Record]) -> Begun[Step] | None:
        """Read records in order; those already processed are passed over.

        Returns: what is to be judged, or None when all had been processed before.
        """
        first_offset = self.next_offset
        taken = self._take(records)
        if taken is None:
            return None
        codes, whole = validate(taken.batch, taken.arrived_us, self._limits), taken
        taken = whole.without(codes, FAILURES, self._source)
        rows = self.state.rows(taken.batch.meter_number)
        signs = signs_of(whole.batch, codes, whole.arrived_us, whole.offset, rows, self.state)
        return Begun(rows, partial(self._judge, first_offset, taken, rows, signs))

    def process(self, records: Sequence[Record]) -> Step | None:
        """Read and judge records in order, by what is known of the registry already."""
        begun = self.begin(records)
        return begun.finish() if begun else None

    def _judge(self, first_offset: int, taken: Taken[ReadingBatch], rows: Positions, signs: Signs) -> Step:
        batch = taken.batch
        supply = self._supply.take(signs, self._seen(signs.row, signs.offset))
        seen = self._seen(rows, taken.offset)
        findings = self._check(taken, rows, seen)
        before = Before.of(self.state, rows)
        judgement = judge(batch, rows, self.state, self._judging, seen)
        neighbours = compare(judgement, rows, batch.time_us, before, self.state, judgement.severity > 0)
        opinion = self._consult(batch, judgement.past)
        begun = onsets(opinion, judgement, rows, batch.time_us, self.state, self._judging)
        flag = stronger(judgement.flag, findings.flag)
        return Step(
            self.partition,
            first_offset,
            self.next_offset,
            batch,
            rows,
            taken.offset,
            taken.arrived_us,
            findings,
            replace(judgement, flag=flag),
            neighbours,
            opinion,
            begun,
            explain(judgement, opinion, self._judging.monitoring, begun),
            taken.rejected,
            taken.rejected_at,
            taken.runs,
            supply,
        )

    def _check(self, taken: Taken[ReadingBatch], rows: Positions, seen: Mask | None) -> Findings:
        rules = self._rules()
        source = None
        if rules.sources:
            source = np.array([rules.source_code(name) for name in taken.sources], dtype=np.intp)[taken.record]
        return check(taken.batch, rows, self.state, taken.arrived_us, rules, source, seen)


def ready_passes() -> None:
    """Load the compiled passes, or compile them where no start before has: records wait for neither then."""
    state, nothing = MeterState(), ReadingBatch.from_columns(meter_number=[], reading_time=[])
    rows, arrived_us = state.rows(nothing.meter_number), np.empty(0, dtype=np.int64)
    check(nothing, rows, state, arrived_us, own_rules())
    judge(nothing, rows, state, Judging())


def effects(step: Step, state: MeterState, position: Position, lost_records: int = 0) -> Effects[Rows] | None:
    """Cut from a step what the database does not have yet.

    Args:
        step: processed records.
        state: the partition's state, for the database keys of its meters.
        position: where the database stands.
        lost_records: records before the step that Kafka no longer had.

    Returns: effects of the offsets from `position.next_offset` on, or None where there are none.

    Raises:
        StepMissing: an earlier step never took effect; going on would lose its records.
    """
    due = due_rows(step, position)
    if due is None:
        return None
    marks = watermark(step.batch.time_us[due], step.arrived_us[due], position.watermark_us)
    rejected = due_rejects(step, position)
    rows = Rows(
        batch=step.batch.where(due),
        meter_id=state.key_id[step.state_rows[due]],
        flag=step.judgement.flag[due],
        # The more unusual of two views: that of the meter's own past, and that of all meters.
        score=np.fmax(step.judgement.score, step.opinion.score)[due],
        shadow_score=step.opinion.shadow[due],
        failed=step.findings.failed[due],
        warned=step.findings.warned[due],
        nem12=step.findings.nem12[due],
        espi=step.findings.espi[due],
        rule_set=step.findings.rule_set[due],
        why=step.why[due],
        newest=step.judgement.in_order[due],
        partition=np.full(int(due.sum()), step.partition, dtype=np.int64),
        offset=step.offset[due],
        arrived_us=step.arrived_us[due],
        mark_us=marks[:-1],
    )
    progress = progress_of(step, position, int(marks[-1]), len(rows), len(rejected), lost_records, step.sources)
    alerts = raise_alerts(step.batch, step.judgement, step.arrived_us, due, step.neighbours)
    alerts += model_alerts(step.batch, step.judgement, step.opinion.score, step.onsets, step.arrived_us, due)
    return Effects(rows, rejected, alerts, progress, step.supply.where(step.supply.offset >= position.next_offset))
