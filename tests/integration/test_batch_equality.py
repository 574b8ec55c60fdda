"""Windows of a disturbed run, its worker killed twice within, are those worked out from the whole input at once.

`READINGS=1000000 pytest -s tests/integration/test_batch_equality.py` is the long run; without it there are fewer.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from confluent_kafka import Producer

from processors.partition import partition_of
from schemas import arrow_codec
from schemas.readings import ReadingBatch
from schemas.topics import ARROW, CONTENT_TYPE, METERS_RAW
from stream.stack.stack import LocalStack
from stream.topics import bootstrap_servers, partition_count
from tests import recompute
from tests.integration.processes import EngineProcess, command, query, wait_until
from tests.recompute import Town

READINGS = int(os.environ.get("READINGS", "50000"))
pytestmark = [pytest.mark.integration, pytest.mark.timeout(300 + READINGS // 500)]

#: Clocks go forward in the north within two days of it.
BEGIN = pd.Timestamp("2026-03-27T09:00Z")
SHUFFLED, LATE, REPEATED = 0.20, 0.05, 0.05
#: Readings of so many quarters change places among each other.
_REACH = 12
#: Readings sent at a time, and per second.
_PORTION, _RATE = 2_000, max(8_000, READINGS // 40)
_STORED = "SELECT coalesce(sum(stored), 0)::bigint FROM stream_offsets WHERE topic = 'meters.raw'"


@dataclass(frozen=True)
class Run:
    """What is sent.

    Attributes:
        town: where its meters stand.
        readings: each once, by time.
        sent: position in `readings` of each that is sent, in the order of its coming.
    """

    town: Town
    readings: pd.DataFrame
    sent: np.ndarray

    @property
    def last(self) -> pd.Timestamp:
        """All windows that begin before it are closed by the readings that come last."""
        return self.readings["time"].max().floor("1D") - pd.Timedelta("1D")


def invented(count: int, seed: int = 5) -> Run:
    """Return about so many readings, every quarter of an hour of every meter, and one of each four days later."""
    rng = np.random.default_rng(seed)
    meters = max(100, count // 1_000)
    town = _town(meters)
    steps = count // meters
    number, step = np.tile(np.arange(meters), steps), np.repeat(np.arange(steps), meters)
    own_minute = pd.to_timedelta(rng.integers(0, 3, meters) * 5, unit="min")
    wh = np.round(rng.uniform(50, 900, meters)[number] * rng.uniform(0.9, 1.1, len(number)))
    readings = pd.DataFrame(
        {
            "meter": town.places["meter"].to_numpy()[number],
            "time": pd.DatetimeIndex([BEGIN]).repeat(len(step))
            + pd.to_timedelta(step * 15, unit="min")
            + own_minute[number],
            "wh": wh.astype(np.int64),
            "dv": np.clip(np.round(rng.normal(2_300, 80, len(number))), 2_010, 2_590).astype(np.int64),
        }
    )
    end = readings.tail(meters).assign(time=(readings["time"].max() + pd.Timedelta("4D")).floor("1h"))
    return Run(
        town,
        pd.concat([readings, end], ignore_index=True),
        np.r_[_disturbed(len(number), meters, rng), len(number) + np.arange(meters)],
    )


def _town(meters: int) -> Town:
    number = np.arange(meters)
    transformer = number // (10 if meters <= 100 else 20)
    substation = transformer // 4
    south = substation % 2 == 1
    return Town(
        pd.DataFrame(
            {
                "meter": [f"E{each:05}" for each in number],
                "transformer": [f"T{each}" for each in transformer],
                "feeder": [f"F{each}" for each in transformer // 2],
                "substation": [f"S{each}" for each in substation],
                "region": np.where(south, "South", "North"),
                "kind": np.where(number % 3, "residential", "commercial"),
                "timezone": np.where(south, "Australia/Adelaide", "Europe/Berlin"),
            }
        )
    )


def _disturbed(count: int, meters: int, rng: np.random.Generator) -> np.ndarray:
    """Return positions in the order of their coming: some among others of their time, some much later, some twice."""
    place = np.arange(count, dtype=np.float64)
    chosen = rng.permutation(count)
    shuffled, late = np.split(chosen[: round((SHUFFLED + LATE) * count)], [round(SHUFFLED * count)])
    block = shuffled // (_REACH * meters)
    by_block, anyhow = np.lexsort((shuffled, block)), np.lexsort((rng.random(len(shuffled)), block))
    place[shuffled[by_block]] = shuffled[anyhow]
    place[late] += rng.uniform(0.05, 0.9, len(late)) * count
    repeated = rng.choice(count, round(REPEATED * count), replace=False)
    again = place[repeated] + rng.uniform(0, 0.3, len(repeated)) * count
    which = np.r_[np.arange(count), repeated]
    return which[np.argsort(np.r_[place, again], kind="stable")]


def portions(run: Run, sent: np.ndarray) -> Iterator[ReadingBatch]:
    for start in range(0, len(sent), _PORTION):
        part = run.readings.iloc[sent[start : start + _PORTION]]
        yield ReadingBatch.from_columns(
            meter_number=pa.array(part["meter"].to_list()),
            reading_time=part["time"].dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64),
            consumption_kwh=part["wh"].to_numpy() / 1e3,
            voltage=part["dv"].to_numpy() / 10,
        )


def send(kafka_url: str, run: Run, positions: np.ndarray) -> None:
    """Produce some of it at an even pace, each meter to its partition."""
    producer = Producer({"bootstrap.servers": bootstrap_servers(kafka_url), "enable.idempotence": True})
    count, began, sent = partition_count(kafka_url, METERS_RAW.name), time.monotonic(), 0
    for batch in portions(run, positions):
        partition = partition_of(batch.meter_number, count)
        for number in np.unique(partition).tolist():
            value = arrow_codec.write(batch.take(np.flatnonzero(partition == number)))
            producer.produce(METERS_RAW.name, value, partition=number, headers={CONTENT_TYPE: ARROW})
        sent += len(batch)
        producer.poll(max(0.0, sent / _RATE - (time.monotonic() - began)))
    assert producer.flush(60) == 0


def register(stack: LocalStack, town: Town) -> None:
    file = stack.directory / "registry.csv"
    town.places.rename(columns={"meter": "meter_number", "kind": "class"}).to_csv(file, index=False)
    command(stack, "registry", "import", str(file))
    wait_until(stack, "SELECT count(*) FROM smart_meters WHERE transformer_id IS NOT NULL", len(town.places))


def settle(stack: LocalStack, run: Run) -> None:
    """Wait until every window that has closed has been summed up and merged."""
    until = f"'{run.last.isoformat()}'"
    left = (
        f"SELECT (SELECT count(*) FROM window_partials WHERE window_start < {until}) + "
        f"(SELECT count(*) FROM quarters_due WHERE window_start < {until}) + "
        f"(SELECT count(*) FROM merges_due WHERE window_end <= {until})"
    )
    deadline = time.monotonic() + 120 + READINGS / 2_000
    while query(stack, left) != [(0,)]:
        assert time.monotonic() < deadline, f"windows do not settle: {query(stack, left)}"
        time.sleep(0.5)
    counted = "SELECT coalesce(sum(readings), 0)::bigint FROM meter_hour_totals"
    while query(stack, counted) != [(len(run.readings),)]:
        assert time.monotonic() < deadline, f"totals do not settle: {query(stack, counted)}"
        command(stack, "db", "maintain")


def frame(stack: LocalStack, columns: list[str], statement: str) -> pd.DataFrame:
    """Return what a statement finds, times in UTC."""
    found = pd.DataFrame(query(stack, statement), columns=columns)
    for name in columns:
        if isinstance(found[name].dtype, pd.DatetimeTZDtype):
            found[name] = found[name].dt.tz_convert("UTC")
    return found


def stored(stack: LocalStack) -> pd.DataFrame:
    """Return all readings, with what the engine thinks of each."""
    rows = query(
        stack,
        "SELECT meter_number, reading_time, consumption_kwh, voltage, quality_flag::text "
        "FROM meter_readings JOIN smart_meters USING (meter_id)",
    )
    found = pd.DataFrame(rows, columns=["meter", "time", "kwh", "volts", "flag"])
    found["time"] = found["time"].dt.tz_convert("UTC")
    return found.sort_values(["time", "meter"], ignore_index=True)


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Hold two tables of exact values against each other; they are of the same keys, or that is said."""
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_exact=True, check_index_type=False)


