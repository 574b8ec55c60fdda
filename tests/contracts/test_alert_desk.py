"""The desk on PostgreSQL: every sign counts once, what is over ends, a group is one alert, and Kafka hears of all."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import psycopg
import pytest

from processors.alert_kinds import KIND_OF
from processors.judging import Judging
from processors.lifecycle.changes import NotPossible
from processors.lifecycle.place import LEVELS
from processors.lifecycle.silences import Silence
from processors.signals import Anomaly
from schemas.alert_events import AlertEvent, AlertState, Change, Status
from schemas.alerts import Alert, AlertKind, Severity
from schemas.errors import ServiceUnavailable
from sinks import alert_conditions, alert_sql, notifications_sql
from sinks.alert_ledger import AlertLedger
from sinks.alert_outbox import AlertOutbox
from sinks.migrations import migrate
from sinks.notifications import Notifications
from sinks.timescale_sql import ADD_ALERTS, alert_arrays
from stream.alert_feed import Wanted, history, kept
from stream.alerting import acts
from stream.alerting.desk import Desk
from stream.alerting.routes import Routing
from stream.stack.endpoints import Endpoints
from stream.worker.producer import KafkaProducer, Outgoing
from tests.alerting import NOON, RULES, after, sign

pytestmark = pytest.mark.integration


class Kafka:
    """A producer that keeps what it is given, or is away."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.absences = 0

    async def send(self, records: Sequence[Outgoing]) -> None:
        self.sent += records
        if self.absences:
            self.absences -= 1
            raise ServiceUnavailable("kafka", "scripted")

    def events(self) -> list[AlertEvent]:
        return [AlertEvent.model_validate_json(one.value or b"") for one in self.sent if one.topic == "alerts"]

    def standing(self) -> dict[str, AlertState]:
        """What somebody knows who has read `alerts.state` from its beginning."""
        found: dict[str, AlertState] = {}
        for one in self.sent:
            if one.topic == "alerts.state" and one.key is not None:
                found.pop(one.key, None)
                if one.value is not None:
                    found[one.key] = AlertState.model_validate_json(one.value)
        return found


class Bench:
    """A desk over a database of its own."""

    def __init__(self, url: str) -> None:
        self.url, self.kafka, self.now = url, Kafka(), after(60)
        self.ledger, self.outbox = AlertLedger(url), AlertOutbox(url)
        self.notices, self.routing = Notifications(url), Routing()
        self.desk = self.new_desk()

    def new_desk(self) -> Desk:
        """Another desk on the same database, as after a crash."""
        producer = cast("KafkaProducer", self.kafka)
        return Desk(
            self.ledger,
            self.outbox,
            producer,
            RULES,
            self.notices,
            self.routing,
            {"pager"},
            Judging(),
            lambda: self.now,
        )

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(statement.encode(), parameters or None)
            return found.fetchall() if found.description else []

    def raise_signs(self, *signs: Alert) -> None:
        self.execute(ADD_ALERTS, *alert_arrays(signs))

    def read(self, meter: str, *said: tuple[float, str], volts: float | None = 230.0, why: str = "sag 0.93") -> None:
        """Store readings of a meter: minutes after noon, and flag; an anomaly is explained by signals, rarest first."""
        self.execute("INSERT INTO smart_meters (meter_number) VALUES (%s) ON CONFLICT DO NOTHING", meter)
        for minutes, flag in said:
            score = 0.93 if flag == "anomaly" and why else 0.1
            self.execute(
                "INSERT INTO meter_readings (meter_id, reading_time, quality_flag, anomaly_score, voltage, "
                "consumption_kwh, source_partition, source_offset, arrived_at) "
                "SELECT meter_id, %s, %s, %s, %s, 0.7, 0, 0, now() FROM smart_meters WHERE meter_number = %s",
                after(minutes), flag, score, volts, meter,
            )  # fmt: skip
            if score >= 0.85:
                kind = KIND_OF[Anomaly(why.partition(" ")[0])]
                self.execute(
                    "INSERT INTO reading_explanations SELECT meter_id, %s, %s, 0.2, 0.5, %s, %s FROM smart_meters "
                    "WHERE meter_number = %s",
                    after(minutes), kind, "V" if kind.startswith("voltage") else "kWh", why, meter,
                )  # fmt: skip

    def register(self, count: int, transformer: str, feeder: str, first: int = 0) -> list[str]:
        """Register meters below a transformer of substation S1."""
        names = [f"G{number}" for number in range(first, first + count)]
        self.execute(
            """WITH s AS (INSERT INTO substations (name, region) VALUES ('S1', 'NSW')
                          ON CONFLICT (name) DO UPDATE SET region = 'NSW' RETURNING substation_id),
                    f AS (INSERT INTO feeders (name, substation_id) SELECT %s, substation_id FROM s
                          ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING feeder_id),
                    t AS (INSERT INTO transformers (name, feeder_id) SELECT %s, feeder_id FROM f
                          RETURNING transformer_id)
               INSERT INTO smart_meters (meter_number, transformer_id)
               SELECT unnest(%s::text[]), transformer_id FROM t""",
            feeder, transformer, names,
        )  # fmt: skip
        return names

    async def work(self) -> None:
        """Do all there is to do."""
        while await self.desk.take_signs():
            pass
        await self.desk.look()
        while self.desk.looking:
            await self.desk.look()
        await self.desk.publish()

    def alerts(self, **filters: Any) -> list[AlertState]:
        return kept(self.url, Wanted(**filters), None, 100_000, standing=False)


