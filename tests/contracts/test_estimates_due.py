"""Estimates that the engine makes by itself: when they are due, what they restate, and that nothing stops them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest

from processors.vee.catalogue import BY_ID
from processors.vee.rule_set import RuleSet, parse
from schemas.delivery import Delivery, Progress
from schemas.registry import RegistryEntry
from schemas.topics import METERS_RAW
from sinks.missing_outbox import MissingOutbox
from sinks.timescale import TimescaleStore
from sinks.windows_outbox import WindowOutbox
from stream.vee import deciding
from stream.vee.automatic import AutomaticEstimation
from stream.vee.deciding import Decision
from tests.builders import batch, rows
from tests.contracts.test_any_store import nothing
from tests.contracts.test_windows_outbox import recounts_wait
from tests.vee import RULES

pytestmark = pytest.mark.integration

#: A Monday.
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = 24
WEEKS = DAY * 21
#: 09:00 to 14:00 of a Wednesday in the middle.
GAP = range(DAY * 9 + 9, DAY * 9 + 14)


def micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def ends(hours: Sequence[int]) -> list[int]:
    return [micros(BEGIN + (hour + 1) * HOUR) for hour in hours]


def used(hours: Sequence[int]) -> list[float]:
    return [round(0.1 * (hour % DAY + 1), 1) for hour in hours]


def besides(gap: Sequence[int], count: int = WEEKS) -> list[int]:
    return [hour for hour in range(count) if hour not in gap]


@dataclass
class Life:
    """Meters under one transformer, whose hours are sent, counted and estimated as a worker does it."""

    url: str
    store: TimescaleStore
    missing: MissingOutbox
    windows: WindowOutbox
    at: int = 0
    newest: datetime = BEGIN
    seen: set[str] = field(default_factory=set)

    async def send(self, hours: Sequence[int], meter: str = "M1", failed: int = 0, **columns: Any) -> None:
        """Store some hours, a meter's first two days by themselves: it is expected from when it was first seen on."""
        if meter not in self.seen and len(hours) > 2 * DAY:
            self.seen.add(meter)
            values = {"consumption_kwh": used(hours)} | columns
            await self.send(hours[: 2 * DAY], meter, failed, **{name: of[: 2 * DAY] for name, of in values.items()})
            await self.estimate()
            await self.send(hours[2 * DAY :], meter, failed, **{name: of[2 * DAY :] for name, of in values.items()})
            return
        of = batch(meter, ends(hours), **({"consumption_kwh": used(hours)} | columns))
        self.newest = max(self.newest, BEGIN + (max(hours) + 1) * HOUR)
        await self.store.position(METERS_RAW.name, "life", 0, 0)
        meter_id, _ = await self.store.resolve(of.meter_number.to_pylist())
        found = rows(of, meter_id.tolist(), partition=0, offset=self.at)
        found = replace(found, failed=np.full(len(of), failed, dtype=np.int64))
        progress = Progress(0, self.at, self.at + 1, micros(self.newest), len(of), 0)
        self.at += 1
        await self.store.write(Delivery(METERS_RAW.name, "life", found, [], [progress]), nothing)

    async def estimate(self, rules: RuleSet = RULES) -> int:
        """Count what is missing, as a worker that has just started does, then estimate until nothing is due."""
        outbox = MissingOutbox(self.url, grace_s=900.0)

        async def keep(_: list[Any]) -> None:
            pass

        while await outbox.hand_on(keep):
            pass
        while await self.windows.hand_on(keep) or recounts_wait(self.url):
            pass
        await outbox.close()
        estimation = AutomaticEstimation(self.url, lambda: rules)
        with closing(estimation):
            while estimation.step():
                pass
        return estimation.written

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def best(self, hours: Sequence[int], meter: str = "M1") -> list[tuple[Any, ...]]:
        return self.query(
            "SELECT kind, round(consumption_kwh::numeric, 6)::float8, method, author FROM best_values "
            "JOIN smart_meters USING (meter_id) "
            "WHERE meter_number = %s AND extract(epoch FROM reading_time) * 1e6 = ANY(%s) ORDER BY reading_time",
            meter,
            ends(hours),
        )

    def agree(self) -> None:
        """Windows from best values add up to the best values, to the micro-watt-hour; and so do the measured ones."""
        ((values, exported, estimated),) = self.query(
            "SELECT sum(round(consumption_kwh * 1e9)::bigint)::bigint, sum(round(export_kwh * 1e9)::bigint)::bigint, "
            "sum(round(consumption_kwh * 1e9)::bigint) FILTER (WHERE kind = 'estimate')::bigint FROM best_values"
        )
        ((measured,),) = self.query("SELECT sum(round(consumption_kwh * 1e9)::bigint)::bigint FROM meter_readings")
        for length in (60, 900):
            assert self.query(
                "SELECT sum(best_uwh)::bigint, sum(best_export_uwh)::bigint, sum(estimated_uwh)::bigint, "
                "sum(measured_uwh)::bigint FROM best_loads WHERE window_s = %s",
                length,
            ) == [(values, exported or 0, estimated or 0, measured)]