@pytest.fixture(scope="module")
def run(own_stack: LocalStack) -> Run:
    """The run, with everything stored and all windows closed."""
    run, began = invented(READINGS), time.monotonic()
    endpoints = own_stack.endpoints()
    assert endpoints is not None
    settings = {"METERSTREAM_WORKER__CHECKPOINT_INTERVAL_S": "2"}
    with EngineProcess("run worker", own_stack.directory, **settings) as worker:
        worker.wait_ready()
        register(own_stack, run.town)
        # What comes after a kill is sent after it: no worker is so fast that it has everything by then.
        *parts, rest = np.split(run.sent, [round(share * len(run.sent)) for share in (0.5, 0.9)])
        for part, share in zip(parts, (0.25, 0.6), strict=True):
            feeding = threading.Thread(target=send, args=(endpoints.kafka_url, run, part))
            feeding.start()
            wait_until(own_stack, _STORED, round(share * len(run.readings)), 300)
            worker.kill()
            assert query(own_stack, _STORED)[0][0] < len(run.readings)
            worker.start()
            feeding.join()
        send(endpoints.kafka_url, run, rest)
        wait_until(own_stack, _STORED, len(run.readings), 300)
        settle(own_stack, run)
    told = query(own_stack, "SELECT count(*), count(*) FILTER (WHERE revision > 0), max(revision) FROM element_totals")
    sys.stdout.write(
        f"\n{len(run.sent):,} sent, {len(run.readings):,} different ones, two kills, "
        f"{time.monotonic() - began:.0f} s; {told[0][0]:,} windows of elements, {told[0][1]:,} of them restated, "
        f"up to {told[0][2]} times\n"
    )
    return run