@pytest.fixture
async def bench(stack: Endpoints) -> AsyncIterator[Bench]:
    name = f"desk_{id(object())}"
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    url = stack.database_url.rpartition("/")[0] + f"/{name}"
    migrate(url)
    found = Bench(url)
    found.execute("SELECT add_readings_partitions(%s)", [NOON])
    yield found
    await found.ledger.close()
    await found.outbox.close()
    await found.notices.close()
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


async def test_a_sign_opens_an_alert_and_normal_readings_end_it(bench: Bench) -> None:
    bench.raise_signs(sign())
    bench.read("M1", (0, "anomaly"), (15, "anomaly"), (30, "normal"), (45, "normal"), (60, "monitoring"))
    await bench.work()
    (alert,) = bench.alerts()
    assert (alert.status, alert.count) == (Status.OPEN, 1)
    assert list(bench.kafka.standing()) == [alert.alert_id]
    bench.read("M1", (75, "normal"))
    await bench.work()
    (alert,) = bench.alerts()
    assert (alert.status, alert.last_seen, alert.ended_at) == (Status.CLEARED, after(15), after(75))
    assert bench.kafka.standing() == {}
    assert [event.data.change for event in bench.kafka.events()] == [Change.OPENED, Change.CLEARED]


async def test_a_condition_ends_though_the_meter_shows_another_which_is_an_alert_of_its_own(bench: Bench) -> None:
    bench.raise_signs(sign())
    bench.read("M1", (0, "anomaly"), (15, "anomaly"))
    bench.read("M1", *((minutes, "anomaly") for minutes in (30, 45, 60, 75)), why="spike 0.97, long_high 0.86")
    await bench.work()
    told = {(alert.kind, alert.status, alert.first_seen, alert.ended_at) for alert in bench.alerts()}
    assert told == {
        ("voltage_sag", "cleared", NOON, after(75)),
        ("high_consumption", "open", after(30), None),
    }
    (standing,) = bench.kafka.standing().values()
    assert standing.message == "meter M1 used 0.700 kWh where 0.200 kWh is usual"
    assert (standing.score, standing.severity) == (pytest.approx(0.93), "warning")
    bench.read("M1", *((minutes, "normal") for minutes in (90, 105, 120, 135)))
    await bench.work()
    await bench.work()
    assert {alert.ended_at for alert in bench.alerts()} == {after(75), after(135)}


async def test_a_condition_stands_while_it_is_one_of_several_that_a_reading_shows(bench: Bench) -> None:
    bench.raise_signs(sign())
    bench.read("M1", *((15 * n, "anomaly") for n in range(6)), why="spike 0.97, sag 0.88")
    await bench.work()
    assert [(alert.kind, alert.status) for alert in bench.alerts()] == [("voltage_sag", "open")]


