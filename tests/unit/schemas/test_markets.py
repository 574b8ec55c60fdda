"""Market definitions: what may stand in them, and what an impossible one is told."""

from typing import Any

import pytest

from schemas.errors import ConfigurationError
from schemas.markets import Market, parse_markets

SOUND: dict[str, Any] = {
    "name": "A market",
    "kind": "day_ahead",
    "currency": "EUR",
    "timezone": "Europe/Madrid",
    "interval_s": 3600,
    "label": "start",
    "symbols": ["ES"],
}


def parsed(**changes: Any) -> Market:
    return parse_markets({"mine": SOUND | changes}, "mine.toml")["mine"]


def test_a_sound_definition_trades_round_the_clock_and_has_no_limits_that_it_does_not_name() -> None:
    market = parsed()
    assert (market.market, market.unit, market.opens_minute, market.closes_minute) == ("mine", "MWh", 0, 1440)
    assert (market.price_floor, market.price_cap) == (None, None)
    assert market.holidays_of(2025, 2025) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"currency": "euro"}, "currency"),
        ({"timezone": "Europe/Atlantis"}, "timezone"),
        ({"interval_s": 420}, "interval_s"),
        ({"label": "middle"}, "label"),
        ({"kind": "bazaar"}, "kind"),
        ({"unit": "barrel"}, "unit"),
        ({"price_cap": -500, "price_floor": -500}, "price_floor"),
        ({"price_cap": float("nan")}, "price_cap"),
        ({"opens": "25:00"}, "opens"),
        ({"opens": "18:00", "closes": "08:00"}, "opens"),
        ({"trading_days": []}, "trading_days"),
        ({"trading_days": ["mon", "mon"]}, "trading_days"),
        ({"symbols": []}, "symbols"),
        ({"symbols": ["A", "A"]}, "symbols"),
        ({"symbols": ["A/B"]}, "symbols"),
        ({"symbols": ["A+"]}, "symbols"),
        ({"holiday_country": "XX"}, "holiday_country"),
        ({"holiday_country": "ES", "holiday_subdivision": "QQ"}, "holiday_subdivision"),
        ({"holiday_subdivision": "MD"}, "holiday_subdivision"),
        ({"holiday_country": "ES", "holiday_exchange": "ECB"}, "holiday_exchange"),
        ({"holiday_exchange": "NOWHERE"}, "holiday_exchange"),
        ({"closed_on_holidays": True}, "closed_on_holidays"),
    ],
    ids=repr,
)
def test_what_cannot_be_is_an_error_that_names_market_and_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"mine\.toml: mine: .*{field}"):
        parsed(**changes)


@pytest.mark.parametrize("field", ["name", "kind", "currency", "timezone", "interval_s", "label", "symbols"])
def test_what_has_no_default_is_needed(field: str) -> None:
    lacking = {name: value for name, value in SOUND.items() if name != field}
    with pytest.raises(ConfigurationError, match=f"mine: {field}: Field required"):
        parse_markets({"mine": lacking}, "mine.toml")


def test_every_problem_of_a_file_is_told_at_once() -> None:
    content = {"one": SOUND | {"currency": "x"}, "two": SOUND | {"label": "x"}, "Three": SOUND, "four": 4}
    with pytest.raises(ConfigurationError) as caught:
        parse_markets(content, "mine.toml")
    for place in ("one: currency", "two: label", "Three: market", "four: a table"):
        assert place in str(caught.value)


def test_a_file_without_markets_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="no market"):
        parse_markets({}, "mine.toml")


def test_own_definitions_are_added_and_replace_ours() -> None:
    ours = parse_markets({"omie": SOUND, "epex": SOUND}, "ours.toml")
    both = ours.with_own(parse_markets({"omie": SOUND | {"name": "Mine"}, "mine": SOUND}, "mine.toml"))
    assert (list(both), both["omie"].name, len(both)) == (["omie", "epex", "mine"], "Mine", 3)


def test_a_market_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match="unknown market 'nowhere'; there are omie"):
        parse_markets({"omie": SOUND}, "ours.toml").named("nowhere")
