"""Rounds over a publisher: what is new is fetched, read and published once; what goes wrong is told and goes on."""

import io
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from schemas.codec import decode
from schemas.ticks import TickBatch
from simulators.feeds.formats import find_feed
from simulators.feeds.publisher import FeedPublisher
from simulators.publisher import PublishReport
from simulators.transport import ListTransport, Message
from stream.feed.archive import Archive
from stream.feed.metrics import FeedMetrics
from stream.feed.poll import Poller, Round, Wanted
from stream.feed.web import PublisherAway, Web
from stream.markets import load_markets
from tests.publishing_house import Held, PublishingHouse

MARKETS = load_markets()
TODAY = date(2024, 8, 1)
PRICES = "/prices.csv"


class Desk:
    """A poller with its archive on disk, whose every life publishes into one list."""

    def __init__(self, folder: Path, *sources: str, match: str = "*", name: str = "aemo") -> None:
        self.folder, self.wanted = folder, Wanted(sources, find_feed(name), match, 0)
        self.transport = ListTransport()
        self.stop_after: int | None = None

    def round(self) -> Round:
        poller = Poller(
            self.wanted, MARKETS, Web("us", 0.001, 5.0), Archive(self.folder), self.publish,
            FeedMetrics(CollectorRegistry()),
        )  # fmt: skip
        return poller.round(TODAY)

    def publish(self, batch: TickBatch) -> PublishReport:
        sent = len(self.transport.messages)

        def stop() -> bool:
            return self.stop_after is not None and len(self.transport.messages) - sent >= self.stop_after

        return FeedPublisher(self.transport, stop=stop).run([batch])

    @property
    def ticks(self) -> TickBatch:
        """Everything that was published, as the engine reads it."""
        payloads = [message.payload for message in self.transport.messages]
        found = decode(payloads, [None] * len(payloads), TickBatch)
        assert found.faults == []
        return found.batch


@pytest.fixture
def house() -> Iterator[PublishingHouse]:
    with PublishingHouse() as house:
        yield house


def table(*prices: str, first: int = 0, region: str = "NSW1") -> bytes:
    """A plain file of prices by five minutes from 00:05 on."""
    rows = [
        f"2024/08/01 {5 * step // 60:02d}:{5 * step % 60:02d}:00,{region},{price}"
        for step, price in enumerate(prices, first + 1)
    ]
    return "\n".join(["SETTLEMENTDATE,REGIONID,RRP", *rows, ""]).encode()


def prices(batch: TickBatch) -> list[float | None]:
    found: list[float | None] = batch.column("price").to_pylist()
    return found


def test_a_growing_file_is_published_as_it_grows(house: PublishingHouse, tmp_path: Path) -> None:
    desk = Desk(tmp_path, house.url(PRICES))
    house.held[PRICES] = Held(table("50", "60"), etag="1")
    assert desk.round() == Round(files=1, ticks=2)
    assert desk.round() == Round()
    house.held[PRICES] = Held(table("50", "61", "-70"), etag="2")
    assert desk.round() == Round(files=1, ticks=2, known=1)
    assert (prices(desk.ticks), desk.ticks.revisions.tolist()) == ([50, 60, 61, -70], [0, 0, 1, 0])


def test_without_versions_the_bytes_themselves_tell_what_is_new(house: PublishingHouse, tmp_path: Path) -> None:
    desk = Desk(tmp_path, house.url(PRICES))
    house.held[PRICES] = Held(table("50"))
    assert [desk.round(), desk.round()] == [Round(files=1, ticks=1), Round()]


def test_an_empty_delivery_is_no_error_and_no_repeat(house: PublishingHouse, tmp_path: Path) -> None:
    desk = Desk(tmp_path, house.url(PRICES))
    for body, ticks in ((table("50"), 1), (b"", 0), (b" \r\n", 0), (table("50", "60"), 2)):
        house.held[PRICES] = Held(body)
        done = desk.round()
        assert (done.ticks, done.problems) == (ticks, 0)


def test_what_was_cut_off_comes_whole_when_the_file_is(house: PublishingHouse, tmp_path: Path) -> None:
    whole = table("50", "60", "70")
    desk = Desk(tmp_path, house.url(PRICES))
    house.held[PRICES] = Held(whole[:-8])
    done = desk.round()
    assert (done.ticks, done.problems) == (2, 1)
    house.held[PRICES] = Held(whole)
    assert desk.round() == Round(files=1, ticks=1, known=2)
    assert sorted(price for price in prices(desk.ticks) if price) == [50, 60, 70]