async def test_what_rules_flag_and_what_does_not_tell_the_voltage_says_nothing_of_a_sag(bench: Bench) -> None:
    bench.raise_signs(sign())
    bench.read("M1", *((minutes, "normal") for minutes in (5, 10, 15, 20)), volts=None)
    await bench.work()
    assert bench.alerts()[0].standing
    bench.read("M1", *((minutes, "anomaly") for minutes in (30, 45, 60, 75)), why="")
    await bench.work()
    assert [(alert.status, alert.last_seen, alert.ended_at) for alert in bench.alerts()] == [
        (Status.CLEARED, NOON, after(75))
    ]


async def test_signs_of_one_problem_are_one_alert_whatever_turns_take_them(bench: Bench) -> None:
    for minutes in (0, 5, 10):
        bench.raise_signs(sign(minutes), sign(minutes, "meter/M2"))
        await bench.work()
    assert Counter(alert.count for alert in bench.alerts()) == {3: 2}
    bench.raise_signs(sign(5))
    await bench.work()
    assert Counter(alert.count for alert in bench.alerts()) == {3: 2}


async def test_a_ticks_alert_ends_with_its_series(bench: Bench) -> None:
    bench.raise_signs(sign(0, "market/omie/E/S", kind=AlertKind.OVERDUE_TICK, measured=900, expected=0, unit="s"))
    await bench.work()
    assert bench.alerts()[0].standing
    bench.execute(
        "WITH s AS (INSERT INTO market_series (market, symbol, kind) VALUES ('omie', 'E/S', '') RETURNING series_id) "
        "INSERT INTO market_ticks (series_id, tick_time, revision, starts_at, ends_at, quality_flag, source_partition, "
        "source_offset, arrived_at) SELECT series_id, t, 0, t, t, 'normal', 0, 0, now() "
        "FROM s, (SELECT %s::timestamptz AS t) x",
        after(20),
    )  # fmt: skip
    await bench.work()
    assert bench.alerts()[0].ended_at == after(20)


async def test_many_of_a_feeder_are_one_alert_that_ends_with_the_last_of_them(bench: Bench) -> None:
    names = bench.register(60, "T1", "F1") + bench.register(60, "T2", "F1", first=60)
    bench.register(1_500, "T3", "F2", first=120)
    bench.raise_signs(*(sign(0, f"meter/{name}") for name in names))
    await bench.work()
    (parent,) = bench.alerts()
    assert (parent.element, parent.children, parent.customers) == ("feeder/F1", 120, 120)
    assert (parent.severity, parent.region) == (Severity.CRITICAL, "NSW")
    assert len(bench.alerts(children=True)) == 121
    bench.execute(
        "INSERT INTO meter_readings (meter_id, reading_time, quality_flag, voltage, source_partition, source_offset, "
        "arrived_at) SELECT meter_id, %s::timestamptz + g * interval '5 min', 'normal', 230, 0, 0, now() "
        "FROM smart_meters, generate_series(1, 4) g",
        NOON,
    )
    await bench.work()
    assert {alert.status for alert in bench.alerts(children=True)} == {Status.CLEARED}
    assert bench.alerts()[0].ended_at == after(20)
    told = Counter((event.subject, event.data.change) for event in bench.kafka.events() if event.subject == "feeder/F1")
    assert told == {("feeder/F1", "opened"): 1, ("feeder/F1", "updated"): 1, ("feeder/F1", "cleared"): 1}
    assert bench.kafka.standing() == {}


async def test_transformers_that_went_first_become_parts_of_their_feeder(bench: Bench) -> None:
    names = bench.register(20, "T1", "F1") + bench.register(20, "T2", "F1", first=20)
    bench.register(400, "T3", "F1", first=40)
    bench.register(2_000, "T4", "F2", first=440)
    bench.raise_signs(*(sign(0, f"meter/{name}") for name in names))
    await bench.work()
    assert {alert.element for alert in bench.alerts()} == {"transformer/T1", "transformer/T2"}
    bench.raise_signs(*(sign(1, f"meter/G{number}") for number in range(40, 100)))
    await bench.work()
    (feeder,) = bench.alerts()
    assert (feeder.element, feeder.customers) == ("feeder/F1", 100)


