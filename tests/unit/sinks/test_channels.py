"""Every channel on a real local server: it delivers, bears faults, tells no secret, and escapes what is hostile."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from processors.lifecycle import changes
from schemas.alert_events import AlertEvent
from schemas.alerts import Severity
from sinks.channels import http
from sinks.channels.channel import Channel, ChannelAway, ChannelRefused, Notice
from sinks.channels.correlation import Correlation
from sinks.channels.mail import Mail
from sinks.channels.pagerduty import PagerDuty
from sinks.channels.servicenow import ServiceNow, ticket_of
from sinks.channels.slack import Slack, escaped
from sinks.channels.teams import Teams
from sinks.channels.webhook import Webhook
from tests.alerting import NOON, RULES, after, calm, opened, sign
from tests.post_office import SECRET, Fault, PostOffice, post_office

HOSTILE = 'meter/<!channel> *b* [x](http://e.example) "<script>alert(1)</script>" \r\nBcc: x@e.example'
OPEN: dict[str, Callable[[PostOffice], Channel]] = {
    "pagerduty": lambda office: PagerDuty("routing-key", f"{office.url}/pagerduty"),
    "slack": lambda office: Slack(f"{office.url}/slack/{SECRET[:8]}"),
    "teams": lambda office: Teams(f"{office.url}/teams/{SECRET[:8]}"),
    "webhook": lambda office: Webhook(f"{office.url}/webhook", SECRET),
    "servicenow": lambda office: ServiceNow(f"{office.url}/servicenow", "ops", SECRET, "grid"),
    "correlation": lambda office: Correlation(f"{office.url}/correlation", "ops", SECRET),
    "mail": lambda office: Mail("127.0.0.1", office.smtp_port, "grid@example.com", ["ops@example.com"], tls=False),
}
OVER_HTTP = [name for name in OPEN if name != "mail"]


def began(**said: Any) -> Notice:
    return Notice(AlertEvent.of(changes.take(sign(**said), None, RULES), NOON))


def ended(notice: Notice) -> Notice:
    news = changes.settle(notice.alert, calm(0, 20), RULES)
    assert news is not None
    return Notice(AlertEvent.of(news, after(20)))


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    async with post_office() as found:
        yield found


@pytest.fixture
async def channel(request: pytest.FixtureRequest, office: PostOffice) -> AsyncIterator[Channel]:
    found = OPEN[request.param](office)
    yield found
    await found.close()


every = pytest.mark.parametrize("channel", OPEN, indirect=True)
over_http = pytest.mark.parametrize("channel", OVER_HTTP, indirect=True)


@every
@pytest.mark.parametrize("element", ["meter/M1", HOSTILE], ids=["plain", "hostile"])
async def test_an_alert_its_end_and_a_digest_arrive_as_the_service_wants_them(
    channel: Channel, office: PostOffice, element: str
) -> None:
    notice = began(element=element, severity=Severity.CRITICAL)
    digest = Notice(notice.event, 50_000, ("meter M2 " * 200, HOSTILE))
    for one in (notice, ended(notice), digest):
        await channel.send(one)
    assert office.wrong == []
    assert len(office.mails) + sum(map(len, office.taken.values())) == 3


@over_http
@pytest.mark.parametrize(
    ("fault", "kind", "retry_after"),
    [
        (Fault(500), ChannelAway, 0),
        (Fault(503, {"Retry-After": "7"}), ChannelAway, 7),
        (Fault(429, {"Retry-After": "30"}), ChannelAway, 30),
        (Fault(429, {"Retry-After": "soon"}), ChannelAway, 0),
        (Fault(0), ChannelAway, 0),
        (Fault(404), ChannelRefused, None),
        (Fault(302, {"Location": "http://127.0.0.1:1/"}), ChannelRefused, None),
    ],
    ids=["500", "503", "429", "429 and nonsense", "closed", "404", "moved"],
)
async def test_what_a_fault_means(
    channel: Channel, office: PostOffice, fault: Fault, kind: type[Exception], retry_after: float | None
) -> None:
    # What only asks is asked a second time by the client itself where the connection was closed.
    office.faults.extend([fault] * (2 if fault.status == 0 and isinstance(channel, ServiceNow) else 1))
    with pytest.raises(kind) as failure:
        await channel.send(began())
    assert getattr(failure.value, "retry_after_s", None) == retry_after
    for secret in (SECRET, SECRET[:8], "routing-key", office.url):
        assert secret not in str(failure.value)
    await channel.send(began())
    assert sum(map(len, office.taken.values())) == 1


async def test_a_service_that_hangs_is_away(office: PostOffice) -> None:
    office.faults.append(Fault(hang_s=5))
    service = http.Http("slack", timeout_s=0.2)
    with pytest.raises(ChannelAway, match="slack: TimeoutError"):
        await service.call("POST", f"{office.url}/slack", {})
    await service.close()


@pytest.mark.parametrize(("status", "kind"), [(451, ChannelAway), (550, ChannelRefused)])
async def test_a_mail_server_says_later_or_never(office: PostOffice, status: int, kind: type[Exception]) -> None:
    office.faults.append(Fault(status))
    with pytest.raises(kind, match=f"mail: {status}"):
        await OPEN["mail"](office).send(began())


async def test_a_mail_server_that_is_not_there_is_away() -> None:
    with pytest.raises(ChannelAway, match="mail: ConnectionRefusedError"):
        await Mail("127.0.0.1", 1, "a@example.com", ["b@example.com"], tls=False).send(began())


async def test_a_hostile_name_stays_in_its_place_in_a_mail(office: PostOffice) -> None:
    await OPEN["mail"](office).send(began(element=HOSTILE))
    (mail,) = office.mails
    assert mail["Bcc"] is None
    assert "<script>" in str(mail["Subject"])
    assert "\n" not in str(mail["Subject"])
    page = mail.get_body(("html",))
    assert page is not None
    assert "<script>" not in page.get_content()
    assert "&lt;script&gt;" in page.get_content()


def test_nothing_of_a_name_is_markup_in_slack() -> None:
    text = escaped(HOSTILE)
    assert "<" not in text
    assert ">" not in text
    assert "*b*" not in text


@pytest.mark.parametrize("name", ["pagerduty", "servicenow"])
async def test_one_alert_is_one_incident_however_often_it_is_told(office: PostOffice, name: str) -> None:
    service, notice = OPEN[name](office), began(severity=Severity.CRITICAL)
    taken = Notice(AlertEvent.of(changes.acknowledge(notice.alert, "ada", after(1)), after(1)))
    for one in (notice, notice, taken, ended(notice)):
        await service.send(one)
    await service.close()
    if name == "pagerduty":
        assert len({event["dedup_key"] for event in office.taken[name]}) == 1
        actions = [event["event_action"] for event in office.taken[name]]
        assert actions == ["trigger", "trigger", "acknowledge", "resolve"]
    else:
        (ticket,) = office.tickets.values()
        assert (ticket["state"], ticket["urgency"], ticket["assignment_group"]) == ("6", "1", "grid")
        assert ticket["work_notes"].startswith("acknowledged by ada")


@pytest.mark.parametrize(("customers", "impact"), [(1, "3"), (100, "3"), (101, "2"), (1_000, "2"), (1_001, "1")])
def test_the_impact_of_a_ticket_is_how_many_customers_it_touches(customers: int, impact: str) -> None:
    alert = opened().model_copy(update={"customers": customers})
    notice = Notice(AlertEvent.of(changes.attach(alert, alert), NOON))
    assert ticket_of(notice, "", "x")["impact"] == impact


async def test_a_webhook_gets_the_event_of_the_topic_under_an_id_that_stays(office: PostOffice) -> None:
    notice = began()
    service = OPEN["webhook"](office)
    await service.send(notice)
    await service.close()
    (event,) = office.taken["webhook"]
    assert event == json.loads(notice.event.model_dump_json())


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 0), ("", 0), ("12", 12), ("-1", 0), ("Sat, 31 Jan 2026 12:01:00 GMT", 60), ("yesterday", 0)],
)
def test_how_long_a_service_asks_to_be_left_alone(header: str | None, seconds: float) -> None:
    assert http.seconds_of(header, NOON) == pytest.approx(seconds)
    assert timedelta(seconds=seconds) >= timedelta()
