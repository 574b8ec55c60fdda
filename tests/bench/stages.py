"""Each stage alone, in one process without servers or with one: readings per second of processor time."""

import asyncio
import time
from collections.abc import Callable, Sequence

import numpy as np

from models.scorer import Scorer
from processors.features import features
from processors.first_of_meter import FOREVER_US, NONE_US, firsts, frames_of
from processors.judge import judge
from processors.judgement import Past
from processors.judging import Judging
from processors.opinion import Opinion
from processors.partition import partition_of
from processors.state import MeterState
from processors.validate import Limits, validate
from processors.vee.check import check
from processors.windows import Windowing, WindowPartials, summarise
from schemas.codec import decode
from schemas.delivery import NO_WATERMARK_US, Position, Rows
from schemas.layout import Positions
from schemas.readings import ReadingBatch
from schemas.windows import EN_50160, WINDOW_LENGTHS_S
from sinks.copy_binary import encode
from sinks.readings_table import READINGS
from sinks.redis import RedisLatest
from stream.vee.rule_book import own_rules
from stream.worker.flow import Consult, PartitionFlow, effects, no_model
from stream.worker.intake import Record
from tests.bench.feed import PARTITIONS, Shape, content_type, encoded
from tests.bench.spec import Load

#: Readings per step: what a busy worker takes of one partition at once.
_STEP = 5_000
ARRIVED_US = 1_780_000_000_000_000


