"""Estimates and decisions in the database: beside the readings, never over them; the best value of each interval."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest

from processors.vee.catalogue import BY_ID
from schemas.errors import ConfigurationError
from sinks.timescale import TimescaleStore
from stream.vee import deciding
from stream.vee.deciding import Decision
from stream.vee.estimating import Estimated, estimate_span
from stream.vee.report import report
from tests.builders import batch
from tests.contracts.backings import unique
from tests.contracts.test_any_store import Feed
from tests.vee import RULES

pytestmark = pytest.mark.integration

#: A Monday.
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURS = 24 * 21
#: 09:00 to 14:00 of a Wednesday in the middle.
GAP = range(24 * 9 + 9, 24 * 9 + 14)
SPAN = (MONDAY, MONDAY + HOURS * HOUR)


def ends(hours: Any) -> list[int]:
    return [round((MONDAY + (hour + 1) * HOUR).timestamp() * 1e6) for hour in hours]


def used(hours: Any) -> list[float]:
    return [0.1 * (hour % 24 + 1) for hour in hours]


@dataclass
class House:
    """One meter with three weeks of hours, five of which are missing."""

    feed: Feed
    connection: psycopg.Connection
    offset: int = 1

    @property
    def meter(self) -> str:
        return self.feed.meter()

    async def send(self, hours: Any, **changes: Any) -> None:
        of = batch(self.meter, ends(hours), **({"consumption_kwh": used(hours)} | changes))
        found = await self.feed.rows(of, offset=self.offset)
        await self.feed.store.write(self.feed.delivery(found, (0, self.offset, self.offset + 1)), _nothing)
        self.offset += 1

    def estimate(self, **changes: Any) -> Estimated:
        return estimate_span(
            self.connection, changes.get("rules", RULES), *SPAN, [self.meter], author="tests", reason="missing"
        )

    def best(self, hours: Any) -> list[tuple[Any, ...]]:
        query = (
            "SELECT kind, round(consumption_kwh::numeric, 6)::float8, quality_flag::text, nem12_quality, version "
            "FROM best_values JOIN smart_meters USING (meter_id) WHERE meter_number = %s "
            "AND extract(epoch FROM reading_time) * 1e6 = ANY(%s) ORDER BY reading_time"
        )
        return self.connection.execute(query, (self.meter, ends(hours))).fetchall()

    def decision(self, hours: range, reason: str = "seen") -> Decision:
        return Decision(self.meter, MONDAY + hours[0] * HOUR, MONDAY + (hours[-1] + 1) * HOUR, "somebody", reason)


async def _nothing(_: object) -> None:
    pass


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    store = TimescaleStore(database_url, lateness_s=60.0)
    await store.open()
    feed = Feed(store, unique("topic"), unique("m"))
    await feed.start(first_offset=1)
    with psycopg.connect(database_url, autocommit=True) as connection:
        made = House(feed, connection)
        await made.send([hour for hour in range(HOURS) if hour not in GAP])
        yield made
    await store.close()


async def test_what_is_missing_is_estimated_once(house: House) -> None:
    found = house.estimate()
    assert (found.meters, found.missing, found.left, found.written) == (1, 5, 0, 5)
    assert dict(found.made) == {"like_days": 5}
    assert house.best(GAP) == [("estimate", pytest.approx(kwh), "estimated", "S15", 1) for kwh in used(GAP)]
    assert house.estimate().written == 0


async def test_the_true_value_takes_the_place_of_its_estimate_and_hours_are_restated(house: House) -> None:
    house.estimate()
    query = (
        "SELECT sum(energy_kwh), sum(estimated) FROM best_hours WHERE hour = %s AND element = 'transformer/unassigned'"
    )
    hour = MONDAY + (GAP[0] + 1) * HOUR
    before = house.connection.execute(query, (hour,)).fetchone()
    await house.send(GAP[:1], consumption_kwh=[7.5])
    assert house.best(GAP[:1]) == [("reading", 7.5, "normal", "A", 0)]
    after = house.connection.execute(query, (hour,)).fetchone()
    assert before is not None
    assert after is not None
    assert after[0] - before[0] == pytest.approx(7.5 - used(GAP)[0])
    assert before[1] - after[1] == 1


async def test_a_value_that_fails_is_estimated_and_stays_as_it_came(house: House) -> None:
    of = batch(house.meter, ends(GAP), consumption_kwh=[500.0] * 5)
    found = await house.feed.rows(of, offset=house.offset)
    failed = np.full(5, 1 << BY_ID["energy_range"].bit, dtype=np.int64)
    await house.feed.store.write(house.feed.delivery(replace(found, failed=failed), (0, 2, 3)), _nothing)
    assert house.estimate().written == 5
    assert [row[:2] for row in house.best(GAP)] == [("estimate", pytest.approx(kwh)) for kwh in used(GAP)]
    raw = house.connection.execute(
        "SELECT count(*) FROM meter_readings JOIN smart_meters USING (meter_id) "
        "WHERE meter_number = %s AND consumption_kwh = 500",
        (house.meter,),
    ).fetchone()
    assert raw == (5,)
    assert house.estimate().written == 0


async def test_a_known_outage_is_zero(house: House) -> None:
    house.connection.execute(
        "INSERT INTO outages (meter_number, starts_at, ends_at, reason) VALUES (%s, %s, %s, 'cable')",
        (house.meter, MONDAY + GAP[0] * HOUR, MONDAY + (GAP[-1] + 1) * HOUR),
    )
    house.estimate()
    assert house.best(GAP) == [("estimate", 0.0, "estimated", "S19", 1)] * 5


async def test_a_person_s_value_is_not_estimated_over(house: House) -> None:
    assert deciding.edit(house.connection, house.decision(GAP), [1, 2, 3, 4, 5], 3_600, rule_set=2) == 5
    assert house.estimate().written == 0
    assert house.best(GAP) == [("edit", kwh, "edited", "F16", 1) for kwh in (1.0, 2.0, 3.0, 4.0, 5.0)]
    assert deciding.edit(house.connection, house.decision(GAP), [1, 2, 3, 4, 6], 3_600, rule_set=2) == 1
    assert house.best(GAP[-1:]) == [("edit", 6.0, "edited", "F16", 2)]


async def test_an_accepted_reading_is_normal_whatever_rules_said(house: House) -> None:
    first = range(3)
    assert deciding.accept(house.connection, house.decision(first), rule_set=2) == 3
    assert [row[0] for row in house.best(first)] == ["accept"] * 3
    assert deciding.accept(house.connection, house.decision(first), rule_set=2) == 0


async def test_a_rejected_value_is_no_value_until_it_is_estimated(house: House) -> None:
    hours = range(24 * 10 + 3, 24 * 10 + 9)
    assert deciding.reject(house.connection, house.decision(hours), rule_set=2) == 6
    assert [row[:3] for row in house.best(hours)] == [("reject", None, "rejected")] * 6
    house.estimate()
    assert [row[:2] for row in house.best(hours)] == [("estimate", pytest.approx(kwh)) for kwh in used(hours)]
    assert house.estimate().written == 0


async def test_author_reason_and_time_are_kept_and_nothing_is_taken_back(house: House) -> None:
    deciding.accept(house.connection, house.decision(range(1), reason="looked at it"), rule_set=2)
    kept = house.connection.execute(
        "SELECT author, reason, rule_set, made_at > now() - interval '1 minute' FROM vee_values "
        "JOIN smart_meters USING (meter_id) WHERE meter_number = %s",
        (house.meter,),
    ).fetchall()
    assert kept == [("somebody", "looked at it", 2, True)]
    for change in ("UPDATE vee_values SET consumption_kwh = 0", "DELETE FROM vee_values"):
        with pytest.raises(psycopg.errors.RaiseException, match="only ever added to"):
            house.connection.execute(change)


@pytest.mark.parametrize("values", [[1.0], [1.0] * 6])
async def test_values_must_fill_the_span(house: House, values: list[float]) -> None:
    with pytest.raises(ConfigurationError, match="for the 5 intervals of the span"):
        deciding.edit(house.connection, house.decision(GAP), values, 3_600, rule_set=2)


async def test_an_unknown_meter_is_named(house: House) -> None:
    with pytest.raises(ConfigurationError, match="no meter nobody"):
        deciding.accept(house.connection, replace(house.decision(GAP), meter="nobody"), rule_set=2)


async def test_a_span_without_a_value_cannot_be_accepted(house: House) -> None:
    with pytest.raises(ConfigurationError, match="no value in the span"):
        deciding.accept(house.connection, house.decision(GAP), rule_set=2)


async def test_the_report_sums_the_span_up(house: House) -> None:
    before = report(house.connection, *SPAN, most=1_000)
    mine = next(meter for meter in before.worst if meter.meter == house.meter)
    assert (mine.received, mine.expected, mine.valued, mine.estimated) == (HOURS - 5, HOURS, HOURS - 5, 0)
    house.estimate()
    after = report(house.connection, *SPAN)
    assert (after.valued - before.valued, after.estimated - before.estimated) == (5, 5)
    assert after.completeness > before.completeness
