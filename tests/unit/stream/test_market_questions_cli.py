"""`meterstream market` on files: duration, volatility, correlation, renewables, against pandas; and what cannot be."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from stream.cli import main

TABLE = """SETTLEMENTDATE,REGION,TOTALDEMAND,RRP
2025/01/01 00:05:00,NSW1,7000,50
2025/01/01 00:10:00,NSW1,7000,-20
2025/01/01 00:15:00,NSW1,7000,310
2025/01/01 00:05:00,QLD1,6000,40
2025/01/01 00:10:00,QLD1,6000,-10
2025/01/01 00:15:00,QLD1,6000,90
"""


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["market", *map(str, words)])


def rows(*words: str | Path) -> list[dict[str, Any]]:
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def of_file(tmp_path: Path) -> tuple[str | Path, ...]:
    path = tmp_path / "prices.csv"
    path.write_text(TABLE)
    return "--file", path, "--format", "aemo"


@pytest.fixture(scope="module")
def january(shared_data: Path) -> tuple[str | Path, ...]:
    folder = shared_data / "aemo_nem" / "price_and_demand"
    files = [folder / f"aemo_price_demand_202501_{name}.csv.gz" for name in ("NSW", "QLD")]
    return "--file", files[0], "--file", files[1], "--format", "aemo"


@pytest.fixture(scope="module")
def table(january: tuple[str | Path, ...]) -> pd.DataFrame:
    """Prices of two regions by five minutes; the day is that of the interval's beginning."""
    wide = pd.concat([pd.read_csv(path) for path in (january[1], january[3])]).pivot_table(
        index="SETTLEMENTDATE", columns="REGION", values="RRP"
    )
    wide.index = pd.to_datetime(wide.index, format="%Y/%m/%d %H:%M:%S") - pd.Timedelta(minutes=5)
    return wide


def test_a_duration_curve_is_told_with_hours_above_levels(of_file: tuple[str | Path, ...]) -> None:
    (found,) = rows("duration", "aemo_nem/NSW1", "--above", "49", *of_file)
    assert found["curve"][0] == {"price": 310, "hours": pytest.approx(1 / 12)}
    assert (found["hours"], found["negative_hours"]) == pytest.approx((0.25, 1 / 12))
    assert found["above"] == [{"price": 49, "hours": pytest.approx(1 / 6)}]
    shown = run("duration", "aemo_nem/NSW1", "--above", "49", *of_file).stdout
    assert "above 49 AUD/MWh: 0.17 h, 66.67 %" in shown
    assert "at least [AUD/MWh]" in shown


def test_the_duration_of_a_real_month_is_that_of_pandas(january: tuple[str | Path, ...], table: pd.DataFrame) -> None:
    (found,) = rows("duration", "aemo_nem/NSW1", "--above", "300", *january)
    price = table["NSW1"]
    assert found["hours"] == pytest.approx(len(price) / 12)
    assert found["above"][0]["hours"] == pytest.approx((price > 300).sum() / 12)
    counts = price.value_counts().sort_index(ascending=False).cumsum() / 12
    assert [step["price"] for step in found["curve"]] == counts.index.tolist()
    assert [step["hours"] for step in found["curve"]] == pytest.approx(counts.tolist())


def test_the_volatility_of_a_real_month_is_that_of_pandas(january: tuple[str | Path, ...], table: pd.DataFrame) -> None:
    found = rows("volatility", "aemo_nem/QLD1", *january)
    change = table["QLD1"].diff()
    days = change.pow(2).groupby(change.index.date).sum().pow(0.5)
    smoothed = change.pow(2).ewm(alpha=0.06, adjust=False).mean().pow(0.5)
    assert [row["realised"] for row in found] == pytest.approx(days.tolist(), rel=1e-9)
    last = smoothed.groupby(smoothed.index.date).last()
    assert [row["ewma"] for row in found] == pytest.approx(last.tolist(), rel=1e-9)
    assert len(rows("volatility", "aemo_nem/QLD1", "--per", "hour", *january)) == 744
    (whole,) = rows("volatility", "aemo_nem/QLD1", "--per", "all", *january)
    assert whole["realised"] == pytest.approx(change.pow(2).sum() ** 0.5, rel=1e-9)


