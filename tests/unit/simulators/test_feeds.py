"""Published files to ticks: the real ones wholly, and broken ones with every fault named."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from processors.market.check import TickLimits, check
from processors.market.clearing import Rule, clear
from processors.market.terms import terms
from schemas.errors import MissingColumns
from schemas.ticks import TickBatch
from simulators.feeds import aemo, frames, local_clock, numbered, omie
from simulators.feeds.feed import Feed
from simulators.feeds.formats import FEEDS, find_feed
from simulators.replay.recording import Findings, NotThisFormat, UnknownFormat
from stream.markets import load_markets
from tests.market_feed import REAL_MARKETS

MARKETS = load_markets(REAL_MARKETS)


def read(path: Path, feed: Feed) -> tuple[TickBatch, list[str]]:
    findings = Findings()
    batch = TickBatch.concat(list(feed.read(path, MARKETS, findings)))
    return batch, [f"{problem.line}: {problem.detail}" for problem in findings.problems]


def times(batch: TickBatch) -> list[str]:
    return [str(np.datetime64(time_us, "us"))[:16] for time_us in batch.time_us.tolist()]


@pytest.mark.parametrize(
    ("name", "file", "ticks", "first", "last"),
    [
        ("aemo", "aemo_nem/dispatch_price_2018-2026_windows.csv.gz", 49_260, "2018-03-31T14:05", None),
        ("aemo", "aemo_nem/price_and_demand/aemo_price_demand_202501_NSW.csv.gz", 2 * 8_928, "2024-12-31T14:05", None),
        ("aemo", "aemo_nem/mms/DISPATCHPRICE_202001.csv.gz", 3_024, "2019-12-31T14:05", None),
        ("aemo", "aemo_nem/mms/TRADINGPRICE_202001.csv.gz", 480, "2019-12-31T14:30", None),
        ("aemo", "aemo_nem/mms/DISPATCHREGIONSUM_202408.csv.gz", 2 * 2_880, "2024-07-31T14:05", None),
        ("omie", "omie/PrecioMD_OMIE_20201022.txt", 48, "2020-10-21T22:00", "2020-10-22T21:00"),
        ("omie", "omie/PrecioMD_OMIE_20200329.txt", 46, "2020-03-28T23:00", "2020-03-29T21:00"),
        ("omie", "omie/PrecioMD_OMIE_20223010.txt", 50, "2022-10-29T22:00", "2022-10-30T22:00"),
        ("omie", "omie/PMD_20030802.txt", 24, "2003-08-01T22:00", "2003-08-02T21:00"),
        ("omie", "omie/PMD_20090601.txt", 48, "2009-05-31T22:00", "2009-06-01T21:00"),
        ("omie", "omie/PrecioIntra_2_20090102.txt", 48, "2009-01-01T23:00", "2009-01-02T22:00"),
        ("nordpool", "nordpool/NP.csv.gz", 3 * 52_416, "2012-12-31T23:00", "2018-12-24T22:00"),
        ("tennet", "tennet_nl/balance_delta_27-02-2025.csv", 1_440, "2025-02-26T23:00", "2025-02-27T22:59"),
        ("usep", "usep_singapore/03_USEP_Jan-2023.csv", 2 * 1_487, "2022-12-31T16:00", "2023-01-31T15:30"),
        ("iex", "iex_india/IEX_RTMPriceVolume_17Oct.csv", 936 + 72, "2022-10-16T18:30", "2022-10-17T12:15"),
        ("iex", "iex_india/IEXGetTradeData_DAMPriceVolume_18Oct.csv", 2_496 + 192, "2022-10-17T18:30", None),
        ("elec2", "elec2/elec.csv.gz", 4 * 45_312, "1996-05-06T14:00", "1998-12-06T13:30"),
    ],
)
def test_a_real_file_is_read_wholly(
    shared_data: Path, name: str, file: str, ticks: int, first: str, last: str | None
) -> None:
    batch, problems = read(shared_data / file, find_feed(name))
    assert problems == []
    assert len(batch) == ticks
    assert min(times(batch)) == first
    assert last is None or max(times(batch)) == last


def test_prices_of_the_iberian_market_are_in_one_unit(shared_data: Path) -> None:
    old, _ = read(shared_data / "omie" / "PMD_20030802.txt", omie.FEED)
    new, _ = read(shared_data / "omie" / "PrecioMD_OMIE_20201022.txt", omie.FEED)
    assert old.floats("price")[0] == pytest.approx(45.53)
    assert new.floats("price")[0] == 39.55


def test_the_real_curves_are_read_from_the_exchanges_own_text(shared_data: Path) -> None:
    findings = Findings()
    (found,) = omie.read_curves(shared_data / "omie" / "OfferAndDemandCurve_1_20090102.TXT", MARKETS, findings)
    assert findings.count == 0
    sides = (found.bids, found.matched_bids, found.asks, found.matched_asks)
    assert [len(side) for side in sides] == [141, 72, 1_100, 627]
    cleared = clear(found.bids, found.matched_asks, Rule.LOWEST)
    assert cleared.price == pytest.approx(53.69)
    assert cleared.volume == pytest.approx(25_312.1)
    offered = clear(found.bids, found.asks, Rule.LOWEST)
    assert (offered.price, offered.volume) == pytest.approx((49.94, 25_347.1))


CURVES = """OMEL;Fecha;;02/01/2009;Mercado diario;;;;

