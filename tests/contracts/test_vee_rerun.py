"""A rule set over what is stored: the same one changes nothing, another one only what it judges otherwise."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
import pytest

from processors.judge import judge
from processors.judging import Judging
from processors.state import MeterState
from processors.vee.check import check
from processors.vee.rule_set import RuleSet, parse
from schemas.errors import ConfigurationError
from schemas.meter_class import class_codes, status_codes
from schemas.quality import stronger
from sinks.timescale import TimescaleStore
from stream.vee import deciding
from stream.vee.deciding import Decision
from stream.vee.rerunning import Rerun, Span, rerun
from tests.builders import batch
from tests.contracts.backings import unique
from tests.contracts.test_any_store import Feed
from tests.vee import RULES

pytestmark = pytest.mark.integration

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
HOURS = 24 * 21
WHOLE = Span(MONDAY, MONDAY + timedelta(hours=HOURS))
#: Also warns of what the evening's last hour uses.
STRICTER = parse(
    RULES.text.replace(f"version = {RULES.version}", "version = 77", 1).replace(
        "[rules.energy_range]\nwarn = 20000", "[rules.energy_range]\nwarn = 2.35", 1
    )
)
#: Warns of it where it came from the source `old`.
BY_SOURCE = parse(STRICTER.text.replace("warn = 2.35", "warn = 20000\nsource.old = { warn = 2.35 }", 1))


@dataclass
class Street:
    """Two meters whose readings were judged and stored as the worker does it."""

    feed: Feed
    connection: psycopg.Connection

    def meters(self) -> list[str]:
        return [self.feed.meter("A"), self.feed.meter("B")]

    def rerun(self, rules: RuleSet = RULES, span: Span = WHOLE, source: str | None = None, meters: str = "AB") -> Rerun:
        names = [self.feed.meter(name) for name in meters]
        who = ("tests", "a newer rule set")
        return rerun(self.connection, rules, Judging(), span, names, *who, source, self.feed.topic)

    def note_the_first_record(self, source: str) -> None:
        key = (self.feed.topic, self.feed.life, source)
        self.connection.execute("INSERT INTO record_sources VALUES (%s, %s, 0, 0, %s)", key)

    def best(self) -> dict[str, int]:
        query = (
            "SELECT kind, count(*) FROM best_values JOIN smart_meters USING (meter_id) "
            "WHERE meter_number = ANY(%s) GROUP BY kind"
        )
        return dict(self.connection.execute(query, (self.meters(),)).fetchall())


async def nothing(_: object) -> None:
    pass


@pytest.fixture
async def street(database_url: str) -> AsyncIterator[Street]:
    store = TimescaleStore(database_url, lateness_s=60.0)
    await store.open()
    feed = Feed(store, unique("topic"), unique("m"))
    await feed.start()
    state = MeterState()
    chance = np.random.default_rng(5)
    for offset, days in enumerate(np.split(np.arange(HOURS), [100, 101, 350])):
        for turn, name in enumerate("AB"):
            # A gap, a spike, a few hours that stand still, and one delivery for each meter.
            hours = days[(days < 200) | (days > 205)]
            kwh = np.round(0.1 * (hours % 24 + 1) + chance.uniform(0, 0.001, len(hours)), 4)
            kwh[hours == 300] = 90.0
            kwh[(hours > 400) & (hours < 430)] = 0.0
            times = [round((MONDAY + timedelta(hours=int(hour) + 1)).timestamp() * 1e6) for hour in hours]
            of = batch(feed.meter(name), times, consumption_kwh=kwh.tolist())
            at = state.rows(of.meter_number)
            known = np.unique(at)
            state.register(known, class_codes([None]), status_codes(["unregistered"]))
            found = await feed.rows(of, offset=2 * offset + turn)
            findings = check(of, at, state, found.arrived_us, RULES)
            judged = judge(of, at, state, Judging())
            stored = replace(
                found,
                flag=stronger(judged.flag, findings.flag),
                failed=findings.failed,
                warned=findings.warned,
                rule_set=findings.rule_set,
            )
            number = 2 * offset + turn
            written = feed.delivery(stored, (0, number, number + 1))
            # All that meter A sends comes from another source, and nobody noted where the first record came from.
            runs = ((number, "old" if name == "A" else ""),) if number else ()
            written.progress[0] = replace(written.progress[0], sources=runs)
            await store.write(written, nothing)
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield Street(feed, connection)
    await store.close()


async def test_the_same_rules_say_what_the_stream_said(street: Street) -> None:
    found = street.rerun()
    assert (found.readings, found.differ, found.written) == (2 * (HOURS - 6), 0, 0)
    assert street.best() == {"reading": 2 * (HOURS - 6)}


async def test_other_rules_touch_only_what_they_judge_otherwise(street: Street) -> None:
    found = street.rerun(STRICTER)
    assert 0 < found.written == found.differ <= 2 * 21
    assert street.best()["rerun"] == found.written
    assert street.rerun(STRICTER).written == 0
    back = street.rerun()
    assert back.written == found.written
    assert street.rerun().written == 0


async def test_rules_that_tell_sources_apart_know_where_each_record_came_from(street: Street) -> None:
    assert street.rerun(BY_SOURCE, meters="B").differ == 0
    street.note_the_first_record("")
    found = street.rerun(BY_SOURCE)
    assert 0 < found.written <= 21
    assert street.rerun(BY_SOURCE).written == 0
    assert street.rerun(BY_SOURCE, meters="B", source="old").written > 0


async def test_a_source_that_is_not_known_is_asked_for(street: Street) -> None:
    with pytest.raises(ConfigurationError, match=r"numbers for sources .old.*before theirs was kept.*--source"):
        street.rerun(BY_SOURCE)
    assert street.rerun(BY_SOURCE, source="another").differ == 0
    assert street.rerun(BY_SOURCE, source="old").written > 0


async def test_records_of_two_lives_of_a_topic_are_not_told_apart(street: Street) -> None:
    street.note_the_first_record("")
    street.connection.execute(
        "INSERT INTO stream_offsets (topic, topic_id, partition, next_offset, watermark_us, stored) "
        "VALUES (%s, 'life-2', 0, 1, 0, 1)",
        (street.feed.topic,),
    )
    with pytest.raises(ConfigurationError, match=r"made anew.*--source"):
        street.rerun(BY_SOURCE)
    assert street.rerun(STRICTER).written > 0


async def test_only_the_span_is_written(street: Street) -> None:
    day = Span(MONDAY + timedelta(days=5), MONDAY + timedelta(days=6))
    found = street.rerun(STRICTER, day)
    assert found.readings == 2 * 24
    assert found.written == 2


async def test_what_a_person_has_decided_stays(street: Street) -> None:
    decision = Decision(street.meters()[0], WHOLE.since, WHOLE.until, "somebody", "seen")
    accepted = deciding.accept(street.connection, decision, rule_set=2)
    street.rerun(STRICTER)
    assert street.best()["accept"] == accepted
