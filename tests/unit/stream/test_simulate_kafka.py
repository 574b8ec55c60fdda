"""Records straight into Kafka: every row once, each within what Kafka takes."""

import numpy as np
import pyarrow.compute as pc
import pytest

from schemas.codec import decode
from schemas.ticks import TickBatch
from schemas.topics import ARROW
from simulators.market.ticks import TickShipment
from stream.bridge.records import MAX_RECORD_BYTES
from stream.simulate.kafka import by_partition


@pytest.mark.parametrize("count", [1, 30_000])
def test_rows_of_a_partition_are_cut_where_kafka_takes_no_more(count: int) -> None:
    batch = TickBatch.from_columns(
        market=["aemo_nem"] * count,
        symbol=np.resize(["A" * 40, "B"], count).tolist(),
        tick_time=np.arange(count),
        price=np.arange(count) / 7,
    )
    cargo = TickShipment(batch.records, np.zeros(count), np.arange(count) % 2, [])
    messages = by_partition("market.raw", cargo, (np.arange(count) % 2).astype(np.int32))
    assert all(len(message.payload) <= MAX_RECORD_BYTES for message in messages)
    assert sum(message.readings for message in messages) == count
    found = decode([message.payload for message in messages], [ARROW] * len(messages), TickBatch)
    assert found.faults == []
    assert pc.unique(found.batch.column("symbol")).to_pylist() == (["A" * 40, "B"] if count > 1 else ["A" * 40])
    assert np.sort(found.batch.time_us).tolist() == list(range(count))
