"""From an alert to somebody's desk: each notice arrives, whatever fails, and nobody is told what they need not know."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from schemas.alerts import Severity
from schemas.errors import ConfigurationError
from stream.alerting import acts
from stream.alerting.courier import Courier
from stream.alerting.routes import Routing, load_routing, open_channels
from stream.backoff import Backoff
from stream.metrics import CourierMetrics
from tests.alerting import after, sign
from tests.contracts.test_alert_desk import Bench
from tests.contracts.test_alert_desk import bench as _bench
from tests.post_office import SECRET, Fault, PostOffice, post_office

pytestmark = pytest.mark.integration
bench = _bench

ROUTES = """
wait_s = 10
[channel.pager]
sort = "pagerduty"
key = {{ env = "PAGER_KEY" }}
url = "{url}/pagerduty"
per_minute = 60000
next = "chat"
[channel.chat]
sort = "slack"
url = {{ file = "{folder}/slack" }}
per_minute = 60000
digest_over = 5
[channel.digest]
sort = "mail"
host = "127.0.0.1"
port = {port}
sender = "grid@example.com"
to = ["ops@example.com"]
tls = false
every_s = 3600
next = "chat"
[[route]]
severity = ["critical"]
to = ["pager", "chat"]
escalate_after_s = 900
escalate_to = ["digest"]
[[route]]
severity = ["warning"]
to = ["chat"]
[[route]]
severity = ["info"]
to = ["digest"]
"""


class Posts:
    """A desk, the couriers of its channels, and the servers that they go to."""

    def __init__(self, bench: Bench, office: PostOffice, routing: Routing) -> None:
        self.bench, self.office = bench, office
        bench.routing = routing
        bench.desk = bench.new_desk()
        self.opened = open_channels(routing)
        self.couriers = {name: self.courier(name) for name in self.opened}

    def courier(self, name: str) -> Courier:
        """A new one, as after a crash."""
        metrics = CourierMetrics(CollectorRegistry())
        return Courier(
            name, self.opened[name], self.bench.notices, metrics, lambda: self.bench.now, Backoff(0.001, 0.002)
        )

    async def deliver(self, minutes: float = 1.0, turns: int = 12) -> None:
        """Let some minutes pass and everybody work."""
        await self.bench.work()
        await self.bench.desk.route()
        self.bench.now += timedelta(minutes=minutes)
        for courier in self.couriers.values():
            for _ in range(turns):
                if await courier.turn() == 0.5:
                    break

    def actions(self) -> list[str]:
        return [event["event_action"] for event in self.office.taken.get("pagerduty", [])]

    def chats(self) -> list[str]:
        return [message["text"] for message in self.office.taken.get("slack", [])]

    def statuses(self) -> Counter[tuple[str, str]]:
        rows = self.bench.execute("SELECT channel, status FROM alert_notifications")
        return Counter((channel, status) for channel, status in rows)


@pytest.fixture
async def posts(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Posts]:
    monkeypatch.setenv("PAGER_KEY", "routing-key")
    async with post_office() as office:
        (tmp_path / "slack").write_text(f"{office.url}/slack\n")
        file = tmp_path / "routes.toml"
        file.write_text(ROUTES.format(url=office.url, folder=tmp_path, port=office.smtp_port))
        found = Posts(bench, office, load_routing(file))
        yield found
        for post in found.opened.values():
            await post.channel.close()


async def test_a_critical_alert_and_its_end_go_to_pager_and_chat(posts: Posts) -> None:
    posts.bench.raise_signs(sign(severity=Severity.CRITICAL))
    await posts.deliver()
    (alert,) = posts.bench.alerts()
    await asyncio.to_thread(acts.acknowledge, posts.bench.url, alert.alert_id, "ada", posts.bench.now, "")
    await asyncio.to_thread(acts.resolve, posts.bench.url, alert.alert_id, "ada", posts.bench.now, "")
    await posts.deliver()
    assert posts.actions() == ["trigger", "acknowledge", "resolve"]
    assert [text.split()[1] for text in posts.chats()] == ["OPENED", "RESOLVED"]


async def test_what_is_over_before_anybody_was_told_is_not_told(posts: Posts) -> None:
    posts.bench.raise_signs(sign(severity=Severity.CRITICAL))
    posts.bench.read("M1", *((minutes, "normal") for minutes in (10, 20, 30, 40)))
    await posts.deliver()
    assert posts.actions() == posts.chats() == []


async def test_parts_of_a_group_are_not_told_but_the_group_is(posts: Posts) -> None:
    names = posts.bench.register(20, "T1", "F1")
    posts.bench.raise_signs(
        *(sign(n / 60, f"meter/{name}", severity=Severity.CRITICAL) for n, name in enumerate(names))
    )
    await posts.deliver()
    (event,) = posts.office.taken["pagerduty"]
    assert event["payload"]["source"] == "substation/S1"
    assert posts.statuses()["pager", "sent"] == 1


@pytest.mark.parametrize(
    "fault",
    [Fault(500), Fault(429), Fault(0), Fault(0, takes=True), Fault(503, takes=True)],
    ids=["500", "429", "closed", "taken and closed", "taken and 503"],
)
async def test_a_fault_delays_and_one_alert_stays_one_incident(posts: Posts, fault: Fault) -> None:
    posts.bench.raise_signs(sign(severity=Severity.CRITICAL))
    posts.office.faults.extend([fault, fault])
    await posts.deliver()
    keys = {event["dedup_key"] for event in posts.office.taken["pagerduty"]}
    assert keys == {posts.bench.alerts()[0].alert_id}
    assert len(posts.actions()) == (3 if fault.takes else 1)
    assert len(posts.chats()) == 1
    assert posts.statuses() == {("pager", "sent"): 1, ("chat", "sent"): 1}


async def test_a_courier_that_dies_after_the_channel_took_it_tells_it_again_under_the_same_key(posts: Posts) -> None:
    posts.bench.raise_signs(sign(severity=Severity.CRITICAL))
    noted, posts.bench.notices.sent = posts.bench.notices.sent, None  # type: ignore[assignment, method-assign]
    with pytest.raises(TypeError):
        await posts.deliver()
    posts.bench.notices.sent = noted  # type: ignore[method-assign]
    posts.couriers["pager"] = posts.courier("pager")
    await posts.deliver()
    assert posts.actions() == ["trigger", "trigger"]
    assert len({event["dedup_key"] for event in posts.office.taken["pagerduty"]}) == 1


async def test_a_channel_is_left_alone_as_long_as_it_asks(posts: Posts) -> None:
    posts.bench.raise_signs(sign(severity=Severity.CRITICAL))
    await posts.bench.work()
    await posts.bench.desk.route()
    posts.bench.now += timedelta(minutes=1)
    posts.office.faults.append(Fault(429, {"Retry-After": "30"}))
    assert await posts.couriers["pager"].turn() >= 30


async def test_a_channel_that_fails_raises_its_own_alert_and_the_next_one_is_tried(posts: Posts) -> None:
    posts.bench.raise_signs(sign(severity=Severity.CRITICAL))
    posts.office.faults.extend([Fault(500)] * 4)
    await posts.bench.work()
    await posts.bench.desk.route()
    posts.bench.execute("DELETE FROM alert_notifications WHERE channel = 'chat'")
    posts.bench.now += timedelta(minutes=1)
    for _ in range(4):
        await posts.couriers["pager"].turn()
    await posts.couriers["chat"].turn()
    assert len(posts.chats()) == 1
    await posts.bench.work()
    assert "channel/pager" in {alert.element for alert in posts.bench.alerts()}


async def test_a_channel_that_refuses_hands_over_at_once(posts: Posts) -> None:
    posts.bench.raise_signs(sign(severity=Severity.CRITICAL))
    posts.office.faults.append(Fault(400))
    await posts.deliver()
    assert posts.statuses()["pager", "failed"] == 1
    assert len(posts.chats()) == 1


async def test_a_storm_is_one_digest_and_all_of_it_counts_as_told(posts: Posts) -> None:
    signs = [sign(n / 1_000, f"meter/M{n}") for n in range(1_000)]
    posts.bench.raise_signs(*signs, sign(2, "meter/HOT", severity=Severity.CRITICAL))
    await posts.deliver()
    (text,) = posts.chats()
    assert "1,001 alerts, the most severe: meter HOT" in text
    assert posts.statuses() == {("chat", "sent"): 1_001, ("pager", "sent"): 1}


async def test_a_digest_that_may_have_been_told_is_told_again_as_it_was(posts: Posts) -> None:
    posts.bench.raise_signs(*(sign(n / 100, f"meter/M{n}") for n in range(10)))
    posts.office.faults.append(Fault(0, takes=True))
    await posts.deliver(turns=1)
    posts.couriers["chat"] = posts.courier("chat")
    posts.bench.raise_signs(*(sign(n / 100, f"meter/N{n}", severity=Severity.CRITICAL) for n in range(3)))
    await posts.deliver()
    assert [text.split(",")[0].split()[1:3] for text in posts.chats()][:2] == [["10", "alerts"], ["10", "alerts"]]
    assert posts.chats()[0] == posts.chats()[1]
    assert len(posts.chats()) == 5
    assert posts.statuses()["chat", "sent"] == 13


async def test_a_digest_tells_of_what_begins_before_what_is_over(posts: Posts) -> None:
    posts.bench.raise_signs(*(sign(n / 100, f"meter/M{n}", severity=Severity.CRITICAL) for n in range(3)))
    await posts.deliver()
    for alert in posts.bench.alerts():
        await asyncio.to_thread(acts.resolve, posts.bench.url, alert.alert_id, "ada", posts.bench.now, "")
    posts.bench.raise_signs(*(sign(n / 100, f"meter/N{n}") for n in range(4)))
    await posts.deliver()
    assert "7 alerts, the most severe: meter N0 had" in posts.chats()[-1]


async def test_who_stood_in_for_a_channel_is_told_of_the_end(posts: Posts) -> None:
    posts.bench.raise_signs(sign(severity=Severity.INFO))
    posts.office.faults.append(Fault(550))
    await posts.deliver()
    assert posts.statuses() == {("digest", "failed"): 1, ("chat", "waiting"): 1}
    await posts.deliver()
    (alert,) = (alert for alert in posts.bench.alerts() if alert.element == "meter/M1")
    await asyncio.to_thread(acts.resolve, posts.bench.url, alert.alert_id, "ada", posts.bench.now, "")
    await posts.deliver()
    assert [text.split()[1] for text in posts.chats() if "meter M1" in text] == ["OPENED", "RESOLVED"]


async def test_information_is_collected_into_one_mail(posts: Posts) -> None:
    for minute in range(3):
        posts.bench.raise_signs(sign(minute, f"meter/M{minute}", severity=Severity.INFO))
    await posts.deliver()
    posts.bench.raise_signs(sign(9, "meter/M9", severity=Severity.INFO))
    await posts.deliver()
    (mail,) = posts.office.mails
    assert str(mail["Subject"]).strip().startswith("3 alerts")


async def test_the_next_in_line_is_told_once_where_nobody_acknowledges(posts: Posts) -> None:
    posts.bench.raise_signs(sign(severity=Severity.CRITICAL))
    await posts.deliver()
    assert await posts.bench.desk.escalate() == 0
    posts.bench.now += timedelta(minutes=15)
    assert await posts.bench.desk.escalate() == 1
    assert await posts.bench.desk.escalate() == 0
    await posts.deliver()
    assert len(posts.office.mails) == 1
    assert posts.bench.alerts()[0].escalation == 1


async def test_what_is_acknowledged_does_not_escalate(posts: Posts) -> None:
    posts.bench.raise_signs(sign(severity=Severity.CRITICAL))
    await posts.deliver()
    (alert,) = posts.bench.alerts()
    await asyncio.to_thread(acts.acknowledge, posts.bench.url, alert.alert_id, "ada", posts.bench.now, "")
    posts.bench.now += timedelta(hours=1)
    assert await posts.bench.desk.escalate() == 0


async def test_nobody_is_told_of_what_is_long_past(posts: Posts) -> None:
    posts.bench.raise_signs(sign(severity=Severity.CRITICAL))
    await posts.bench.work()
    posts.bench.now = after(60 * 24)
    await posts.deliver()
    assert posts.statuses() == {}


@pytest.mark.parametrize(
    ("before", "now", "named"),
    [
        ('next = "chat"', 'next = "none"', "there is no channel none"),
        ('sort = "slack"', 'sort = "pigeon"', "pigeon"),
        ('env = "PAGER_KEY"', "", r"a secret is \{env = ...\} or \{file = ...\}"),
        ('to = ["digest"]', 'to = ["digest"]\ntimezone = "Mars"', "Mars"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, before: str, now: str, named: str) -> None:
    file = tmp_path / "routes.toml"
    file.write_text(ROUTES.format(url="http://x", folder=tmp_path, port=25).replace(before, now))
    with pytest.raises(ConfigurationError, match=named):
        load_routing(file)


def test_a_secret_that_stands_in_the_file_is_refused_and_stays_unsaid(tmp_path: Path) -> None:
    file = tmp_path / "routes.toml"
    text = ROUTES.format(url="http://x", folder=tmp_path, port=25)
    file.write_text(text.replace('{ env = "PAGER_KEY" }', f'"{SECRET}"'))
    with pytest.raises(ConfigurationError, match=r"channel\.pager\.pagerduty\.key: ") as refused:
        load_routing(file)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_secret_that_is_not_there_is_named_and_one_that_is_stays_unsaid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PAGER_KEY", raising=False)
    file = tmp_path / "routes.toml"
    file.write_text(ROUTES.format(url="http://x", folder=tmp_path, port=25))
    with pytest.raises(ConfigurationError, match="secret PAGER_KEY is empty or not set"):
        open_channels(load_routing(file))
    monkeypatch.setenv("PAGER_KEY", SECRET)
    with pytest.raises(ConfigurationError, match="No such file"):
        open_channels(load_routing(file))
    assert SECRET not in repr(load_routing(file))