def test_another_header_is_told_once_and_read_when_it_is_right_again(house: PublishingHouse, tmp_path: Path) -> None:
    desk = Desk(tmp_path, house.url(PRICES))
    house.held[PRICES] = Held(b"time,price\n1,2\n")
    assert [desk.round().problems, desk.round().problems] == [1, 0]
    house.held[PRICES] = Held(table("50"))
    assert desk.round() == Round(files=1, ticks=1)


def test_a_stop_in_the_middle_goes_on_without_asking_again(house: PublishingHouse, tmp_path: Path) -> None:
    body = table("50") + table("55", region="VIC1").partition(b"\n")[2]
    house.held[PRICES] = Held(body, etag="1")
    desk = Desk(tmp_path, house.url(PRICES))
    desk.stop_after = 1
    assert desk.round().stopped
    after = Desk(tmp_path, house.url(PRICES))
    assert after.round() == Round(files=1, ticks=2)
    assert after.round() == Round()
    # What had been fetched was published from the disk; the publisher was only asked whether there is more.
    assert [headers.get("If-None-Match") for _, headers in house.asked] == [None, "1", "1"]
    assert sorted(prices(after.ticks)) == [50, 55]  # type: ignore[type-var]


def test_a_page_of_links_is_walked_and_no_file_is_asked_for_twice(house: PublishingHouse, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../PRICES_1.CSV", table("50"))
    house.held["/r/"] = Held(b'<a href="p_1.zip">1</a>', kind="text/html")
    house.held["/r/p_1.zip"] = Held(packed.getvalue(), kind="application/zip")
    desk = Desk(tmp_path / "cache", house.url("/r/"), match="p_*")
    assert desk.round().ticks == 1
    house.held["/r/"] = Held(b'<a href="p_1.zip">1</a><a href="p_2.csv">2</a><a href="p_3.csv">3</a>', kind="text/html")
    house.held["/r/p_2.csv"] = Held(table("60", first=1))
    assert desk.round().ticks == 1
    house.held["/r/p_3.csv"] = Held(table("70", first=2))
    assert desk.round().ticks == 1
    assert house.paths() == ["/r/", "/r/p_1.zip", "/r/", "/r/p_2.csv", "/r/p_3.csv", "/r/", "/r/p_3.csv"]
    assert prices(desk.ticks) == [50, 60, 70]


def test_a_damaged_archive_is_told(house: PublishingHouse, tmp_path: Path) -> None:
    house.held["/p.zip"] = Held(b"PK\x03\x04 and no more", kind="application/zip")
    assert Desk(tmp_path, house.url("/p.zip")).round() == Round(problems=1)


def test_one_place_that_refuses_holds_no_other_up(house: PublishingHouse, tmp_path: Path) -> None:
    house.held["/a.csv"] = Held(status=403)
    house.held[PRICES] = Held(table("50"))
    assert Desk(tmp_path, house.url("/a.csv"), house.url(PRICES)).round() == Round(files=1, ticks=1, problems=1)


def test_a_publisher_that_is_away_ends_the_round(house: PublishingHouse, tmp_path: Path) -> None:
    house.held[PRICES] = Held(status=503, headers={"Retry-After": "7"})
    with pytest.raises(PublisherAway) as absence:
        Desk(tmp_path, house.url(PRICES)).round()
    assert absence.value.retry_after_s == 7


def test_a_revision_may_come_before_its_original(house: PublishingHouse, tmp_path: Path) -> None:
    header, row = "SETTLEMENTDATE,REGIONID,RRP,INTERVENTION\n", "2024/08/01 00:05:00,NSW1,{},{}\n"
    desk = Desk(tmp_path, house.url(PRICES))
    house.held[PRICES] = Held((header + row.format(52, 1)).encode())
    desk.round()
    house.held[PRICES] = Held((header + row.format(50, 0) + row.format(52, 1)).encode())
    assert desk.round() == Round(files=1, ticks=1, known=1)
    assert (prices(desk.ticks), desk.ticks.revisions.tolist()) == ([52, 50], [1, 0])


def test_files_of_a_folder_are_published_once(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "1.csv").write_bytes(table("50"))
    desk = Desk(tmp_path / "cache", str(folder))
    assert desk.round().ticks == 1
    (folder / "2.csv").write_bytes(table("60", first=1))
    assert desk.round() == Round(files=1, ticks=1)


def test_every_tick_goes_out_under_its_own_symbol() -> None:
    batch = TickBatch.from_columns(
        market=["pjm"] * 3, symbol=["A/1", "B", "A/1"], tick_time=np.arange(3), price=[1.0, 2.0, 3.0]
    )
    messages: list[Message] = FeedPublisher(ListTransport()).messages(batch)
    assert [(message.topic, message.readings) for message in messages] == [
        ("market/pjm/A%2F1/tick", 2),
        ("market/pjm/B/tick", 1),
    ]
