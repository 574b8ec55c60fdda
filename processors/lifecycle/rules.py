"""What decides over the life of alerts: per kind when it is over and what to do, and what makes a group or a flap."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from schemas.alerts import AlertKind, Severity

#: How severe something is, as a number that rises.
rank = tuple(Severity).index


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KindRules(_Group):
    """One kind of alert."""

    action: str = Field(min_length=1, description="what to do first")
    ends: Literal["calm", "quiet", "restored"] = Field(
        default="calm",
        description="`calm`: when normal readings have come; `quiet`: when no sign has come for hold_s; "
        "`restored`: when the condition of the grid is over",
    )
    calm_readings: PositiveInt = Field(default=4, description="so many normal readings in a row end it")
    hold_s: NonNegativeFloat = Field(default=300.0, description="it stands at least so long after it was last seen")
    reopen_within_s: NonNegativeFloat = Field(default=3_600.0, description="what returns so soon is the same alert")
    least: Severity = Field(default=Severity.INFO, description="it is never less severe")
    most: Severity = Field(default=Severity.CRITICAL, description="it is never more severe")
    grouped: bool = Field(default=True, description="many of one part of the grid become one alert")


class Customers(_Group):
    """Customers affected from which an alert is at least so severe."""

    warning: PositiveInt = 10
    critical: PositiveInt = 100


class ElementRules(_Group):
    """How severe alerts of some elements are, whatever their kind: of a hospital's meter, of all substations."""

    name: str = Field(min_length=1, description="pattern such as `meter/HOSPITAL-*` or `substation/*`; * is anything")
    least: Severity = Field(default=Severity.INFO, description="they are never less severe")
    most: Severity = Field(default=Severity.CRITICAL, description="they are never more severe")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if rank(self.least) > rank(self.most):
            raise ValueError(f"least ({self.least}) is above most ({self.most})")
        return self


class Grouping(_Group):
    """When alerts of meters are one problem of what feeds them."""

    least: PositiveInt = Field(default=5, description="so many meters at least")
    share: float = Field(default=0.2, gt=0, le=1, description="and this share of all below the same element")
    within_s: PositiveFloat = Field(default=1_800.0, description="first seen no further apart than this")


class Damping(_Group):
    """Damping of what comes and goes, as of routes in RFC 2439: a penalty for each return, which fades."""

    begin: PositiveFloat = Field(default=3.0, description="it flaps from this penalty on")
    end: PositiveFloat = Field(default=1.0, description="and no more below this one")
    half_life_s: PositiveFloat = Field(default=3_600.0, description="a penalty counts half after this long")
    hold_times: float = Field(default=6.0, ge=1, description="while it flaps it has to hold so many times longer")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.end >= self.begin:
            raise ValueError("end must be below begin")
        return self


class AlertRules(_Group):
    """All of it."""

    kind: Mapping[AlertKind, KindRules]
    element: tuple[ElementRules, ...] = Field(default=(), description="the first that fits an element counts")
    customers: Customers = Customers()
    grouping: Grouping = Grouping()
    damping: Damping = Damping()
    panel: str | None = Field(default=None, description="address of the panel; {element} stands for the element")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if missing := [str(kind) for kind in AlertKind if kind not in self.kind]:
            raise ValueError(f"nothing is said of {', '.join(missing)}")
        return self

    def of_element(self, element: str) -> ElementRules:
        """Return what holds for an element."""
        return next((own for own in self.element if fnmatchcase(element, own.name)), _ANY)

    def panel_of(self, element: str) -> str | None:
        """Return the address of the panel that shows an element."""
        return None if self.panel is None else self.panel.replace("{element}", quote(element, safe=""))


_ANY = ElementRules(name="*")


def read_rules(table: Mapping[str, Any], otherwise: Mapping[AlertKind, KindRules] | None = None) -> AlertRules:
    """Make rules of a parsed TOML document; what `[defaults]` says holds for every kind that does not say otherwise.

    Args:
        table: the document.
        otherwise: rules of kinds that it does not name.

    Raises:
        ValueError: it does not fit (pydantic's ValidationError is one).
    """
    rest = dict(table)
    defaults = rest.pop("defaults", {})
    named = {name: {**defaults, **own} for name, own in rest.get("kind", {}).items()}
    rest["kind"] = {**(otherwise or {}), **named}
    return AlertRules.model_validate(rest)
