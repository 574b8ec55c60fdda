"""What people get of alerts while services misbehave, the desk is killed, or all fails at once; prints tables."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from rich.console import Console
from rich.table import Table

from schemas.alerts import Alert, Severity
from sinks.timescale_sql import ADD_ALERTS, alert_arrays
from stream.alerting import acts
from stream.stack.stack import LocalStack
from tests.alerting import sign
from tests.integration.processes import EngineProcess, database_url, query, wait_until
from tests.integration.test_alerting import consumed
from tests.post_office import SECRET, Fault, PostOffice, office_in_a_thread

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ALERTS, STORM = 12, 50_000
#: What each service does with notice after notice, mail with the codes of SMTP; None takes it as it should.
_FAULTS = (
    Fault(500), None, Fault(429, {"Retry-After": "1"}), None, Fault(0), None, Fault(0, takes=True), None,
    Fault(503, takes=True), None, Fault(takes=True, kills=True), None,
)  # fmt: skip
_HANGS = Fault(hang_s=20.0)
_CHANNELS = {
    "pagerduty": 'key = {{ env = "KEY" }}\nurl = "{url}/pagerduty"',
    "servicenow": 'url = "{url}/servicenow"\nuser = "ops"\npassword = {{ env = "SECRET" }}',
    "correlation": 'url = "{url}/correlation"\nuser = "ops"\npassword = {{ env = "SECRET" }}',
    "webhook": 'url = "{url}/webhook"\nsecret = {{ env = "SECRET" }}',
    "mail": 'host = "127.0.0.1"\nport = {port}\nsender = "grid@example.com"\nto = ["ops@example.com"]\ntls = false',
    "slack": 'url = {{ env = "SLACK" }}',
    "teams": 'url = {{ env = "TEAMS" }}',
}
_SENT = "SELECT count(*) FROM alert_notifications WHERE status = 'sent'"


@dataclass(frozen=True)
class Service:
    """What a service knows a repeat by.

    Attributes:
        key: its name; empty where it knows none.
        of_alert: whether all notices of an alert have it in common, so that they are one ticket; else each its own.
    """

    key: str = ""
    of_alert: bool = False


_SERVICES = {
    "pagerduty": Service("dedup_key", of_alert=True),
    "servicenow": Service("correlation_id", of_alert=True),
    "correlation": Service("message_key", of_alert=True),
    "webhook": Service("webhook-id"),
    "mail": Service("Message-ID"),
    "slack": Service(),
    "teams": Service(),
}


@dataclass(frozen=True)
class Row:
    """What became of the notices of one channel.

    Attributes:
        sent: notices that it was to take.
        arrived: those that it took, repeats left out.
        repeats: times that it took one again.
        seen_twice: incidents, tickets, events, mails or messages beyond those that there should be.
    """

    sent: int
    arrived: int
    repeats: int
    seen_twice: int


def raise_signs(stack: LocalStack, *signs: Alert) -> None:
    with psycopg.connect(database_url(stack), autocommit=True) as connection:
        connection.execute(ADD_ALERTS.encode(), alert_arrays(signs))


def printed(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        Console().print(table)


def row_of(service: str, office: PostOffice, sent: int) -> Row:
    """Count what a service has, as it would by its own key."""
    told = office.told[service]
    known = _SERVICES[service]
    arrived = len({notice for _, notice in told})
    if service == "servicenow":
        things = len(office.tickets)
    else:
        things = len({key for key, _ in told}) if known.key else len(told)
    return Row(sent, arrived, len(told) - arrived, things - (sent // 2 if known.of_alert else sent))


@pytest.fixture
def desk_with(own_stack: LocalStack, tmp_path: Path) -> Iterator[Callable[[str, PostOffice], EngineProcess]]:
    """Start a desk with a file of routes; it is stopped in the end."""
    started: list[EngineProcess] = []

    def start(routes: str, office: PostOffice) -> EngineProcess:
        file = tmp_path / "routes.toml"
        file.write_text(routes.format(url=office.url, port=office.smtp_port))
        secrets = {
            "SECRET": SECRET,
            "KEY": "routing-key",
            "SLACK": f"{office.url}/slack",
            "TEAMS": f"{office.url}/teams",
        }
        process = EngineProcess("run alerts", own_stack.directory, METERSTREAM_ALERTS__ROUTES_FILE=str(file), **secrets)
        started.append(process)
        process.start()
        process.wait_ready()
        return process

    yield start
    for process in started:
        process.stop()


def test_each_notice_arrives_and_once_where_the_channel_knows_a_key(
    own_stack: LocalStack,
    desk_with: Callable[[str, PostOffice], EngineProcess],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Seven services that answer 500, 429, nothing, too late, or kill the desk while it waits for their word."""
    routes = "wait_s = 0\n"
    for name, own in _CHANNELS.items():
        routes += f'[channel.{name}]\nsort = "{name}"\nper_minute = 6000\ndigest_over = 1000\n{own}\n'
    routes += f'[[route]]\nkinds = ["voltage_sag"]\nto = {list(_CHANNELS)}\n'
    with office_in_a_thread() as office:
        desk, one_at_a_time, kills = desk_with(routes, office), threading.Lock(), list[float]()

        def kill() -> None:
            with one_at_a_time:
                desk.kill()
                desk.start()
                kills.append(time.monotonic())

        office.kill = kill
        for name in _CHANNELS:
            office.plans[name] = [*_FAULTS, _HANGS, *_FAULTS]
        raise_signs(own_stack, *(sign(n, f"meter/C{n}", severity=Severity.CRITICAL) for n in range(ALERTS)))
        wait_until(own_stack, _SENT, 7 * ALERTS, 240.0)
        for (alert,) in query(own_stack, "SELECT alert_id FROM alerts ORDER BY alert_id"):
            acts.resolve(database_url(own_stack), alert, "ada", datetime.now(UTC), "")
        wait_until(own_stack, _SENT, 14 * ALERTS, 240.0)
        desk.stop()
        assert office.wrong == []
        rows = {name: row_of(name, office, 2 * ALERTS) for name in _CHANNELS}
        faults = {name: sum(fault is not None for fault in plan) for name, plan in office.plans.items()}
    table = Table("channel", "knows a repeat by", "sent", "arrived", "again", "seen twice")
    for name, row in rows.items():
        figures = (row.sent, row.arrived, row.repeats, row.seen_twice)
        table.add_row(name, _SERVICES[name].key or "nothing", *map(str, figures))
    printed(table, capsys)
    assert not any(faults.values()), "every fault was met"
    assert len(kills) == 2 * len(_CHANNELS)
    for name, row in rows.items():
        assert row.arrived == row.sent, name
        assert row.repeats >= 6, name
        assert row.seen_twice == (0 if _SERVICES[name].key else row.repeats), name


