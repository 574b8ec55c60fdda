"""Market definitions: what a market's name stands for; `markets.toml` holds those that the engine knows by itself."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo

import holidays
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    ValidationError,
    model_validator,
)

from schemas.errors import ConfigurationError
from schemas.ticks import MAX_SYMBOL

DAY_S = 86_400
DAY_MINUTES = 1_440

MarketKind = Literal["real_time", "day_ahead", "intraday", "balancing", "allowances", "certificates"]
#: Whether a published time is that of the interval's start or of its end.
Label = Literal["start", "end"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

MarketId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=MAX_SYMBOL)]
#: Symbols are levels of MQTT topics too: no separators and no wildcards.
SymbolText = Annotated[str, StringConstraints(pattern=r"^[^/+#\s\x00]+$", max_length=MAX_SYMBOL)]
Clock = Annotated[str, StringConstraints(pattern=r"^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$")]


def _is_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ValueError(f"{name!r} is no IANA time zone such as Europe/Madrid") from None
    return name


class Market(BaseModel):
    """One market; a limit that is null does not exist."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    market: MarketId = Field(description="as in its ticks")
    name: str = Field(min_length=1, description="for people")
    kind: MarketKind = Field(description=f"one of {', '.join(f'`{kind}`' for kind in get_args(MarketKind))}")
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217")
    unit: Literal["MWh", "t", "certificate"] = Field(default="MWh", description="a price is currency per this")
    timezone: Annotated[str, AfterValidator(_is_zone)] = Field(description="IANA name; settlement days are its days")
    interval_s: Literal[300, 900, 1800, 3600, 86400] = Field(
        description="settlement interval [s]; 86400 is a local day"
    )
    label: Label = Field(description="a published time means the `start` or the `end` of its interval")
    price_floor: FiniteFloat | None = Field(default=None, description="lowest price [currency/unit]")
    price_cap: FiniteFloat | None = Field(default=None, description="highest price [currency/unit]")
    limits_apply_to: Literal["price", "offer"] = Field(
        default="price",
        description="`offer`: congestion, losses and scarcity may take a published price beyond floor and cap",
    )
    trading_days: tuple[Weekday, ...] = Field(default=WEEKDAYS, min_length=1, description="`mon` to `sun`")
    opens: Clock = Field(default="00:00", description="local time")
    closes: Clock = Field(default="24:00", description="local time, up to 24:00")
    closed_on_holidays: bool = Field(default=False, description="holidays are no trading days")
    holiday_country: str | None = Field(default=None, description="ISO 3166 code")
    holiday_subdivision: str | None = Field(default=None, description="ISO 3166-2 code without its country")
    holiday_exchange: str | None = Field(default=None, description="calendar of an exchange instead, such as ECB")
    symbols: tuple[SymbolText, ...] = Field(min_length=1, description="the main ones; a tick may name others")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        floor, cap = self.price_floor, self.price_cap
        if floor is not None and cap is not None and floor >= cap:
            raise ValueError(f"price_floor: {floor:g} is not below the price_cap of {cap:g}")
        if self.opens_minute >= self.closes_minute:
            raise ValueError(f"opens: {self.opens} is not before closes, {self.closes}")
        for field in ("symbols", "trading_days"):
            values = getattr(self, field)
            if len(set(values)) < len(values):
                raise ValueError(f"{field}: one of them stands there twice")
        self._check_holidays()
        return self

    def _check_holidays(self) -> None:
        if self.holiday_exchange and (self.holiday_country or self.holiday_subdivision):
            raise ValueError("holiday_exchange: give either a country or an exchange")
        if self.holiday_subdivision and not self.holiday_country:
            raise ValueError("holiday_subdivision: its holiday_country is missing")
        if self.closed_on_holidays and not (self.holiday_country or self.holiday_exchange):
            raise ValueError("closed_on_holidays: needs a holiday_country or a holiday_exchange")
        try:
            self.holidays_of(2025, 2025)
        except NotImplementedError as error:
            raise ValueError(f"holiday_country, holiday_subdivision or holiday_exchange: {error}") from None

    @property
    def opens_minute(self) -> int:
        """Opening [minutes after local midnight]."""
        return _minute(self.opens)

    @property
    def closes_minute(self) -> int:
        """Closing [minutes after local midnight]."""
        return _minute(self.closes)

    def holidays_of(self, first_year: int, last_year: int) -> list[Any]:
        """Return the public holidays of some years as dates; none where the market has no calendar."""
        years = range(first_year, last_year + 1)
        if self.holiday_exchange:
            return list(holidays.financial_holidays(self.holiday_exchange, years=years))
        if self.holiday_country:
            return list(holidays.country_holidays(self.holiday_country, subdiv=self.holiday_subdivision, years=years))
        return []


class Markets(Mapping[str, Market]):
    """Definitions by market, in the order of their file."""

    def __init__(self, markets: Mapping[str, Market]) -> None:
        self._markets = dict(markets)

    def __getitem__(self, market: str) -> Market:
        return self._markets[market]

    def __iter__(self) -> Iterator[str]:
        return iter(self._markets)

    def __len__(self) -> int:
        return len(self._markets)

    def named(self, market: str) -> Market:
        """Return one market.

        Raises:
            ConfigurationError: there is none of this name; the message lists those that there are.
        """
        if market not in self._markets:
            raise ConfigurationError(f"unknown market {market!r}; there are {', '.join(self._markets)}")
        return self._markets[market]

    def with_own(self, own: "Markets") -> "Markets":
        """Return these and a user's own; an own one replaces one of the same name."""
        return Markets({**self._markets, **own})


def parse_markets(content: Mapping[str, Any], source: str) -> Markets:
    """Build definitions from what a TOML file holds: one table per market.

    Args:
        content: fields of `Market` by market.
        source: name of the file, for messages.

    Raises:
        ConfigurationError: fields that are unknown, missing or impossible; each is named with its market.
    """
    found, problems = dict[str, Market](), list[str]()
    for market, fields in content.items():
        if not isinstance(fields, Mapping):
            problems.append(f"{market}: a table of fields is needed, such as [{market}]")
            continue
        try:
            found[market] = Market.model_validate({**fields, "market": market})
        except ValidationError as error:
            problems += [_problem(market, item["loc"], item["msg"]) for item in error.errors()]
    if problems:
        raise ConfigurationError(f"{source}: {'; '.join(problems)}")
    if not found:
        raise ConfigurationError(f"{source}: no market is defined; each is a table such as [aemo_nem]")
    return Markets(found)


def _problem(market: str, place: tuple[int | str, ...], message: str) -> str:
    return ": ".join((market, *(str(part) for part in place), message.removeprefix("Value error, ")))


def _minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