def steps(load: Load) -> list[ReadingBatch]:
    """Return one partition's readings in steps of a few intervals."""
    names = load.names
    rows = np.flatnonzero(partition_of(names, PARTITIONS) == 0)
    ticks = [tick.batch(names, rows) for tick in load.ticks()]
    per_step = max(_STEP // max(len(rows), 1), 1)
    return [ReadingBatch.concat(ticks[start : start + per_step]) for start in range(0, len(ticks), per_step)]


def rate(batches: Sequence[ReadingBatch], work: Callable[[int], object]) -> float:
    """Return readings per second of processor time of some work on each batch; the first one warms up."""
    work(0)
    began = time.process_time()
    for number in range(1, len(batches)):
        work(number)
    return sum(len(batch) for batch in batches[1:]) / max(time.process_time() - began, 1e-9)


def decoding(batches: Sequence[ReadingBatch], shape: Shape, per_record: int) -> float:
    """Return the rate of decoding."""
    payloads = [
        [
            encoded(part, shape)[1:-1] if shape is Shape.SINGLE else encoded(part, shape)
            for start in range(0, len(batch), per_record)
            for part in [batch.slice(start, per_record)]
        ]
        for batch in batches
    ]
    kinds = [[content_type(shape)] * len(found) for found in payloads]
    return rate(batches, lambda number: decode(payloads[number], kinds[number], ReadingBatch))


class Windows:
    """What the store does for windows beside its statements: which readings are their meter's first, and all sums."""

    def __init__(self) -> None:
        self._newest = np.empty(0, dtype=np.int64)
        self._how = Windowing(WINDOW_LENGTHS_S, 60.0, EN_50160)

    def step(self, batch: ReadingBatch, meter: Positions) -> WindowPartials:
        """Sum a batch up, 50 meters to a transformer and three classes of them."""
        short = max(int(meter.max(initial=-1)) + 1 - len(self._newest), 0)
        self._newest = np.pad(self._newest, (0, short), constant_values=NONE_US)
        ever, never = np.full(len(batch), NONE_US), np.full(len(batch), FOREVER_US)
        frames = frames_of(batch.time_us, np.zeros(len(batch), dtype=np.int64), ["UTC"], ever, never)
        first, _ = firsts(meter, batch.time_us, self._newest[meter], frames)
        np.maximum.at(self._newest, meter, batch.time_us)
        flags, group = np.zeros(len(batch), dtype=np.int8), meter // 50 * 3 + meter % 3
        return summarise(batch, flags, group, first, ever, self._how)


class Flow:
    """Everything between Kafka's bytes and the sinks: decode, validate, rules, judge, models, windows' input.

    Args:
        batches: readings of one partition, step by step.
        consult: asks the model.
    """

    def __init__(self, batches: Sequence[ReadingBatch], consult: Consult) -> None:
        self._payloads = [
            [encoded(batch.slice(s, 500), Shape.ARROW) for s in range(0, len(batch), 500)] for batch in batches
        ]
        self._windows = Windows()
        no_shards = np.empty(0, dtype=np.int64)
        self._flow = PartitionFlow("bench", 0, MeterState(), no_shards, Limits(), Judging(), consult=consult)

    def step(self, number: int) -> Rows:
        """Take one batch and return what would be stored of it."""
        reached = self._flow.next_offset
        step = self._flow.process(
            [
                Record(reached + k, payload, content_type(Shape.ARROW), ARRIVED_US)
                for k, payload in enumerate(self._payloads[number])
            ]
        )
        assert step is not None
        due = effects(step, self._flow.state, Position(reached, NO_WATERMARK_US))
        assert due is not None
        rows = due.rows
        self._windows.step(rows.batch, self._flow.state.rows(rows.batch.meter_number))
        return rows


def consulted(scorer: Scorer) -> Consult:
    """Return how a worker asks a model that serves alone."""

    def consult(batch: ReadingBatch, past: Past) -> Opinion:
        look = scorer.look(batch, past)
        return Opinion(look.scores, np.full(len(batch), np.nan, dtype=np.float32), look.explain)

    return consult


def alone(load: Load, redis_url: str, scorer: Scorer) -> dict[str, float]:
    """Return the rate of each stage [readings/s per core]."""
    batches = steps(load)
    state, rules = MeterState(), own_rules()
    rows = [state.rows(batch.meter_number) for batch in batches]
    arrived = [np.full(len(batch), ARRIVED_US) for batch in batches]
    windows = Windows()
    without = Flow(batches, no_model)
    stored = [without.step(number) for number in range(len(batches))]
    found = {
        "decode, Arrow": decoding(batches, Shape.ARROW, 500),
        "decode, JSON arrays": decoding(batches, Shape.ARRAY, 500),
        "decode, single JSON": decoding(batches[: max(len(batches) // 4, 2)], Shape.SINGLE, 1),
        "validate": rate(batches, lambda k: validate(batches[k], arrived[k], Limits())),
        "rules": rate(batches, lambda k: check(batches[k], rows[k], state, arrived[k], rules)),
        "judge": rate(batches, lambda k: judge(batches[k], rows[k], state, Judging())),
        "windows": rate(batches, lambda k: windows.step(batches[k], rows[k])),
        "COPY encoding": rate(batches, lambda k: encode(READINGS.encode(stored[k]))),
        "engine without sinks or forest": rate(batches, Flow(batches, no_model).step),
        "engine without sinks": rate(batches, Flow(batches, consulted(scorer)).step),
        "Redis (client side)": asyncio.run(_redis(stored, redis_url)),
    }
    return found | _scoring(batches, scorer)


def _scoring(batches: Sequence[ReadingBatch], scorer: Scorer) -> dict[str, float]:
    """Return the rates of features, of the forest, and of both with their calibration."""
    state = MeterState()
    pasts = [judge(batch, state.rows(batch.meter_number), state, Judging()).past for batch in batches]
    no_holidays = np.empty(0, dtype=np.int64)
    matrices = [features(batch, past, no_holidays) for batch, past in zip(batches, pasts, strict=True)]
    return {
        "features": rate(batches, lambda k: features(batches[k], pasts[k], no_holidays)),
        "forest": rate(batches, lambda k: scorer.forest.score(matrices[k])),
        "scoring (features, forest, calibration)": rate(batches, lambda k: scorer.score(batches[k], pasts[k])),
    }


async def _redis(stored: Sequence[Rows], url: str) -> float:
    latest = RedisLatest(url, expiry_s=60)
    await latest.open()
    chosen = stored[: max(len(stored) // 8, 2)]
    await latest.write(chosen[0])
    began = time.process_time()
    for rows in chosen[1:]:
        await latest.write(rows)
    spent = time.process_time() - began
    await latest.close()
    return sum(map(len, chosen[1:])) / max(spent, 1e-9)
