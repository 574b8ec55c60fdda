"""Fault profiles: how often each class of faults happens, from a TOML file that is checked before anything is sent."""

import tomllib
from pathlib import Path
from typing import Annotated, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.errors import ConfigurationError
from simulators.faults import CATALOGUE, FLEET_CLASSES, MARKET_CLASSES, FaultClass

_OWN = Path(__file__).parent / "profiles"
Span = tuple[Annotated[float, Field(allow_inf_nan=False)], Annotated[float, Field(allow_inf_nan=False)]]


class FaultRate(BaseModel):
    """How often one class of faults happens, how long it lasts and how large it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rate: float = Field(default=0.0, ge=0, le=1, allow_inf_nan=False, description="events per element and day")
    count: int = Field(
        default=0, ge=0, le=1_000_000, description="further events in the whole run, whatever its length"
    )
    minutes: Span | None = Field(default=None, description="shortest and longest duration [min]")
    size: Span | None = Field(default=None, description="smallest and largest size, in the unit of the class")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name, span in (("minutes", self.minutes), ("size", self.size)):
            if span is not None and span[0] > span[1]:
                raise ValueError(f"{name}: {span[0]:g} is above {span[1]:g}")
        if self.minutes is not None and self.minutes[0] <= 0:
            raise ValueError(f"minutes: a duration of {self.minutes[0]:g} min")
        return self


class Profile(BaseModel):
    """All fault rates of a run of a fleet; a class that is not named does not happen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: What can happen, and where the profiles are that come with the simulator.
    classes: ClassVar[frozenset[FaultClass]] = FLEET_CLASSES
    folder: ClassVar[Path] = _OWN

    about: str = Field(default="", description="what the profile is for")
    faults: dict[FaultClass, FaultRate] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _within_limits(self) -> Self:
        for fault, settings in self.faults.items():
            if fault not in self.classes:
                raise ValueError(f"faults.{fault} cannot happen here; there are {', '.join(sorted(self.classes))}")
            low, high = CATALOGUE[fault].limits
            if settings.size is not None and not low <= settings.size[0] <= settings.size[1] <= high:
                raise ValueError(f"faults.{fault}.size is from {low:g} to {high:g} {CATALOGUE[fault].unit}")
        return self

    def minutes(self, fault: FaultClass) -> tuple[float, float]:
        """Return the shortest and longest duration of a class [min]."""
        return self.faults[fault].minutes or CATALOGUE[fault].minutes

    def size(self, fault: FaultClass) -> tuple[float, float]:
        """Return the smallest and largest size of a class, in its unit."""
        return self.faults[fault].size or CATALOGUE[fault].size


class TickRates(BaseModel):
    """How much a market says in a simulated time; 0 is nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quote_s: int = Field(default=60, ge=0, le=86_400, description="time between quotes of a symbol [s]")
    trade_s: int = Field(default=180, ge=0, le=86_400, description="time between trades of a symbol [s]")
    revisions: float = Field(default=0.02, ge=0, le=1, allow_inf_nan=False, description="share of intervals run again")


class MarketProfile(Profile):
    """All anomaly rates of a run of markets, and how much these say."""

    classes: ClassVar[frozenset[FaultClass]] = MARKET_CLASSES
    folder: ClassVar[Path] = _OWN / "market"

    ticks: TickRates = TickRates()

    @model_validator(mode="after")
    def _has_what_goes_wrong(self) -> Self:
        for fault, name in ((FaultClass.FAT_FINGER, "trade_s"), (FaultClass.SPOOFED_DEPTH, "quote_s")):
            if fault in self.faults and not getattr(self.ticks, name):
                raise ValueError(f"faults.{fault} needs ticks.{name} above 0")
        return self


P = TypeVar("P", bound=Profile)


def profile_names(kind: type[Profile] = Profile) -> list[str]:
    """Return the profiles of a kind that come with the simulator."""
    return sorted(path.stem for path in kind.folder.glob("*.toml"))


def load_profile(name_or_path: str, kind: type[P] = Profile) -> P:  # type: ignore[assignment] # a fleet's, unless said
    """Read a profile that comes with the simulator, or a file.

    Raises:
        ConfigurationError: there is no such profile, or what it says cannot be; the message says where.
    """
    names = profile_names(kind)
    path = kind.folder / f"{name_or_path}.toml" if name_or_path in names else Path(name_or_path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"the profile {name_or_path!r} is neither a readable file ({error.strerror}) nor one of {names}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the profile {path.name} is not TOML: {error}") from None
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        problems = [_problem(item["loc"], item["msg"]) for item in error.errors()]
        raise ConfigurationError(f"the profile {path.name}: {'; '.join(problems)}") from None


def _problem(place: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in place if part != "[key]")
    return f"{where}: {message}" if where else message
