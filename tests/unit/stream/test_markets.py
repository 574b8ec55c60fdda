"""The definitions that come with the engine, and a user's own file."""

from pathlib import Path

import pytest

from schemas.errors import ConfigurationError
from stream.markets import load_markets

NAMED = {
    "aemo_nem", "omie", "nordpool", "epex", "tennet_nl", "usep_singapore", "iex_india", "caiso", "pjm", "ercot", "miso",
    "nyiso", "iso_ne", "spp", "ieso", "jepx", "eu_ets", "guarantees_of_origin",
}  # fmt: skip
OWN = """
[omie]
name = "OMIE before 15-minute prices"
kind = "day_ahead"
currency = "EUR"
timezone = "Europe/Madrid"
interval_s = 3600
label = "start"
symbols = ["ES", "PT"]
"""


def test_the_markets_that_were_promised_are_there() -> None:
    assert set(load_markets()) >= NAMED


def test_prices_of_the_real_record_fit_the_limits() -> None:
    nem = load_markets()["aemo_nem"]
    assert nem.price_floor is not None
    assert nem.price_cap is not None
    assert nem.price_floor <= -1000 < 17_500 <= nem.price_cap


def test_a_users_own_file_replaces_an_entry_and_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(OWN)
    found = load_markets(tmp_path / "own.toml")
    assert found["omie"].interval_s == 3600
    assert set(found) == set(load_markets())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[omie", "own.toml is not TOML"),
        (b"\xff", "own.toml is not UTF-8"),
        (OWN.replace("3600", "3601").encode(), "own.toml: omie: interval_s"),
        (b"", "own.toml: no market"),
    ],
    ids=repr,
)
def test_an_own_file_that_cannot_be_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "own.toml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=said):
        load_markets(tmp_path / "own.toml")


def test_an_own_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml.*No such file"):
        load_markets(tmp_path / "nowhere.toml")