@pytest.fixture
async def life(url: str) -> AsyncIterator[Life]:
    made = Life(
        url,
        TimescaleStore(url, lateness_s=60.0),
        MissingOutbox(url, grace_s=900.0),
        WindowOutbox(url, lateness_s=60.0),
    )
    await made.store.register([RegistryEntry(meter_number=f"M{n}", transformer="T1") for n in (1, 2, 3)])
    yield made
    for part in (made.store, made.missing, made.windows):
        await part.close()


async def test_a_gap_that_has_ended_is_estimated_once_it_is_due(life: Life) -> None:
    wait = int(RULES.estimation.wait_h)
    await life.send(besides(GAP, GAP[-1] + wait))
    assert await life.estimate() < len(GAP)
    await life.send(range(GAP[-1] + wait, GAP[-1] + wait + 3))
    await life.estimate()
    assert [row[0] for row in life.best(GAP)] == ["estimate"] * len(GAP)
    assert {row[3] for row in life.best(GAP)} == {"engine"}
    life.agree()


async def test_a_register_in_another_unit_does_not_become_energy(life: Life) -> None:
    register = np.round(1_000 + np.cumsum(used(range(WEEKS))), 1)

    async def send(hours: range, times: float = 1.0, failed: int = 0) -> None:
        told = {"consumption_kwh": np.array(used(hours)) * times, "register_kwh": register[list(hours)] * times}
        await life.send(hours, failed=failed, **{name: of.tolist() for name, of in told.items()})

    await send(range(GAP.start))
    await send(GAP, 1_000.0, 1 << BY_ID["energy_unit"].bit)
    await send(range(GAP.stop, WEEKS))
    await life.estimate()
    found = life.best(GAP)
    assert [kind for kind, *_ in found] == ["estimate"] * len(GAP)
    assert sum(kwh for _, kwh, *_ in found) == pytest.approx(sum(used(GAP)))


async def test_estimates_count_where_the_meter_stood_then_whenever_that_became_known(life: Life) -> None:
    await life.send(besides(GAP))
    await life.estimate()
    middle = BEGIN + GAP[2] * HOUR
    moved = RegistryEntry(meter_number="M1", transformer="T2", valid_from=middle)
    await life.store.register([moved])
    await life.estimate()
    life.agree()
    of_element = "SELECT sum(best_uwh)::bigint FROM best_loads JOIN transformers USING (transformer_id) "
    for name, since, until in (("T1", BEGIN, middle), ("T2", middle, BEGIN + WEEKS * 2 * HOUR)):
        assert life.query(of_element + "WHERE window_s = 900 AND name = %s", name) == life.query(
            "SELECT sum(round(consumption_kwh * 1e9)::bigint)::bigint FROM best_values "
            "WHERE reading_time >= %s AND reading_time < %s",
            since,
            until,
        )


async def test_estimating_again_writes_nothing(life: Life) -> None:
    await life.send(besides(GAP))
    assert await life.estimate() == len(GAP)
    assert [row[:3] for row in life.best(GAP)] == [("estimate", pytest.approx(kwh), "like_days") for kwh in used(GAP)]
    assert await life.estimate() == 0
    life.query("INSERT INTO estimates_due SELECT meter_id, %s, %s FROM smart_meters", BEGIN, BEGIN + WEEKS * HOUR)
    assert await life.estimate() == 0
    life.agree()


