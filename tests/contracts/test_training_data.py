"""A model is trained on what the engine has stored: the same readings, in the order of time."""

from collections.abc import AsyncIterator
from datetime import timedelta

import numpy as np
import pytest

from schemas.errors import ConfigurationError
from schemas.layout import instant_of
from schemas.readings import ReadingBatch
from sinks.timescale import TimescaleStore
from stream.training.stored import from_database, newest_reading
from tests.builders import HOUR_US, batch
from tests.contracts.backings import unique
from tests.contracts.test_any_store import Feed

pytestmark = pytest.mark.integration
#: A week that no other test writes to.
START_US = 1_262_304_000_000_000
HOURS = 30


@pytest.fixture
async def feed(database_url: str) -> AsyncIterator[Feed]:
    made = Feed(TimescaleStore(database_url, lateness_s=60.0), unique("topic"), unique('m,"'))
    await made.start()
    yield made
    await made.store.close()


async def test_stored_readings_come_back_as_they_were_in_the_order_of_time(feed: Feed, database_url: str) -> None:
    names = sorted(feed.meter(str(k)) for k in range(3))
    times = START_US + HOUR_US * np.repeat(np.arange(HOURS, dtype=np.int64), len(names))
    chance = np.random.default_rng(1)
    written = batch(
        names * HOURS,
        times,
        consumption_kwh=chance.random(len(times)).tolist(),
        voltage=[None if place % 7 == 0 else 230.0 + place / 3 for place in range(len(times))],
    )
    await feed.write(written.take(chance.permutation(len(written))))
    start = instant_of(START_US)
    source = from_database(database_url, start, start + timedelta(hours=HOURS - 1))
    found = ReadingBatch.concat(list(source.batches))
    assert source.total == len(found) == 3 * (HOURS - 1)
    assert found.time_us.tolist() == times[: len(found)].tolist()
    wanted = {(name, at): row for row, (name, at) in enumerate(zip(names * HOURS, times.tolist(), strict=True))}
    order = [wanted[key] for key in zip(found.meter_number.to_pylist(), found.time_us.tolist(), strict=True)]
    for name in ("consumption_kwh", "voltage", "register_kwh"):
        assert found.column(name).to_pylist() == written.take(np.array(order)).column(name).to_pylist()
    assert newest_reading(database_url) >= start + timedelta(hours=HOURS - 1)


def test_a_span_without_readings_is_said(database_url: str) -> None:
    start = instant_of(START_US - 365 * 24 * HOUR_US)
    with pytest.raises(ConfigurationError, match="no readings from 2009-01-01"):
        from_database(database_url, start, start + timedelta(days=1))