def test_every_reading_is_stored_once_as_it_was_sent(own_stack: LocalStack, run: Run) -> None:
    found = stored(own_stack)
    wanted = run.readings.sort_values(["time", "meter"], ignore_index=True)
    same(
        found[["meter", "time", "kwh", "volts"]],
        wanted.assign(kwh=wanted["wh"] / 1e3, volts=wanted["dv"] / 10)[["meter", "time", "kwh", "volts"]],
    )
    repeats = "SELECT sum(duplicates)::bigint FROM stream_offsets WHERE topic = 'meters.raw'"
    assert query(own_stack, repeats)[0][0] == len(run.sent) - len(run.readings)


def test_windows_of_elements_are_those_of_the_input(own_stack: LocalStack, run: Run) -> None:
    flags = stored(own_stack)[["meter", "time", "flag"]]
    wanted = recompute.element_windows(run.readings.merge(flags, on=["meter", "time"]), run.town)
    wanted = wanted[wanted.index.get_level_values("window_start") < run.last]
    columns = [*recompute.KEY, *wanted.columns]
    found = frame(own_stack, columns, f"SELECT {', '.join(columns)} FROM element_totals WHERE readings > 0")
    # What is not known is NULL in one and NaN in the other.
    same(found.set_index(recompute.KEY).sort_index().astype(wanted.dtypes.to_dict()), wanted)
    levels = {element.partition("/")[0] for element in wanted.index.get_level_values("element")}
    assert levels == set(recompute.LEVELS)


def test_minutes_of_transformers_are_those_of_the_input(own_stack: LocalStack, run: Run) -> None:
    wanted = recompute.minutes(run.readings, run.town).reset_index()
    wanted["kwh"] = wanted.pop("energy_uwh") / 1e9
    found = frame(
        own_stack,
        ["element", "window_start", "readings", "kwh"],
        "SELECT element, window_start, readings, energy_kwh FROM window_aggregates WHERE window_s = 60",
    )
    same(found.sort_values(["element", "window_start"], ignore_index=True), wanted)


@pytest.mark.parametrize("level", ["hour", "day", "month"])
def test_totals_of_meters_are_those_of_the_input(own_stack: LocalStack, run: Run, level: str) -> None:
    wanted = recompute.meter_totals(run.readings, run.town)[level].reset_index()
    found = frame(
        own_stack,
        ["meter", "starts_at", "readings", "energy_uwh"],
        "SELECT meter_number, starts_at, readings, energy_uwh::bigint "
        f"FROM meter_{level}_totals JOIN smart_meters USING (meter_id)",
    )
    same(found.sort_values(["meter", "starts_at"], ignore_index=True), wanted)


def test_no_meter_was_without_power_but_before_the_last_reading(own_stack: LocalStack, run: Run) -> None:
    """What was silent only because its readings came late was not off, whatever was believed meanwhile."""
    wanted = recompute.silences(run.readings, 2.25 * recompute.QUARTER_S)
    found = frame(
        own_stack,
        ["meter", "lit_at", "back_at"],
        "SELECT meter_number, lit_at, back_at FROM supply_gaps JOIN smart_meters USING (meter_id) ORDER BY 1, 2",
    )
    assert len(wanted) == len(run.town.places)
    same(found, wanted)