async def test_a_true_value_that_comes_late_restates_windows_at_once_and_the_rest_of_its_gap(life: Life) -> None:
    await life.send(besides(GAP))
    await life.estimate()
    hour = BEGIN + (GAP[2] + 1) * HOUR
    window = (
        "SELECT measured_kwh, best_kwh, estimated_kwh, estimates::int FROM best_windows WHERE window_s = 900 "
        "AND window_start = %s"
    )
    assert life.query(window, hour) == [(0.0, pytest.approx(used(GAP)[2]), pytest.approx(used(GAP)[2]), 1)]
    await life.send([GAP[2]], consumption_kwh=[9.5])
    assert life.query(window, hour) == [(9.5, 9.5, 0.0, 0)]
    life.agree()
    assert await life.estimate() > 0
    # What is left of the gap is short enough for a line, and one of its ends is the true value.
    assert [row[2] for row in life.best(GAP)] == ["linear", "linear", None, "linear", "linear"]
    life.agree()


async def test_a_value_that_fails_is_estimated_and_its_window_corrected(life: Life) -> None:
    await life.send(besides(GAP))
    await life.send(GAP, failed=1 << BY_ID["energy_range"].bit, consumption_kwh=[500.0] * len(GAP))
    assert await life.estimate() == len(GAP)
    assert [row[:2] for row in life.best(GAP)] == [("estimate", pytest.approx(kwh)) for kwh in used(GAP)]
    life.agree()
    with psycopg.connect(life.url, autocommit=True) as connection:
        decision = Decision("M1", BEGIN + GAP[0] * HOUR, BEGIN + (GAP[-1] + 1) * HOUR, "somebody", "a furnace")
        deciding.edit(connection, decision, [500.0] * len(GAP), 3_600, rule_set=2)
    life.agree()
    assert await life.estimate() == 0
    assert [row[:2] for row in life.best(GAP)] == [("edit", 500.0)] * len(GAP)


async def test_a_silent_meter_is_estimated_hour_by_hour_and_anew_when_it_speaks_again(life: Life) -> None:
    await life.send(range(WEEKS))
    silent = range(WEEKS, WEEKS + 30)
    for first in range(0, 30, 10):
        await life.send(range(WEEKS + first, WEEKS + first + 10), meter="M2")
        await life.estimate()
    due = silent[: 30 - int(RULES.estimation.wait_h) - 2]
    assert [row[0] for row in life.best(due)] == ["estimate"] * len(due)
    assert life.query("SELECT count(*) FROM estimates_open") == [(1,)]
    await life.send(range(WEEKS + 28, WEEKS + 50))
    await life.send(range(WEEKS + 30, WEEKS + 50), meter="M2")
    await life.estimate()
    assert [row[0] for row in life.best(silent[:28])] == ["estimate"] * 28
    assert life.query("SELECT count(*) FROM estimates_open") == [(0,)]
    life.agree()


async def test_an_outage_that_becomes_known_makes_zeros_of_estimates(life: Life) -> None:
    await life.send(besides(GAP))
    await life.estimate()
    life.query(
        "INSERT INTO outages (transformer, starts_at, ends_at, reason) VALUES ('T1', %s, %s, 'cable')",
        BEGIN + GAP[0] * HOUR,
        BEGIN + (GAP[-1] + 1) * HOUR,
    )
    assert await life.estimate() == len(GAP)
    assert [row[:3] for row in life.best(GAP)] == [("estimate", 0.0, "outage")] * len(GAP)
    life.agree()


async def test_maintenance_without_supply_is_an_outage(life: Life) -> None:
    span = f"from = {(BEGIN + GAP[0] * HOUR).isoformat()}\nuntil = {(BEGIN + (GAP[-1] + 1) * HOUR).isoformat()}\n"
    period = f'\n[[maintenance]]\nmeters = ["M1"]\n{span}outage = true\n'
    await life.send(besides(GAP))
    await life.estimate(parse(RULES.text + period))
    assert [row[:3] for row in life.best(GAP)] == [("estimate", 0.0, "outage")] * len(GAP)


async def test_energy_fed_in_is_estimated_by_its_own_days(life: Life) -> None:
    fed_in = [3.0 if 10 <= hour % DAY <= 14 else 0.0 for hour in range(WEEKS)]
    await life.send(besides(GAP), export_kwh=[fed_in[hour] for hour in besides(GAP)])
    await life.estimate()
    found = life.query(
        "SELECT export_kwh, export_method, export_confidence > 0.9 FROM best_values WHERE kind = 'estimate' "
        "ORDER BY reading_time"
    )
    assert found == [(pytest.approx(fed_in[hour]), "like_days", True) for hour in GAP]
    life.agree()
    await life.send([GAP[3]], export_kwh=[1.25])
    life.agree()
    await life.estimate()
    ((kwh,),) = life.query(
        "SELECT export_kwh FROM best_values WHERE kind = 'reading' AND extract(epoch FROM reading_time) * 1e6 = %s",
        ends([GAP[3]])[0],
    )
    assert kwh == 1.25
    life.agree()


