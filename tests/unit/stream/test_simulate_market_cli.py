"""`meterstream simulate market`: what cannot be is told before anything is sent."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from simulators.labels import read_labels
from stream.cli import main

WHEN = ("--start", "2026-03-04T00:00:00Z", "--duration", "2h")


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["simulate", "market", *WHEN, *words])


def test_a_dry_run_tells_the_shape_and_writes_the_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.parquet"
    words = ("--markets", "omie,aemo_nem/SA1", "--profile", "showcase", "--dry-run", "--labels", str(path))
    found = run(*words, "--json")
    assert found.exit_code == 0, found.output
    said = json.loads(found.stdout)
    assert said["markets"] == {"omie": ["ES", "PT"], "aemo_nem": ["SA1"]}
    assert sum(said["faults"].values()) == len(read_labels(path)) > 5
    text = run(*words).output
    assert "omie" in text
    assert "anomalies: " in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--markets", "atlantis"), "unknown market 'atlantis'; there are aemo_nem"),
        (("--markets", "omie/FR"), "unknown symbol 'FR' of omie"),
        (("--markets", "omie", "--symbols", "3"), "omie has 2 symbols, not 3"),
        (("--symbols", "0"), "x>=1"),
        (("--profile", "nowhere"), "neither a readable file"),
        (("--duration", "-1h"), "no duration"),
        (("--mode", "carrier-pigeon"), "Invalid value"),
        (("--start", "1999-01-01T00:00:00Z"), "before 2010"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_an_impossible_run_is_refused(words: tuple[str, ...], said: str) -> None:
    found = run(*words, "--dry-run")
    assert found.exit_code != 0
    assert said in found.output


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("[faults]\nprice_spike = { rate = 1.5 }", "faults.price_spike.rate"),
        ("[faults]\nprice_spike = { count = -1 }", "faults.price_spike.count"),
        ("[faults]\ntheft = { rate = 0.1 }", "faults.theft cannot happen here"),
        ("[faults]\nearthquake = { rate = 0.1 }", "faults.earthquake"),
        ("[faults]\nfat_finger = { size = [0.5, 2] }", "faults.fat_finger.size is from 1.5 to 10000"),
        ("[faults]\ndecoupled = { minutes = [60, 30] }", "60 is above 30"),
        ("[ticks]\nquote_s = -1", "ticks.quote_s"),
        ("[ticks]\nrevisions = 1.1", "ticks.revisions"),
        ("[ticks]\ntrade_s = 0\n[faults]\nfat_finger = { count = 1 }", "needs ticks.trade_s above 0"),
        ("[ticks]\nquote_s = 0\n[faults]\nspoofed_depth = { count = 1 }", "needs ticks.quote_s above 0"),
        ("colour = 'red'", "colour"),
        ("[faults", "not TOML"),
    ],
)
def test_an_impossible_profile_is_refused(tmp_path: Path, profile: str, said: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(profile)
    found = run("--profile", str(path), "--dry-run")
    assert found.exit_code == 1
    assert said in found.output


def test_a_fleet_has_no_market_anomalies(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[faults]\nprice_spike = { rate = 0.1 }")
    found = CliRunner().invoke(main, ["simulate", "meters", *WHEN, "--profile", str(path), "--dry-run"])
    assert found.exit_code == 1
    assert "faults.price_spike cannot happen here" in found.output


def test_own_definitions_bring_own_symbols(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[village]\nname = "Village"\nkind = "intraday"\ncurrency = "EUR"\ntimezone = "Europe/Vienna"\n'
        'interval_s = 900\nlabel = "start"\nsymbols = ["MILL", "DAIRY"]\n'
    )
    found = run("--definitions", str(own), "--markets", "village", "--dry-run", "--json")
    assert json.loads(found.stdout)["markets"] == {"village": ["MILL", "DAIRY"]}
    own.write_text("[village]\nname = 1")
    refused = run("--definitions", str(own), "--dry-run")
    assert "village: kind: Field required" in refused.output