Hora;Fecha;Pais;Unidad;Tipo Oferta;Energia;Precio;Ofertada (O)/Casada (C);
2;02/01/2009;MI;;C;1.100,0;18,030;O;
2;02/01/2009;MI;;V;900,0;4,000;O;
1;02/01/2009;MI;;C;1.000,0;18,030;O;
1;02/01/2009;MI;;V;2.000,0;3,500;O;
1;02/01/2009;MI;;V;1.000,0;3,500;C;
x;02/01/2009;MI;;V;1.000,0;3,500;C;
"""


def test_a_file_of_curves_holds_the_hours_that_it_names(tmp_path: Path) -> None:
    findings = Findings()
    found = omie.read_curves(file(tmp_path, CURVES), MARKETS, findings)
    assert [problem.line for problem in findings.problems] == [9]
    assert [str(np.datetime64(hour.time_us, "us"))[:16] for hour in found] == ["2009-01-01T23:00", "2009-01-02T00:00"]
    cleared = [clear(hour.bids, hour.asks, hour.rule) for hour in found]
    assert [(hour.price, hour.volume) for hour in cleared] == [(35, 1_000), (180.3, 900)]


AEMO = 'C,SETP,PRICE\nI,DISPATCH,PRICE,5,SETTLEMENTDATE,RUNNO,REGIONID,INTERVENTION,RRP\n{rows}C,"END OF REPORT",4\n'
ROW = "D,DISPATCH,PRICE,5,2024/08/01 00:05:00,1,NSW1,0,{price}\n"


def file(folder: Path, text: str | bytes) -> Path:
    path = folder / "a file.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_an_empty_delivery_is_a_tick_without_figures(tmp_path: Path) -> None:
    batch, problems = read(file(tmp_path, AEMO.format(rows=ROW.format(price=""))), aemo.FEED)
    assert problems == []
    assert np.isnan(batch.floats("price")).tolist() == [True]


def test_a_file_without_its_end_is_cut_short(tmp_path: Path) -> None:
    whole = AEMO.format(rows=ROW.format(price="50.1") * 3)
    batch, problems = read(file(tmp_path, whole[: whole.rindex("D,")] + "D,DISPATCH,PR"), aemo.FEED)
    assert len(batch) == 2
    assert "has 3 values" in problems[0]
    assert "cut short" in problems[1]


def test_a_damaged_archive_gives_what_came_before(tmp_path: Path) -> None:
    packed = gzip.compress(AEMO.format(rows=ROW.format(price="50.1") * 80_000).encode(), compresslevel=0)
    batch, problems = read(file(tmp_path, packed[: len(packed) // 2]), aemo.FEED)
    assert 1_000 < len(batch) < 80_000
    assert any("damaged or ends early" in problem for problem in problems)


@pytest.mark.parametrize("name", ["usep", "nordpool", "tennet", "iex", "aemo", "elec2"])
def test_another_header_is_refused_with_what_is_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingColumns):
        read(file(tmp_path, "time,value\n1,2\n"), find_feed(name))


def test_an_operators_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingColumns, match="REGIONID"):
        read(file(tmp_path, "C,x\nI,DISPATCH,PRICE,5,SETTLEMENTDATE,RRP\n"), aemo.FEED)


def test_what_is_no_file_of_the_exchange_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotThisFormat, match="no delivery day"):
        read(file(tmp_path, "hello\n"), omie.FEED)
    with pytest.raises(UnknownFormat, match="aemo"):
        find_feed("morse")


def test_month_first_dates_are_not_taken_for_day_first_ones(tmp_path: Path) -> None:
    swapped = ROW.format(price="1").replace("2024/08/01", "08/31/2024")
    _, problems = read(file(tmp_path, AEMO.format(rows=swapped)), aemo.FEED)
    assert "is not a date and time: '08/31/2024 00:05:00'" in problems[0]
    header = "DeliveryDate,Token_NO,All_India.Cleared_Volume,All_India.Clearing_Price,Area_code,Area_Price\n"
    _, problems = read(file(tmp_path, header + "10/18/2022,1,1,1,A1,5\n"), numbered.IEX)
    assert "is not a date and time" in problems[0]


USEP = (
    '"INFORMATION TYPE","DATE","PERIOD","USEP ($/MWh)","LCP ($/MWh)","DEMAND (MW)","TCL (MW)"\n'
    '"USEP","01 Jan 2023",{}\n'
)


def test_thousands_may_be_set_apart_and_decimal_commas_may_not(tmp_path: Path) -> None:
    batch, problems = read(file(tmp_path, USEP.format('"1","4,500.00","0","5,539.761","0"')), numbered.USEP)
    assert problems == []
    assert batch.floats("price")[0] == 4_500
    _, problems = read(file(tmp_path, USEP.format('"1","158,62","0","5539","0"')), numbered.USEP)
    assert "is not a number: '158,62'" in problems[0]


def test_a_period_that_its_day_does_not_have_is_named(tmp_path: Path) -> None:
    _, problems = read(file(tmp_path, USEP.format('"49","158.62","0","5539","0"')), numbered.USEP)
    assert problems == ["2: PERIOD is no period of its day: '49'"]


def tennet(*clocks: str) -> str:
    rows = "".join(f"{clock},,58.57,103.50\n" for clock in clocks)
    return "timeInterval_start,max_upw_regulation_price,min_downw_regulation_price,mid_price\n" + rows


def test_the_hour_that_comes_twice_is_told_apart_by_the_files_order(tmp_path: Path) -> None:
    batch, problems = read(
        file(tmp_path, tennet("2025-10-26T01:59", "2025-10-26T02:00", "2025-10-26T02:59", "2025-10-26T02:00")),
        local_clock.TENNET,
    )
    assert problems == []
    assert times(batch) == ["2025-10-25T23:59", "2025-10-26T00:00", "2025-10-26T00:59", "2025-10-26T01:00"]


def test_a_time_that_no_clock_showed_is_named(tmp_path: Path) -> None:
    _, problems = read(file(tmp_path, tennet("2025-03-30T02:30")), local_clock.TENNET)
    assert "does not exist in Europe/Amsterdam" in problems[0]


def test_a_side_that_is_missing_is_null(shared_data: Path) -> None:
    batch, _ = read(shared_data / "tennet_nl/balance_delta_27-02-2025.csv", local_clock.TENNET)
    assert int(np.isnan(batch.floats("ask")).sum()) == 1_440 - 577
    assert int(np.isnan(batch.floats("bid")).sum()) == 1_440 - 759


def test_a_time_of_day_that_is_none_is_named_and_a_lost_line_moves_no_other(tmp_path: Path) -> None:
    header, row = "period,nswprice,nswdemand,vicprice,vicdemand,transfer,class\n", "{},0.1,0.2,0.3,0.4,0.5,1\n"
    text = header + "".join(row.format(round(step / 47, 6)) for step in (0, 1, 3, 47, 0)) + row.format(1.5)
    batch, problems = read(file(tmp_path, text), find_feed("elec2"))
    assert problems == ["7: period is no time of day, 0 to 1: '1.5'"]
    starts = (np.unique(batch.time_us) - batch.time_us.min()) // 1_800_000_000
    assert starts.tolist() == [0, 1, 3, 47, 48]


def test_prices_of_entsoe_keep_both_hours_of_the_autumn_day() -> None:
    index = pd.date_range("2025-10-26", "2025-10-27", freq="h", tz="Europe/Madrid", inclusive="left")
    found = frames.from_entsoe(pd.Series(np.arange(25.0), index=index), MARKETS["omie"], "ES")
    assert len(found) == 25
    assert set(np.diff(found.time_us)) == {3_600_000_000}
    assert found.column("interval_s").to_pylist() == [3_600] * 25


def test_prices_of_entsoe_are_as_long_as_their_day_has_them() -> None:
    hours = pd.date_range("2025-09-30 22:00", periods=2, freq="h", tz="Europe/Amsterdam")
    quarters = pd.date_range("2025-10-01", periods=4, freq="15min", tz="Europe/Amsterdam")
    index = hours.append(quarters).append(pd.DatetimeIndex(["2025-10-01 02:00"], tz="Europe/Amsterdam"))
    found = frames.from_entsoe(pd.Series(np.arange(7.0), index=index), MARKETS["epex"], "NL")
    assert found.column("interval_s").to_pylist()[:6] == [3_600, 3_600, 900, 900, 900, 900]


#: Columns that `gridstatus` 0.37 returns, by market, as its sources have them.
US_FRAMES = {
    "caiso": ["Time", "Market", "Location Type", "LMP", "Energy", "Congestion", "Loss", "GHG"],
    "pjm": ["Time", "Market", "Location Id", "Location Name", "LMP", "Energy", "Congestion", "Loss"],
    "miso": ["Time", "Market", "Location Type", "LMP", "Energy", "Congestion", "Loss"],
    "nyiso": ["Time", "Market", "Location Type", "LMP", "Energy", "Congestion", "Loss"],
    "iso_ne": ["Time", "Market", "Location Id", "LMP", "Energy", "Congestion", "Loss"],
    "spp": ["Time", "Market", "Location Type", "PNode", "LMP", "Energy", "Congestion", "Loss"],
    "ieso": ["LMP", "Energy", "Congestion", "Loss"],
    "ercot": ["Time", "Location Type", "Market", "SPP"],
}


@pytest.mark.parametrize("market", sorted(US_FRAMES))
def test_frames_of_each_us_market_pass_the_checks_of_its_ticks(market: str) -> None:
    start = pd.date_range("2025-06-01", periods=3, freq="15min", tz=MARKETS[market].timezone)
    figures = {"LMP": [30.0] * 3, "SPP": [30.0] * 3, "Energy": [27.0] * 3, "Congestion": [2.0] * 3, "Loss": [1.0] * 3}
    if market == "caiso":
        figures |= {"Energy": [22.0] * 3, "GHG": [5.0, 5.0, 5.0]}
    frame = pd.DataFrame(
        {"Interval Start": start, "Interval End": start + pd.Timedelta(minutes=15), "Location": ["A", "B", "C"]}
        | {name: figures.get(name, ["x"] * 3) for name in US_FRAMES[market]}
    )
    found = frames.from_gridstatus(frame, MARKETS[market])
    arrived = np.full(3, 1_790_000_000_000_000)
    assert check(found, terms(found, MARKETS), arrived, TickLimits()).tolist() == [0, 0, 0]
    assert found.floats("price").tolist() == [30.0] * 3


def test_frames_of_gridstatus_bring_their_components() -> None:
    start = pd.date_range("2025-06-01", periods=2, freq="h", tz="US/Pacific")
    frame = pd.DataFrame(
        {
            "Interval Start": start,
            "Interval End": start + pd.Timedelta(hours=1),
            "Location": ["SP15", "NP15"],
            "LMP": [-12.5, 30.0],
            "Energy": [-10.0, 29.0],
            "Congestion": [-2.0, 0.5],
            "Loss": [-0.5, 0.5],
        }
    )
    found = frames.from_gridstatus(frame, MARKETS["caiso"])
    assert found.column("symbol").to_pylist() == ["SP15", "NP15"]
    assert found.floats("congestion_price").tolist() == [-2.0, 0.5]
    with pytest.raises(MissingColumns, match="LMP"):
        frames.from_gridstatus(frame.drop(columns="LMP"), MARKETS["caiso"])


def test_times_without_a_zone_are_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        frames.from_entsoe(pd.Series([1.0], index=pd.to_datetime(["2025-10-26"])), MARKETS["omie"], "ES")


def test_every_format_has_its_name() -> None:
    assert all(name == feed.name and feed.summary for name, feed in FEEDS.items())