async def test_a_new_meter_has_the_profile_of_its_class_at_its_own_level(life: Life) -> None:
    await life.store.register(
        [
            RegistryEntry.model_validate({"meter_number": f"M{n}", "transformer": "T1", "class": "residential"})
            for n in (1, 2, 3)
        ]
    )
    for days in (range(DAY * 7), range(DAY * 7, DAY * 9)):
        life.seen |= {"M1", "M2"}
        await life.send(days)
        await life.send(days, meter="M2", consumption_kwh=[2 * kwh for kwh in used(days)])
    lost = range(DAY * 7 + 9, DAY * 7 + 14)
    mine = [hour for hour in range(DAY * 7, DAY * 9) if hour not in lost]
    await life.send(mine, meter="M3", consumption_kwh=[3 * kwh for kwh in used(mine)])
    await life.estimate()
    found = life.best(lost, meter="M3")
    assert [row[:3] for row in found] == [
        ("estimate", pytest.approx(3 * kwh, rel=0.02), "profile") for kwh in used(lost)
    ]


async def test_a_step_that_dies_leaves_what_was_due(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    await life.send(besides(GAP))
    with monkeypatch.context() as patch:
        patch.setattr("stream.vee.automatic.settle", _die)
        with pytest.raises(KeyboardInterrupt):
            await life.estimate()
    assert life.query("SELECT count(*) FROM vee_values") == [(0,)]
    assert await life.estimate() == len(GAP)
    life.agree()


def _die(*_: object) -> None:
    raise KeyboardInterrupt


async def test_one_worker_at_a_time_estimates(life: Life) -> None:
    await life.send(besides(GAP))
    with psycopg.connect(life.url) as other:
        other.execute("SELECT pg_advisory_xact_lock(7382915)")
        assert await life.estimate() == 0
    assert await life.estimate() == len(GAP)


@pytest.mark.parametrize("shift", [0, 1])
async def test_cost_follows_best_values(life: Life, shift: int) -> None:
    """Windows of a settlement interval cost what its best values cost, by quality."""
    entry = {"meter_number": "M1", "transformer": "T1", "feeder": "F1", "substation": "S1", "region": "R1"}
    await life.store.register([RegistryEntry.model_validate(entry | {"zone": "aemo_nem/Z1"})])
    life.query("INSERT INTO markets VALUES ('aemo_nem', 'AUD', 'Australia/Brisbane', 300) ON CONFLICT DO NOTHING")
    life.query("INSERT INTO market_series (market, symbol, kind) VALUES ('aemo_nem', 'Z1', 'settlement')")
    life.query(
        "INSERT INTO market_ticks (series_id, tick_time, revision, starts_at, ends_at, price, quality_flag, "
        "source_partition, source_offset, arrived_at) "
        "SELECT series_id, t + interval '5 minutes', 1, t, t + interval '5 minutes', 100, 'normal', 0, 0, t "
        "FROM market_series, generate_series(%s::timestamptz, %s, interval '5 minutes') AS t",
        BEGIN + GAP[0] * HOUR,
        BEGIN + (GAP[-1] + 2) * HOUR,
    )
    await life.send(besides(GAP[shift:]))
    await life.estimate()
    cost = "SELECT quality, sum(cost)::float8 FROM region_cost_by_quality GROUP BY 1 ORDER BY 1"

    def costs() -> dict[str, float]:
        return dict(life.query(cost))

    before = costs()
    price = 100 / 1_000
    gone = sum(used(GAP[shift:])) * price
    assert before["best"] - before["actual"] == pytest.approx(gone, abs=0.02)
    assert before["measured"] == before["actual"]
    await life.send(GAP[shift:], consumption_kwh=[50.0] * len(GAP[shift:]))
    after = costs()
    assert after["best"] == after["actual"] == after["measured"]
    assert after["best"] - before["actual"] == pytest.approx(50.0 * len(GAP[shift:]) * price, abs=0.02)