@pytest.mark.parametrize(("words", "every"), [((), 1), (("--every", "1h"), 12)])
def test_the_correlation_of_two_regions_is_that_of_pandas(
    january: tuple[str | Path, ...], table: pd.DataFrame, words: tuple[str, ...], every: int
) -> None:
    means = table.groupby(np.arange(len(table)) // every).mean()
    for measure, values in (("price", means), ("change", means.diff())):
        (found,) = rows("correlation", "aemo_nem/NSW1", "aemo_nem/QLD1", "--of", measure, *words, *january)
        assert found["pairs"] == values.dropna().shape[0]
        assert found["correlation"] == pytest.approx(values.corr().iloc[0, 1], rel=1e-9)
    (found,) = rows("correlation", "aemo_nem/NSW1", "aemo_nem/QLD1", "--of", "asinh", *words, *january)
    assert 0.3 < found["correlation"] < 1


def test_renewables_lower_the_price_of_a_real_year(shared_data: Path) -> None:
    wind = ("--output", "nordpool/SYS.WIND/forecast", "--demand", "nordpool/SYS/forecast", "--window", "8736")
    path = shared_data / "nordpool" / "NP.csv.gz"
    found = rows("renewables", "nordpool/SYS", *wind, "--file", path, "--format", "nordpool")
    assert len(found) == 6
    assert all(row["slope"] + 10 * row["slope_error"] < 0 for row in found)
    table = pd.read_csv(path).tail(8_736)
    table.columns = [name.strip() for name in table.columns]
    share = table["Wind power forecast"] / table["Grid load forecast"]
    slope, intercept = np.polyfit(share, table["Price"], 1)
    assert found[-1]["slope"] == pytest.approx(slope / 100, rel=1e-6)
    assert found[-1]["intercept"] == pytest.approx(intercept, rel=1e-6)


def test_renewables_of_australia_are_what_sun_and_wind_farms_were_dispatched_to(shared_data: Path) -> None:
    folder = shared_data / "aemo_nem" / "mms"
    files = ("--file", folder / "DISPATCHREGIONSUM_202408.csv.gz", "--file", folder / "DISPATCHPRICE_202408.csv.gz")
    found = rows("renewables", "aemo_nem/SA1", "--window", "288", *files, "--format", "aemo")
    assert [row["slope"] < 0 for row in found] == [True] * 5
    shown = run("renewables", "aemo_nem/SA1", "--window", "288", *files, "--format", "aemo").stdout
    assert "AUD/MWh, 288 intervals each" in shown


def test_a_span_and_a_revision_count(tmp_path: Path) -> None:
    head = "C,SETP\nI,DISPATCH,PRICE,5,SETTLEMENTDATE,RUNNO,REGIONID,INTERVENTION,RRP\n"
    lines = [f"D,DISPATCH,PRICE,5,2024/08/01 00:{5 * k:02d}:00,1,NSW1,0,{k}\n" for k in range(1, 7)]
    path = tmp_path / "prices.csv"
    again = "D,DISPATCH,PRICE,5,2024/08/01 00:10:00,1,NSW1,1,200\n"
    path.write_text(head + "".join(lines) + again + 'C,"END OF REPORT",8\n')
    ask = ("duration", "aemo_nem/NSW1", "--file", path, "--format", "aemo")
    assert rows(*ask)[0]["curve"][0]["price"] == 200
    (found,) = rows(*ask, "--since", "2024-07-31T14:10:00Z", "--until", "2024-07-31T14:20:00Z")
    assert [step["price"] for step in found["curve"]] == [4, 3]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("duration", "NSW1"), "is no series such as aemo_nem/NSW1"),
        (("duration", "aemo_nem/NSW1/prices"), "kinds: trade, quote"),
        (("duration", "atlantis/X"), "unknown market 'atlantis'"),
        (("duration", "aemo_nem/TAS1"), "nothing is known of aemo_nem/TAS1"),
        (("volatility", "aemo_nem/NSW1", "--since", "2026-01-01T00:00:00Z"), "since 2026-01-01T00:00Z"),
        (("duration", "aemo_nem/NSW1/demand"), "aemo_nem/NSW1/demand has no price"),
        (("correlation", "aemo_nem/NSW1"), "a correlation takes two series"),
        (("renewables", "aemo_nem/NSW1"), "nothing is known of aemo_nem/NSW1/renewable"),
        (("renewables", "aemo_nem/NSW1", "--output", "aemo_nem/QLD1/demand"), "3 intervals have a price"),
    ],
)
def test_what_cannot_be_answered_says_why(of_file: tuple[str | Path, ...], words: tuple[str, ...], said: str) -> None:
    done = run(*words, *of_file)
    assert done.exit_code == 1
    assert said in done.stderr


def test_a_file_and_its_format_belong_together(of_file: tuple[str | Path, ...]) -> None:
    assert "belong together" in run("duration", "aemo_nem/NSW1", *of_file[:2]).stderr


def test_a_line_that_cannot_be_read_is_told_beside_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(TABLE + "2025/01/01 00:20:00,NSW1,7000,n/a\n")
    done = run("volatility", "aemo_nem/NSW1", "--file", path, "--format", "aemo")
    assert done.exit_code == 0
    assert "line 8: RRP is not a number" in done.stderr
    assert "1 lines could not be read" in done.stderr
    assert "2024-12-31 14:00" in done.stdout
