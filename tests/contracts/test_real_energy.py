"""Hourly and daily energy of real recordings, as the engine's parts store them, against what their files add up to.

Of some weeks, so that it takes seconds; `--whole-recordings` is for all of them.
"""

from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np
import psycopg
import pytest
from prometheus_client import CollectorRegistry

from processors.judging import Judging
from processors.state import MeterState
from processors.validate import Limits
from schemas import arrow_codec
from schemas.readings import ReadingBatch
from schemas.registry import RegistryEntry
from schemas.topics import METERS_RAW
from simulators.replay.recorded import open_recorded
from simulators.replay.recording import Options
from sinks.memory import MemoryLatest
from sinks.timescale import TimescaleStore
from sinks.totals import catch_up
from stream.metrics import WorkerMetrics
from stream.worker.deliver import Deliverer
from stream.worker.flow import PartitionFlow, effects
from stream.worker.intake import Record
from stream.worker.newest import NewestKeeper
from tests.builders import ARROW, batch
from tests.contracts.test_windows_outbox import handed_on
from tests.flow.engine import Outbox
from tests.recordings import RECORDINGS, STEEL_MAPPING, Energy, added_up, rows, together

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

#: Readings of one record, and records of one delivery.
_RECORD, _AT_ONCE = 2_000, 8
#: Half of the weeks in the middle of each, in which all meters of a recording send.
_SAMPLE = timedelta(days=5)


def records(parts: Iterator[ReadingBatch], last_us: int) -> Iterator[Record]:
    """Records as a bridge makes them; the last one closes every window."""
    offset = 0
    for part in parts:
        for start in range(0, len(part), _RECORD):
            of = part.slice(start, _RECORD)
            yield Record(offset, arrow_codec.write(of), ARROW, int(of.time_us.max()) + 1_000_000)
            offset += 1
    beat = batch("BEAT", last_us, voltage=230.0)
    yield Record(offset, arrow_codec.write(beat), ARROW, last_us)


async def through_the_engine(url: str, entries: list[RegistryEntry], sent: list[Record]) -> None:
    """Decode, judge, deliver, sum up and merge; only Kafka and Redis are left out."""
    store = TimescaleStore(url, lateness_s=60.0)
    await store.register(entries)
    metrics = WorkerMetrics(CollectorRegistry())
    newest: NewestKeeper[Any] = NewestKeeper(MemoryLatest(), metrics)
    deliverer: Deliverer[Any, Any] = Deliverer(
        METERS_RAW.name, "life", effects, store, newest, cast("Any", Outbox()), metrics
    )
    flow = PartitionFlow(METERS_RAW.name, 0, MeterState(), np.empty(0, dtype=np.int64), Limits(), Judging())
    await deliverer.position(0, 0)
    for start in range(0, len(sent), _AT_ONCE):
        begun = flow.begin(sent[start : start + _AT_ONCE])
        assert begun is not None
        await deliverer.resolve(flow.state, begun.state_rows)
        await deliverer.deliver([begun.finish()], {0: flow.state}, {})
    await store.close()
    await handed_on(url)
    await catch_up(url, 0)


def told(url: str, statement: str, *parameters: Any) -> Energy:
    with psycopg.connect(url) as connection:
        found = connection.execute(statement.encode(), parameters).fetchall()
    return {(meter, start): round(kwh * 1e9) for meter, start, kwh in found if kwh is not None}


@pytest.mark.parametrize("name", RECORDINGS)
async def test_hours_and_days_have_the_energy_of_the_file(
    url: str, shared_data: Path, tmp_path: Path, name: str, request: pytest.FixtureRequest
) -> None:
    """To the micro-watt-hour: those of each meter, asked in three ways, and the windows of their feeder."""
    recording = RECORDINGS[name]
    file = shared_data / recording.path
    found = list(rows(recording, file))
    times = [at for _, at, _ in found]
    since, until = min(times), max(times) + timedelta(seconds=1)
    if not request.config.getoption("whole_recordings"):
        middle = since + (until - since) / 2
        since, until = max(since, middle - _SAMPLE), min(until, middle + _SAMPLE)
        found = [row for row in found if since <= row[1] < until]
    hours, days = added_up(found, "%Y-%m-%d %H"), added_up(found, "%Y-%m-%d")
    mapping = tmp_path / "steel.toml"
    mapping.write_text(STEEL_MAPPING)
    opened = open_recorded(file, recording.form, Options(mapping=mapping if recording.meter == "STEEL" else None))
    begin_us, end_us = (int(at.replace(tzinfo=ZoneInfo(recording.zone)).timestamp() * 1e6) for at in (since, until))
    chosen = (of.where((of.time_us >= begin_us) & (of.time_us < end_us)) for of in opened.batches)
    last = until.replace(tzinfo=UTC) + timedelta(days=3)
    place = {"transformer": "T", "feeder": "F", "region": "R", "substation": "S", "timezone": recording.zone}
    meters = sorted({meter for meter, _, _ in found})
    entries = [RegistryEntry.model_validate({"meter_number": meter, **place}) for meter in meters]
    await through_the_engine(url, entries, list(records(chosen, int(last.timestamp()) * 10**6)))
    assert not opened.findings.count

    zone, hour, day = recording.zone, "'YYYY-MM-DD HH24'", "'YYYY-MM-DD'"
    of_meters = f"SELECT meter_number, to_char(hour AT TIME ZONE %s, {hour}), energy_kwh FROM meter_hours"
    assert told(url, of_meters, zone) == hours
    assert told(url, "SELECT meter_number, day::text, energy_kwh FROM meter_days") == days
    asked = (
        f"SELECT m.meter_number, to_char(w.window_start AT TIME ZONE %s, {day}), w.energy_kwh FROM smart_meters m "
        "CROSS JOIN LATERAL meter_windows(m.meter_number, %s, %s, '1 day', 'all') w WHERE m.meter_number <> 'BEAT'"
    )
    assert told(url, asked, zone, since - timedelta(days=1), last) == days
    for length_s, form, energy in ((3_600, hour, hours), (86_400, day, days)):
        windows = (
            f"SELECT '', to_char(window_start AT TIME ZONE %s, {form}), energy_kwh FROM element_windows "
            "WHERE element = 'feeder/F' AND customer_class IS NULL AND window_s = %s AND state = 'final' "
            "AND energy_kwh > 0"
        )
        assert told(url, windows, zone, length_s) == together(energy)
