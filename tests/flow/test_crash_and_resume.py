"""A worker that is killed anywhere and started again leaves what an undisturbed one leaves, to the last bit."""

import asyncio
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.state import COLUMNS, MeterState
from processors.vee.catalogue import BY_ID
from schemas import arrow_codec
from schemas.errors import ServiceUnavailable
from schemas.registry import RegistryEntry
from sinks.memory import AfterCommit, MemoryStore
from stream.worker.intake import Record
from tests.bad_input import UNREADABLE_PAYLOADS
from tests.builders import ARROW, START_US, payload, reading, record
from tests.flow.engine import Engine, Outbox
from tests.strategies import cuts, streams
from tests.trained import consult

#: Meters of classes with thresholds of their own, one that is not in use; the others are in no registry.
REGISTRY = [
    RegistryEntry(meter_number="M1", customer_class="residential"),
    RegistryEntry(meter_number="M2", customer_class="commercial", status="removed"),
    RegistryEntry(meter_number="M3", customer_class="solar"),
]
GARBAGE = [(data, kind) for name, (data, kind, _) in UNREADABLE_PAYLOADS.items() if "10 MB" not in name]


@pytest.fixture(autouse=True, scope="module")
def _small_shards() -> Any:
    """Shards of two meters, so that a handful of meters has several."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (
            "processors.keyed_state",
            "processors.checkpoint",
            "stream.worker.intake",
            "stream.worker.checkpoints",
        ):
            patch.setattr(f"{module}.SHARD_ROWS", 2)
        yield


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """A partition's records: readings of several meters as JSON or Arrow, one or many at a time, and garbage."""
    found, stream, log = [], draw(streams(meters=7, max_rows=40)), []
    for part in draw(cuts(len(stream))):
        piece = stream.slice(part.start, part.stop - part.start)
        if len(piece) and draw(st.booleans()):
            found.append((arrow_codec.write(piece), ARROW))
        else:
            rows = piece.records.to_pylist()
            times = piece.time_us.tolist()
            values = [
                reading(row["meter_number"], at, consumption_kwh=row["consumption_kwh"], voltage=row["voltage"])
                for row, at in zip(rows, times, strict=True)
            ]
            found += [(payload(value), None) for value in values]
    for data, kind in draw(st.lists(st.sampled_from(GARBAGE), max_size=3)):
        found.insert(draw(st.integers(0, len(found))), (data, kind))
    offset = draw(st.integers(0, 5))
    for data, kind in found:
        log.append(record(offset, data, kind, source=draw(st.sampled_from([None, None, "a", "b"]))))
        offset += draw(st.sampled_from([1, 1, 1, 2]))  # transactions of other producers leave gaps
    return log


@dataclass(frozen=True)
class Life:
    """What happens to a worker: batches taken, shards saved after each (None: none), then a kill."""

    batches: list[int]
    saves: list[int | None]


lives = st.lists(
    st.builds(
        Life,
        st.lists(st.integers(1, 9), min_size=1, max_size=6),
        st.lists(st.none() | st.integers(0, 5), min_size=6, max_size=6),
    ),
    max_size=4,
)
failures = st.lists(
    st.sampled_from(
        [None, None, ServiceUnavailable("database", "x"), AfterCommit(ServiceUnavailable("database", "y"))]
    ),
    max_size=12,
)


def state_of(state: MeterState) -> dict[str, list[bytes]]:
    """State by meter; where a meter stands does not matter."""
    names = [name for name in state.names(0, state.extent) if name is not None]
    return {
        name: [np.asarray(getattr(state, column)[state.row(name)]).tobytes() for column in COLUMNS] for name in names
    }


async def run(log: list[Record], history: list[Life], store: MemoryStore, outbox: Outbox) -> Engine:
    engine = Engine(store, outbox, consult=consult)
    await store.register(REGISTRY)
    if log:
        engine.committed[0] = log[0].offset
    for life in history:
        await live(engine, log, life)
        engine = engine.restart()
    await live(engine, log, Life([len(log) + 1], [None]))
    await engine.flow(0)
    return engine


async def live(engine: Engine, log: list[Record], life: Life) -> None:
    """Take what Kafka gives from where it has the group committed."""
    waiting = [item for item in log if item.offset >= engine.committed[0]]
    for size, save in zip(life.batches, life.saves, strict=False):
        batch, waiting = waiting[:size], waiting[size:]
        if not batch:
            return
        await engine.take(*batch)
        if save is not None:
            engine.save(shards=save)


@given(logs(), lives, failures, st.data())
def test_killed_anywhere_and_resumed_is_as_if_nothing_had_happened(
    log: list[Record], history: list[Life], scripted: list[Any], data: st.DataObject
) -> None:
    calm = asyncio.run(run(log, [], MemoryStore(), Outbox()))
    outbox = Outbox(iter(data.draw(st.lists(st.sampled_from([None, ServiceUnavailable("kafka", "z")]), max_size=6))))
    survivor = asyncio.run(run(log, history, MemoryStore(scripted), outbox))
    assert survivor.told() == calm.told()
    assert state_of(survivor.flows[0].state) == state_of(calm.flows[0].state)


@given(logs(), st.data())
def test_however_records_are_taken_the_end_is_the_same(log: list[Record], data: st.DataObject) -> None:
    at_once = asyncio.run(run(log, [], MemoryStore(), Outbox()))
    life = Life(data.draw(st.lists(st.integers(1, 9), min_size=len(log), max_size=len(log))), [None] * len(log))
    in_parts = asyncio.run(run(log, [life], MemoryStore(), Outbox()))
    assert in_parts.told() == at_once.told()


@given(logs())
def test_the_same_log_again_in_another_life_of_the_topic_changes_nothing_but_the_account(log: list[Record]) -> None:
    engine = asyncio.run(run(log, [], MemoryStore(), Outbox()))
    before = engine.told()

    async def again() -> dict[str, Any]:
        other = Engine(engine.store, engine.outbox, consult=engine.consult)
        other.deliverer._topic_id = "life-2"
        if log:
            other.committed[0] = log[0].offset
            await other.take(*log)
        return other.told()

    after = asyncio.run(again())
    for name in ("readings", "windows", "rejected", "alerts in the database"):
        assert after[name] == before[name]


async def test_the_class_of_a_meter_holds_from_its_first_reading_on() -> None:
    engine = Engine()
    await engine.store.register(REGISTRY)
    await engine.take(record(0, payload(reading("M2", START_US))), record(1, payload(reading("M9", START_US))))
    inactive, unknown = (1 << BY_ID[name].bit for name in ("inactive_meter", "unknown_meter"))
    assert engine.store.said["M2", START_US][1] & inactive
    assert engine.store.said["M9", START_US][2] & unknown


async def test_a_conflicting_repeat_is_reported_however_records_are_taken() -> None:
    first, other = (record(k, payload(reading("M1", START_US, consumption_kwh=float(k)))) for k in range(2))
    together, apart = Engine(), Engine()
    await together.take(first, other)
    await apart.take(first)
    await apart.take(other)
    assert together.told() == apart.told()
