"""Ticks as messages: each once, under the topic of its symbol, readable by the engine."""

import numpy as np
import pytest

from schemas.codec import decode
from schemas.readings import ReadingBatch
from schemas.ticks import TickBatch
from schemas.topics import MQTT_TICKS
from simulators.cargo import CargoPace
from simulators.market.publisher import TickPublisher
from simulators.messages import Mode
from simulators.pacing import UNPACED
from simulators.transport import ListTransport
from stream.bridge.records import MARKET, feed_of
from tests.markets import START_S, Simulated

FOUND = Simulated(["pjm", "omie"], hours=1)


def published(mode: Mode, speedup: float = UNPACED, **more: object) -> tuple[ListTransport, object]:
    transport = ListTransport(**more)  # type: ignore[arg-type]
    publisher = TickPublisher(
        transport,
        mode=mode,
        per_message=50,
        names=FOUND.listing.names,
        pace=CargoPace(speedup, origin_s=START_S),
        now=transport.now,
    )
    return transport, publisher.run(FOUND.shipments)


@pytest.mark.parametrize("mode", list(Mode))
def test_every_tick_is_in_one_message_of_its_symbol(mode: Mode) -> None:
    transport, report = published(mode)
    decoded = decode([message.payload for message in transport.messages], [None] * len(transport.messages), TickBatch)
    assert decoded.faults == []
    order = [
        np.lexsort((batch.time_us, np.asarray(batch.column("symbol").to_pylist())))
        for batch in (decoded.batch, FOUND.batch)
    ]
    assert len(decoded.batch) == len(FOUND.batch) == report.readings  # type: ignore[attr-defined]
    for name in ("market", "symbol", "kind"):
        assert sorted(decoded.batch.column(name).to_pylist()) == sorted(FOUND.batch.column(name).to_pylist())
    assert decoded.batch.time_us[order[0]].tolist() == FOUND.batch.time_us[order[1]].tolist()
    assert np.nansum(decoded.batch.floats("bid")) == pytest.approx(np.nansum(FOUND.batch.floats("bid")))
    for message, index in zip(transport.messages, range(len(transport.messages)), strict=True):
        assert feed_of(message.topic.encode()) is MARKET
        rows = np.flatnonzero(decoded.source == index)
        assert {f"market/{m}/{s}/tick" for m, s in zip(
            decoded.batch.column("market").take(rows).to_pylist(),
            decoded.batch.column("symbol").take(rows).to_pylist(), strict=True,
        )} == {message.topic}  # fmt: skip
    assert MQTT_TICKS == ("market/+/+/tick",)


def test_no_tick_leaves_before_it_is_due_and_a_slow_broker_shows_as_slip() -> None:
    transport, report = published(Mode.CONCENTRATOR, speedup=60.0)
    assert transport.clock_s == pytest.approx(60, abs=1)
    assert report.slip_p99_ms < 100  # type: ignore[attr-defined]
    _, slow = published(Mode.SINGLE, speedup=60.0, seconds_per_message=0.2)
    assert slow.slip_p99_ms > 1_000  # type: ignore[attr-defined]
    assert slow.offered_per_s == pytest.approx(report.offered_per_s, rel=0.05)  # type: ignore[attr-defined]


def test_readings_are_no_ticks() -> None:
    with pytest.raises(TypeError, match="shipment of ticks"):
        TickPublisher(ListTransport()).messages(ReadingBatch.empty())