def test_of_fifty_thousand_signs_in_a_minute_the_topic_has_all_and_people_get_digests(
    own_stack: LocalStack,
    desk_with: Callable[[str, PostOffice], EngineProcess],
    capsys: pytest.CaptureFixture[str],
) -> None:
    routes = """
    [channel.pager]
    sort = "pagerduty"
    key = {{ env = "KEY" }}
    url = "{url}/pagerduty"
    [channel.chat]
    sort = "slack"
    url = {{ env = "SLACK" }}
    [[route]]
    severity = ["critical"]
    to = ["pager"]
    [[route]]
    severity = ["warning"]
    to = ["chat"]
    """
    opened = "SELECT count(*) FROM alerts WHERE element LIKE 'meter/S%'"
    with office_in_a_thread() as office:
        desk, began = desk_with(routes, office), time.monotonic()
        for batch in range(50):
            first = batch * STORM // 50
            raise_signs(own_stack, *(_of_the_storm(n) for n in range(first, first + STORM // 50)))
            time.sleep(max(0.0, began + batch * 60 / 50 - time.monotonic()))
        raised_s = time.monotonic() - began
        wait_until(own_stack, opened, STORM, 300.0)
        wait_until(own_stack, "SELECT -count(*) FROM alert_history WHERE NOT published", 0, 300.0)
        published_s = time.monotonic() - began
        wait_until(
            own_stack, f"{_SENT} AND alert_id IN (SELECT alert_id FROM alerts WHERE element LIKE 'meter/S%')", STORM
        )
        told_s = time.monotonic() - began
        desk.stop()
        pages, chats = len(office.told["pagerduty"]), [notice for _, notice in office.told["slack"]]
    events = [value or b"" for _, value in consumed(own_stack, "alerts", STORM)]
    ids = {event for event in events if b'"meter/S' in event}
    counts = [re.search(r"([\d,]+) alerts, the most severe", chat) for chat in chats]
    told = sum(int(found[1].replace(",", "")) if found else 1 for found in counts)
    table = Table("what", "figure")
    table.add_row("signs, within", f"{STORM:,}, {raised_s:.0f} s")
    table.add_row("changes on the topic, all after", f"{len(ids):,}, {published_s:.0f} s")
    table.add_row("pages of the critical ones", str(pages))
    table.add_row("messages in the chat, for alerts", f"{len(chats)}, {told:,}")
    table.add_row("everybody told after", f"{told_s:.0f} s")
    printed(table, capsys)
    assert len(ids) == STORM
    assert pages == STORM // 5_000
    assert told == STORM - pages
    assert len(chats) <= 12


def _of_the_storm(number: int) -> Alert:
    severity = Severity.CRITICAL if number % 5_000 == 0 else Severity.WARNING
    return sign(number / STORM, f"meter/S{number}", severity=severity)
