"""Fault profiles: how often each class of faults happens, from a TOML file that is checked before anything is sent."""

import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.errors import ConfigurationError
from simulators.faults import CATALOGUE, FaultClass

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
    """All fault rates of a run; a class that is not named does not happen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str = Field(default="", description="what the profile is for")
    faults: dict[FaultClass, FaultRate] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _within_limits(self) -> Self:
        for fault, settings in self.faults.items():
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


def profile_names() -> list[str]:
    """Return the profiles that come with the simulator."""
    return sorted(path.stem for path in _OWN.glob("*.toml"))


def load_profile(name_or_path: str) -> Profile:
    """Read a profile that comes with the simulator, or a file.

    Raises:
        ConfigurationError: there is no such profile, or what it says cannot be; the message says where.
    """
    path = _OWN / f"{name_or_path}.toml" if name_or_path in profile_names() else Path(name_or_path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"the profile {name_or_path!r} is neither a readable file ({error.strerror}) nor one of {profile_names()}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the profile {path.name} is not TOML: {error}") from None
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        problems = [_problem(item["loc"], item["msg"]) for item in error.errors()]
        raise ConfigurationError(f"the profile {path.name}: {'; '.join(problems)}") from None


def _problem(place: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in place if part != "[key]")
    return f"{where}: {message}" if where else message
