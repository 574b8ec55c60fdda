"""What is overdue goes to Kafka and the database once; while either is away it is not told, and not forgotten."""

from typing import Any

import numpy as np
import pytest

from processors.market.overdue import Patience, note_figures
from processors.market.series import SeriesState, keys_of
from processors.market.terms import terms
from schemas.errors import ServiceUnavailable
from schemas.ticks import TickBatch
from sinks.memory import MemoryStore
from stream.market.overdue import OverdueWatch
from stream.markets import load_markets
from tests.builders import MINUTE_US, START_US


class Producer:
    """Keeps what it is sent; away for the first so many times."""

    def __init__(self, away: int = 0) -> None:
        self.sent = list[Any]()
        self._away = away

    async def send(self, outgoing: list[Any]) -> None:
        if self._away:
            self._away -= 1
            raise ServiceUnavailable("kafka", "away")
        self.sent += outgoing


def state() -> SeriesState:
    """Of one series whose newest figure ended at the start."""
    made = SeriesState()
    batch = TickBatch.from_columns(
        market=["aemo_nem"], symbol=["NSW1"], kind=["settlement"], tick_time=np.array([START_US]), price=[5.0]
    )
    note_figures(batch, terms(batch, load_markets()), made.rows(keys_of(batch)), made, batch.time_us, Patience())
    return made


LATER_US = START_US + 60 * MINUTE_US


async def test_an_absence_is_told_once() -> None:
    store, producer, of = MemoryStore(), Producer(), state()
    watch = OverdueWatch(lambda: [of], lambda: False, store, producer)  # type: ignore[arg-type]
    assert await watch.look(START_US) == []
    (alert,) = await watch.look(LATER_US)
    assert await watch.look(LATER_US + MINUTE_US) == []
    assert len(producer.sent) == 1
    assert store.alerts == {alert.alert_id}


async def test_what_could_not_be_told_is_told_later() -> None:
    store, producer, of = MemoryStore(), Producer(away=1), state()
    watch = OverdueWatch(lambda: [of], lambda: False, store, producer)  # type: ignore[arg-type]
    with pytest.raises(ServiceUnavailable):
        await watch.look(LATER_US)
    assert store.alerts == set()
    assert len(await watch.look(LATER_US)) == len(store.alerts) == 1