async def test_kafka_hears_of_every_change_though_it_was_away_and_the_desk_died(bench: Bench) -> None:
    bench.raise_signs(*(sign(0, f"meter/M{number}") for number in range(50)))
    bench.kafka.absences = 1
    with pytest.raises(ServiceUnavailable):
        await bench.work()
    bench.desk = bench.new_desk()
    await bench.work()
    ids = Counter(event.id for event in bench.kafka.events())
    assert len(ids) == 50
    assert set(ids.values()) == {2}
    assert len(bench.kafka.standing()) == 50


async def test_a_desk_that_dies_in_the_middle_takes_no_sign(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.raise_signs(sign())
    with monkeypatch.context() as patched:
        patched.setattr("sinks.alert_sql.KEEP_HISTORY", "SELECT 1 / 0, %s, %s, %s, %s, %s, %s, %s")
        with pytest.raises(psycopg.errors.DivisionByZero):
            await bench.desk.take_signs()
    await bench.work()
    assert len(bench.alerts()) == 1


async def test_of_two_operators_at_once_one_is_told_that_the_other_was_first(bench: Bench) -> None:
    bench.raise_signs(sign())
    await bench.work()
    (alert,) = bench.alerts()

    def take(by: str) -> str:
        try:
            acts.acknowledge(bench.url, alert.alert_id[:8], by, bench.now, "")
        except NotPossible as refusal:
            return str(refusal)
        return "taken"

    said = await asyncio.gather(*(asyncio.to_thread(take, by) for by in ("ada", "grace")))
    first = bench.alerts()[0].acknowledged_by
    assert sorted(said) == [
        f"alert {alert.alert_id} was acknowledged by {first} at 2026-01-31T13:00:00Z",
        "taken",
    ]
    await bench.work()
    assert [event.data.change for event in bench.kafka.events()] == [Change.OPENED, Change.ACKNOWLEDGED]
    assert [event.data.by for event in history(bench.url, alert.alert_id)] == ["engine", first]


async def test_what_is_part_of_an_alert_is_resolved_with_it(bench: Bench) -> None:
    names = bench.register(10, "T1", "F1")
    bench.raise_signs(*(sign(0, f"meter/{name}") for name in names))
    await bench.work()
    (parent,) = bench.alerts()
    await asyncio.to_thread(acts.resolve, bench.url, parent.alert_id, "ada", bench.now, "tap changer mended")
    assert {alert.status for alert in bench.alerts(children=True)} == {Status.RESOLVED}
    await bench.work()
    assert bench.kafka.standing() == {}


@pytest.mark.parametrize(
    ("given", "says"),
    [("0123456789", "there is no alert 0123456789"), ("abc", "too short"), ("", "too short"), ("%%%%", "no alert")],
)
async def test_an_alert_that_is_not_there_is_named(bench: Bench, given: str, says: str) -> None:
    bench.raise_signs(sign())
    await bench.work()
    with pytest.raises(NotPossible, match=says):
        await asyncio.to_thread(acts.resolve, bench.url, given, "ada", bench.now, "")


async def test_a_silence_covers_what_stands_and_what_opens_and_it_ends(bench: Bench) -> None:
    bench.raise_signs(sign())
    await bench.work()
    covered = Silence("meter/M1", None, bench.now, bench.now + timedelta(hours=1), "ada", "line work")
    await asyncio.to_thread(acts.silence, bench.url, covered)
    await bench.work()
    assert bench.alerts()[0].silenced
    bench.raise_signs(sign(5, "meter/M1", kind=AlertKind.FLATLINE), sign(5, "meter/M2"))
    await bench.work()
    assert {(alert.element, alert.silenced) for alert in bench.alerts()} == {("meter/M1", True), ("meter/M2", False)}
    bench.now += timedelta(hours=1)
    await bench.work()
    assert not any(alert.silenced for alert in bench.alerts())


async def test_a_maintenance_window_returns_until_somebody_takes_it_back(bench: Bench) -> None:
    bench.raise_signs(sign())
    hour, known = (
        timedelta(hours=1),
        Silence("meter/M1", None, bench.now, bench.now + timedelta(hours=1), "ada", "backups"),
    )
    number = await asyncio.to_thread(acts.silence, bench.url, replace(known, every_days=7, timezone="Europe/Madrid"))
    for days, holds in ((0, True), (1, False), (7, True), (28, True)):
        bench.now = known.begins_at + timedelta(days=days) + hour / 2
        await bench.work()
        assert bench.alerts()[0].silenced is holds, days
    (kept_one,) = await asyncio.to_thread(acts.silences, bench.url, bench.now)
    assert kept_one == replace(known, every_days=7, timezone="Europe/Madrid", silence_id=number)
    await asyncio.to_thread(acts.unsilence, bench.url, number, "grace", bench.now)
    await bench.work()
    assert not bench.alerts()[0].silenced
    with pytest.raises(NotPossible, match=f"there is no silence {number}"):
        await asyncio.to_thread(acts.unsilence, bench.url, number, "grace", bench.now)


async def test_a_zone_apart_from_its_neighbours_is_back_two_hours_after_it_last_was(bench: Bench) -> None:
    bench.raise_signs(sign(0, "market/omie/ES", kind=AlertKind.NEIGHBOUR_OUTLIER))
    await bench.work()
    bench.execute("INSERT INTO market_series (market, symbol, kind) VALUES ('omie', 'ES', 'settlement')")
    bench.execute("INSERT INTO market_neighbours SELECT series_id, 0, 1, 99, 8, 0, %s FROM market_series", after(45))

    def price(minutes: int) -> None:
        # Unusual beside the others only: by itself every price is normal.
        bench.execute(
            "INSERT INTO market_ticks (series_id, tick_time, revision, starts_at, ends_at, quality_flag, "
            "source_partition, source_offset, arrived_at) SELECT series_id, %s, 0, %s, %s, 'normal', 0, 0, now() "
            "FROM market_series",
            after(minutes), after(minutes - 15), after(minutes),
        )  # fmt: skip

    for minutes in range(0, 165, 15):
        price(minutes)
    await bench.work()
    assert [alert.status for alert in bench.alerts()] == [Status.OPEN]
    price(165)
    await bench.work()
    assert [(alert.status, alert.ended_at) for alert in bench.alerts()] == [(Status.CLEARED, after(165))]


async def test_no_question_of_the_desk_reads_a_table_whole(bench: Bench) -> None:
    """What is asked once a turn or a second is found by an index, whatever the tables were when it was planned."""
    calm = {"ids": ["a"], "names": ["M1"], "since": [NOON], "needed": [4], "warning": 0.85}
    calm |= {"kinds": ["voltage_sag"], "units": ["V"], "traces": [r"\m(?:sag) ([0-9.]+)"]}
    below = {level: ["X"] for level in LEVELS}
    asked: dict[str, Any] = {
        alert_sql.TAKE_SIGNS: (9,),
        alert_sql.NEWEST: (["meter/M1"], ["voltage_sag"], ["below"]),
        alert_sql.PLACES: below | {"meter": ["M1"], "region": ["R1"]},
        alert_sql.RESTORED: (["a"], ["outage"], ["feeder/F1"], [NOON]),
        alert_sql.RELATED: (["voltage_sag"], ["below"], ["S1"]),
        alert_sql.METERS_BELOW: below,
        alert_sql.STANDING_AFTER: ("", 9),
        alert_sql.WITH_IDS: (["a"],),
        alert_sql.BEGINNING_WITH: {"beginning": "a"},
        alert_sql.CHILDREN: ("a",),
        alert_sql.BEREFT: (),
        alert_conditions.CALM["meter"]: calm,
        alert_conditions.OTHER_KINDS: (["M1"], ["voltage_sag"], [NOON], [NOON], 0.85),
        alert_sql.UNPUBLISHED: (9,),
        notifications_sql.UNROUTED: (9,),
        notifications_sql.DROP: (due := {"channel": "pager", "now": NOON}),
        notifications_sql.DUE: ("pager", NOON),
        notifications_sql.OPEN_DIGEST: ("pager",),
        notifications_sql.GATHER: due,
        notifications_sql.OF_DIGEST: {"digest": 1, "limit": 9},
        notifications_sql.SENT: {"number": 1, "now": NOON},
        notifications_sql.HAND_OVER: (over := {**due, "to": "chat", "number": 1}),
        notifications_sql.HAND_OVER_DUE: over,
        notifications_sql.UNACKNOWLEDGED: (["critical"], NOON),
    }
    with psycopg.connect(bench.url, options=alert_sql.SESSION) as connection:
        for statement, parameters in asked.items():
            plan = "\n".join(line for (line,) in connection.execute(f"EXPLAIN {statement}".encode(), parameters))
            assert not re.search(r"Seq Scan on \w+", plan), f"{statement}\n{plan}"


async def test_filters_choose_the_same_from_the_database_as_from_the_topic(bench: Bench) -> None:
    bench.raise_signs(
        sign(0, "meter/A_1", severity=Severity.CRITICAL),
        sign(1, "meter/AB1", severity=Severity.INFO),
        sign(2, "market/omie/ES", kind=AlertKind.PRICE_SPIKE),
    )
    await bench.work()
    for filters in (
        {"severity": Severity.WARNING},
        {"kind": AlertKind.PRICE_SPIKE},
        {"element": "meter/A_*"},
        {"element": "meter/A?1"},
        {"region": "NSW"},
        {},
    ):
        wanted = Wanted(**filters)  # type: ignore[arg-type]
        from_topic = {event.data.alert.alert_id for event in bench.kafka.events() if wanted.has(event.data.alert)}
        assert from_topic == {alert.alert_id for alert in bench.alerts(**filters)}, filters


async def test_a_look_at_much_is_taken_in_parts_and_ends_all_that_is_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.alerting.desk._LOOK_AT_ONCE", 3)
    meters = [f"M{number}" for number in range(7)]
    bench.raise_signs(*(sign(0, f"meter/{meter}") for meter in meters))
    for meter in meters:
        bench.read(meter, *((minutes, "normal") for minutes in (5, 10, 15, 20)))
    while await bench.desk.take_signs():
        pass
    assert [await bench.desk.look() for _ in range(3)] == [3, 3, 1]
    assert not bench.desk.looking


async def test_what_was_raised_before_there_was_a_desk_is_kept_and_opens_nothing(bench: Bench) -> None:
    bench.raise_signs(sign())
    bench.execute("UPDATE alert_signs SET taken = true")
    await bench.work()
    assert bench.alerts() == []
    assert bench.execute("SELECT count(*) FROM alert_signs") == [(1,)]


async def test_a_new_sign_wakes_the_desk(bench: Bench) -> None:
    assert await bench.ledger.leads()
    waiting = asyncio.create_task(bench.ledger.wait(20.0))
    await asyncio.sleep(0.1)
    bench.raise_signs(sign())
    await asyncio.wait_for(waiting, 5.0)


async def test_one_desk_is_active_and_another_takes_over_when_it_ends(bench: Bench) -> None:
    other = AlertLedger(bench.url)
    assert await bench.ledger.leads()
    assert not await other.leads()
    await bench.ledger.close()
    deadline = datetime.now(NOON.tzinfo) + timedelta(seconds=10)
    while not await other.leads():
        assert datetime.now(NOON.tzinfo) < deadline
        await asyncio.sleep(0.05)
    await other.close()


async def test_a_storm_is_taken_whole_and_its_feeder_is_one_alert(bench: Bench) -> None:
    names = bench.register(5_000, "T1", "F1")
    bench.raise_signs(*(sign(n / 5_000, f"meter/{name}") for n, name in enumerate(names)))
    await bench.work()
    (parent,) = bench.alerts()
    assert (parent.element, parent.children) == ("substation/S1", 5_000)
    opened = [event for event in bench.kafka.events() if event.data.change is Change.OPENED]
    assert len(opened) == 5_001
    assert json.loads(bench.kafka.sent[0].value or b"")["specversion"] == "1.0"
