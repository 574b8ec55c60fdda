"""`meterstream market clear`: auctions from files, as a user asks for them."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stream.cli import main

AUCTION = """time,side,price,quantity,whole,renewable
2026-03-04T10:00:00Z,bid,100,50,,
2026-03-04T10:00:00Z,ask,0,30,,1
2026-03-04T10:00:00Z,ask,20,40,,
2026-03-04T10:00:00Z,ask,60,40,,
2026-03-04T11:00:00Z,bid,10,50,,
2026-03-04T11:00:00Z,ask,20,30,,
"""


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["market", "clear", *map(str, words)])


def rows(*words: str | Path) -> list[dict[str, Any]]:
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def auction(tmp_path: Path) -> Path:
    return file(tmp_path, AUCTION)


def file(folder: Path, text: str) -> Path:
    path = folder / "auction.csv"
    path.write_text(text)
    return path


def test_each_time_is_an_auction_and_one_that_does_not_cross_says_so(auction: Path) -> None:
    first, second = rows(auction)
    assert (first["time"], first["price"], first["volume"]) == ("2026-03-04T10:00:00+00:00", 20, 50)
    assert (first["consumer_surplus"], first["producer_surplus"]) == (80 * 50, 20 * 30)
    assert (second["price"], second["volume"]) == (None, 0)
    shown = run(auction).stdout
    assert "2026-03-04 10:00  all      20.00    50.0" in shown
    assert "no trade" in shown


@pytest.mark.parametrize(("per_cent", "price", "sold"), [(-100, 60, 50), (100, 0, 50), (10, 20, 50)])
def test_renewables_are_shifted_by_a_chosen_per_cent(auction: Path, per_cent: int, price: float, sold: float) -> None:
    found = [row for row in rows(auction, "--shift", f"{per_cent}") if row["asks"] == f"renewables {per_cent:+d} %"]
    assert (found[0]["price"], found[0]["volume"]) == (price, sold)


def test_where_a_file_names_no_renewables_the_cheapest_asks_are_taken_for_them(tmp_path: Path) -> None:
    path = file(tmp_path, "side,price,quantity\nbid,100,50\nask,0,45\nask,20,40\n")
    assert [row["price"] for row in rows(path, "--shift", "-20", "--renewable", "30")] == [20, 20]
    assert [row["price"] for row in rows(path, "--shift", "20", "--renewable", "30")] == [20, 0]
    refused = run(path, "--shift", "10")
    assert refused.exit_code == 1
    assert "add a column `renewable`" in refused.stderr


def test_points_of_curves_are_cleared_between_them(tmp_path: Path) -> None:
    path = file(tmp_path, "side,price,quantity\nbid,0,100\nbid,100,0.000001\nask,0,0.000001\nask,100,100\n")
    (found,) = rows(path, "--interpolated")
    assert (found["price"], found["volume"]) == pytest.approx((50, 50))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("side,price,quantity\nbid,100,50\nask,20,-4\n", "line 3: quantity is not above 0: '-4'"),
        ("side,price,quantity\nbid,100,50\nask,20,\n", "line 3: quantity is not above 0: ''"),
        ("side,price,quantity\nbid,100,50\nask,\n", "line 3"),
        ("side,price,quantity\nbid,100,50\noffer,20,4\n", "line 3: side is neither bid nor ask: 'offer'"),
        ("side,price,quantity,whole\nbid,100,50,0\nask,20,4,2\n", "line 3: whole is neither 0 nor 1: '2'"),
        ("time,side,price,quantity\n2026-03-04,bid,100,50\n2026-03-04T10:00:00Z,ask,20,4\n", "line 2: time is not a"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_the_rest_cleared(tmp_path: Path, text: str, said: str) -> None:
    done = run(file(tmp_path, text))
    assert done.exit_code == 1
    assert said in done.stderr
    assert "no trade" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--shift", "-120"), "-120.0 % would take away more than there is"),
        (("--renewable", "5"), "give both"),
        (("--interpolated", "--shift", "5"), "without --rule and --shift"),
        (("--interpolated",), "supply may never fall"),
        (("--format", "omie"), "its first line names no delivery day"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = run(file(tmp_path, "side,price,quantity,renewable\nbid,9,9,0\nask,1,5,1\nask,2,4,0\n"), *words)
    assert done.exit_code != 0
    assert said in done.stderr
    empty = run(file(tmp_path, "side,price,quantity\n"))
    assert (empty.exit_code, "no bid and no ask" in empty.stderr) == (1, True)


def test_the_real_iberian_hour_stands_beside_what_was_published(shared_data: Path) -> None:
    path = shared_data / "omie" / "OfferAndDemandCurve_1_20090102.TXT"
    matched, offered, fewer = rows(path, "--format", "omie", "--shift", "-10", "--renewable", "5000")
    assert (matched["price"], matched["published_price"], matched["within_a_tick"]) == pytest.approx((53.69, 53.69, 1))
    assert (offered["price"], offered["within_a_tick"]) == pytest.approx((49.94, 0))
    assert offered["set_aside"] == pytest.approx(2_554, abs=0.1)
    assert fewer["price"] > offered["price"]
    shown = run(path, "--format", "omie").stdout
    assert "with matched asks: 1 of 1 auctions within a tick of 0.01" in shown
    assert "the exchange set 2,554.0 aside" in shown
