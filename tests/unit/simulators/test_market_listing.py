"""Which symbols are simulated, and that their numbers do not depend on their company."""

import pytest

from schemas.errors import ConfigurationError
from simulators.market.listing import Listing, choose
from simulators.market.traits import TRAITS, traits_of
from tests.markets import MARKETS, Simulated


def test_no_name_means_every_market_and_every_symbol() -> None:
    assert dict(choose(MARKETS, [], None)) == {market: market.symbols for market in MARKETS.values()}


def test_markets_and_single_symbols_may_be_mixed() -> None:
    chosen = choose(MARKETS, ["omie/PT", "aemo_nem", "omie/ES", "omie/PT"], None)
    assert [(one.market, symbols) for one, symbols in chosen] == [
        ("omie", ("PT", "ES")),
        ("aemo_nem", MARKETS["aemo_nem"].symbols),
    ]


@pytest.mark.parametrize(
    ("names", "symbols", "said"),
    [
        (["nowhere"], None, "unknown market 'nowhere'"),
        (["omie/FR"], None, "unknown symbol 'FR' of omie; there are ES, PT"),
        (["omie"], 3, "omie has 2 symbols, not 3"),
    ],
)
def test_what_there_is_not_is_refused(names: list[str], symbols: int | None, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        choose(MARKETS, names, symbols)


def test_parts_share_the_symbols_without_gap_or_overlap() -> None:
    whole = Listing.of(choose(MARKETS, [], None), 7)
    for parts in (1, 2, 3, 7, 200):
        found = [
            (group.first + place, group.market.market, symbol)
            for number in range(parts)
            for group in whole.part(number, parts).groups
            for place, symbol in enumerate(group.symbols)
        ]
        assert [place for place, _, _ in found] == list(range(len(whole.names)))
        assert tuple(f"{market}/{symbol}" for _, market, symbol in found) == whole.names


def test_a_symbol_says_the_same_in_whatever_company() -> None:
    alone = Simulated(["omie/PT"], hours=6).of("quote", "omie/PT")
    together = Simulated(["aemo_nem", "omie"], hours=6).of("quote", "omie/PT")
    assert alone["bid"].tolist() == together["bid"].tolist()
    other = Simulated(["omie/PT"], hours=6, seed=8).of("quote", "omie/PT")
    assert alone["bid"].tolist() != other["bid"].tolist()


def test_characters_are_those_of_defined_markets_and_any_other_gets_one_of_its_kind() -> None:
    assert set(TRAITS) <= set(MARKETS)
    own = MARKETS["omie"].model_copy(update={"market": "mine"})
    assert traits_of(own).mean_mw > 0
    assert traits_of(own.model_copy(update={"kind": "certificates"})).mean_mw == 0
