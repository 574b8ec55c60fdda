"""Requests to publishers: named, conditional, spaced; each answer is news, no news, a wait or a refusal."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from stream.feed.web import PublisherAway, PublisherRefuses, Web
from tests.publishing_house import Held, PublishingHouse


@pytest.fixture
def house() -> Iterator[PublishingHouse]:
    with PublishingHouse() as house:
        yield house


def web(pause_s: float = 0.001) -> Web:
    return Web("meterstream (ops@example.org)", pause_s, 5.0)


def test_a_request_says_who_asks_and_which_version_is_known(house: PublishingHouse) -> None:
    house.held["/a.csv"] = Held(b"x,y", etag='"1"')
    first = web().get(house.url("/a.csv"))
    assert first is not None
    assert (first.body, first.etag, first.is_page) == (b"x,y", '"1"', False)
    assert web().get(house.url("/a.csv"), first.etag) is None
    assert house.asked[1][1]["If-None-Match"] == '"1"'
    assert house.asked[1][1]["User-Agent"] == "meterstream (ops@example.org)"


@pytest.mark.parametrize("status", [204, 404, 410])
def test_what_is_not_there_yet_is_no_news(house: PublishingHouse, status: int) -> None:
    house.held["/a.csv"] = Held(status=status)
    assert web().get(house.url("/a.csv")) is None


def test_a_body_that_was_packed_on_its_way_is_unpacked(house: PublishingHouse) -> None:
    house.held["/a.csv"] = Held(gzip.compress(b"x,y"), headers={"Content-Encoding": "gzip"})
    answer = web().get(house.url("/a.csv"))
    assert answer is not None
    assert answer.body == b"x,y"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_an_absence_that_passes_is_waited_for(house: PublishingHouse, status: int) -> None:
    house.held["/a.csv"] = Held(status=status, headers={"Retry-After": "90"})
    with pytest.raises(PublisherAway, match=str(status)) as absence:
        web().get(house.url("/a.csv"))
    assert absence.value.retriable
    assert absence.value.retry_after_s == 90


@pytest.mark.parametrize(("text", "least", "most"), [("soon", 0, 0), ("-5", 0, 0), ("1e9", 86_400, 86_400)])
def test_a_wait_that_makes_no_sense_is_bounded(house: PublishingHouse, text: str, least: float, most: float) -> None:
    house.held["/a.csv"] = Held(status=503, headers={"Retry-After": text})
    with pytest.raises(PublisherAway) as absence:
        web().get(house.url("/a.csv"))
    assert least <= absence.value.retry_after_s <= most


def test_a_wait_may_be_a_date(house: PublishingHouse) -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)
    house.held["/a.csv"] = Held(status=503, headers={"Retry-After": then})
    with pytest.raises(PublisherAway) as absence:
        web().get(house.url("/a.csv"))
    assert 290 < absence.value.retry_after_s <= 300


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_is_for_a_person(house: PublishingHouse, status: int) -> None:
    house.held["/a.csv"] = Held(status=status)
    with pytest.raises(PublisherRefuses, match=str(status)):
        web().get(house.url("/a.csv"))


def test_half_an_answer_is_none(house: PublishingHouse) -> None:
    house.held["/a.csv"] = Held(b"x" * 10_000, cut_at=5_000)
    with pytest.raises(PublisherAway, match="broke off after 5000 of 10000 bytes"):
        web().get(house.url("/a.csv"))


def test_nobody_there_is_an_absence() -> None:
    with pytest.raises(PublisherAway, match="refused"):
        web().get("http://127.0.0.1:1/a.csv")


def test_a_host_is_left_in_peace_between_two_requests(house: PublishingHouse) -> None:
    house.held["/a.csv"] = Held(b"x")
    slept = list[float]()
    asking = Web("us", 2.0, 5.0, sleep=slept.append, now_s=lambda: 100.0)
    for _ in range(3):
        asking.get(house.url("/a.csv"))
    assert slept == [2.0, 2.0]
