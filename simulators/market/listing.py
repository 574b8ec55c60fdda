"""Which symbols of which markets a run simulates, and the seeded generator of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

import numpy as np

from schemas.errors import ConfigurationError
from schemas.markets import Market, Markets
from simulators.market.traits import Traits, traits_of
from simulators.randomness import Bits, salt


@dataclass(frozen=True)
class Group:
    """Some symbols of one market.

    Attributes:
        market: its definition.
        traits: its character.
        symbols: their names.
        first: position of the first one among all symbols of the run.
        common: uint64[1], generator key of what all symbols of the market share.
        keys: uint64[s], generator key of each symbol.
    """

    market: Market
    traits: Traits
    symbols: tuple[str, ...]
    first: int
    common: Bits = field(repr=False)
    keys: Bits = field(repr=False)


@dataclass(frozen=True)
class Listing:
    """The symbols of a run, market by market; a process may have a part of them.

    Attributes:
        groups: by market.
        names: `market/symbol` of each symbol of the whole run, in order.
    """

    groups: tuple[Group, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, markets: Sequence[tuple[Market, tuple[str, ...]]], seed: int) -> "Listing":
        """List symbols; the key of each depends on its name and the seed alone, never on what else is listed."""
        starts = accumulate((len(symbols) for _, symbols in markets), initial=0)
        groups = tuple(
            Group(
                market,
                traits_of(market),
                symbols,
                first,
                np.array([salt(seed, "market", market.market)], dtype=np.uint64),
                np.array([salt(seed, "symbol", market.market, symbol) for symbol in symbols], dtype=np.uint64),
            )
            for (market, symbols), first in zip(markets, starts, strict=False)
        )
        return cls(groups, tuple(f"{group.market.market}/{symbol}" for group in groups for symbol in group.symbols))

    @cached_property
    def keys(self) -> Bits:
        """Generator key of each symbol that is in a group, uint64[n]."""
        return np.concatenate([group.keys for group in self.groups])

    def part(self, which: int, of: int) -> "Listing":
        """Return one of several parts with about equally many symbols; positions and names stay those of the whole."""
        edges = [len(self.names) * number // of for number in (which, which + 1)]
        parts = []
        for group in self.groups:
            low, high = (min(max(edge - group.first, 0), len(group.symbols)) for edge in edges)
            if low < high:
                symbols, keys = group.symbols[low:high], group.keys[low:high]
                parts.append(Group(group.market, group.traits, symbols, group.first + low, group.common, keys))
        return Listing(tuple(parts), self.names)


def choose(markets: Markets, names: Sequence[str], symbols: int | None) -> tuple[tuple[Market, tuple[str, ...]], ...]:
    """Choose symbols.

    Args:
        markets: all definitions.
        names: markets, or single symbols as `market/symbol`; none means every market.
        symbols: how many of each market, the first ones of its definition; None means all.

    Raises:
        ConfigurationError: there is no such market or symbol, or a market has fewer symbols than asked for.
    """
    chosen: dict[str, list[str]] = {}
    for name in names or list(markets):
        market, slash, symbol = name.partition("/")
        known = markets.named(market).symbols
        if slash and symbol not in known:
            raise ConfigurationError(f"unknown symbol {symbol!r} of {market}; there are {', '.join(known)}")
        wanted = (symbol,) if slash else known[:symbols]
        if not slash and symbols is not None and symbols > len(known):
            raise ConfigurationError(
                f"{market} has {len(known)} symbols, not {symbols}; give it more in a file of yours"
            )
        mine = chosen.setdefault(market, [])
        mine += [one for one in wanted if one not in mine]
    return tuple((markets[market], tuple(found)) for market, found in chosen.items())
