"""How missing values are to be estimated: methods, their order and their limits, for each class of meters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from processors.vee.catalogue import BY_ID
from schemas.errors import ConfigurationError
from schemas.meter_class import CLASSES


class Method(IntEnum):
    """How an estimate was made."""

    NONE = 0
    OUTAGE = 1
    LINEAR = 2
    LIKE_DAYS = 3
    PROXY_DAY = 4
    PROFILE = 5


#: NEM12 quality and method of each, and of any of them once scaled to the register.
#: Source: AEMO, NEM12 substitution types 19 (zero), 17 (linear), 15 and 14 (retrospective average like day, like day),
#: 18 (alternate), 24 (data scaling).
NEM12: Mapping[Method, str] = {
    Method.OUTAGE: "S19",
    Method.LINEAR: "S17",
    Method.LIKE_DAYS: "S15",
    Method.PROXY_DAY: "S14",
    Method.PROFILE: "S18",
}
SCALED = "S24"
_NAMES = {method.name.lower(): method for method in Method if method is not Method.NONE}


@dataclass(frozen=True)
class MethodLimits:
    """What a class of meters allows.

    Attributes:
        methods: in their order: the first one that has something for all of a gap is taken.
        most_h: method -> longest gap that it may fill [h].
        days: like days to be averaged, at most.
        least_days: like days to be averaged, at least.
        weeks: how far away, before or after, a like day or proxy day may lie.
        beside_outage: whether a line may begin or end at an outage.
        scale: whether estimates are made to add up to the register.
        line_share: how much a line counts against like days, 0 to 1; None for what the meter's own past says.
    """

    methods: tuple[Method, ...] = (
        Method.OUTAGE,
        Method.LINEAR,
        Method.LIKE_DAYS,
        Method.PROXY_DAY,
        Method.PROFILE,
    )
    most_h: Mapping[Method, float] = field(
        default_factory=lambda: {
            Method.OUTAGE: 8_760.0,
            Method.LINEAR: 2.0,
            Method.LIKE_DAYS: 336.0,
            Method.PROXY_DAY: 336.0,
            Method.PROFILE: 744.0,
        }
    )
    days: int = 12
    least_days: int = 2
    weeks: int = 5
    beside_outage: bool = False
    scale: bool = True
    line_share: float | None = None


@dataclass(frozen=True)
class Estimation:
    """The part of a rule set that is about estimates.

    Attributes:
        wait_h: how long after its end a gap is left to those who may still send what is missing [h].
        replaces: rules whose failure makes a value be estimated as if it were missing.
        limits: of classes that have their own.
        usual: of all others.
    """

    wait_h: float = 6.0
    replaces: tuple[str, ...] = ("negative_energy", "energy_range", "energy_unit")
    usual: MethodLimits = field(default_factory=MethodLimits)
    limits: Mapping[str, MethodLimits] = field(default_factory=dict)

    def of(self, customer_class: str | None) -> MethodLimits:
        """Return what holds for a class."""
        return self.limits.get(customer_class or "unknown", self.usual)

    @property
    def replaced(self) -> int:
        """Mask of the rules in `replaces`."""
        return sum(1 << BY_ID[name].bit for name in self.replaces)


_WHOLE = ("days", "least_days", "weeks")
_YES_NO = ("beside_outage", "scale")


def parse_estimation(content: Any) -> Estimation:
    """Read the table `estimation` of a rule set; what it does not say stays as it is.

    Raises:
        ConfigurationError: it names something unknown; the message says where.
    """
    table = dict(_table(content, "estimation"))
    classes = _table(table.pop("class", {}), "estimation.class")
    wait_h = _number(table.pop("wait_h", Estimation.wait_h), "estimation.wait_h")
    replaces = table.pop("replaces", list(Estimation.replaces))
    for name in replaces:
        if name not in BY_ID:
            raise ConfigurationError(f"estimation.replaces: no rule {name!r}; there are {', '.join(BY_ID)}")
    usual = _limits(table, MethodLimits(), "estimation")
    for name in classes:
        if name not in CLASSES:
            raise ConfigurationError(f"estimation.class.{name}: no such class; there are {', '.join(CLASSES)}")
    limits = {name: _limits(changes, usual, f"estimation.class.{name}") for name, changes in classes.items()}
    return Estimation(wait_h, tuple(replaces), usual, limits)


def _limits(content: Any, before: MethodLimits, where: str) -> MethodLimits:
    table = _table(content, where)
    known = ("methods", "most_h", *_WHOLE, *_YES_NO)
    for name in table:
        if name not in known:
            raise ConfigurationError(f"{where}: unknown field {name!r}; known ones are {', '.join(known)}")
    most_h = dict(before.most_h)
    for name, hours in _table(table.get("most_h", {}), f"{where}.most_h").items():
        most_h[_method(name, f"{where}.most_h")] = _number(hours, f"{where}.most_h.{name}")
    methods = tuple(_method(name, f"{where}.methods") for name in table.get("methods", ())) or before.methods
    whole = {name: int(_number(table.get(name, getattr(before, name)), f"{where}.{name}")) for name in _WHOLE}
    if whole["least_days"] < 1 or whole["days"] < whole["least_days"]:
        raise ConfigurationError(f"{where}: least_days is at least 1, and days not below it")
    for name in _YES_NO:
        if not isinstance(table.get(name, False), bool):
            raise ConfigurationError(f"{where}.{name}: true or false is needed, this is {table[name]!r}")
    return MethodLimits(
        methods=methods,
        most_h=most_h,
        **whole,
        beside_outage=table.get("beside_outage", before.beside_outage),
        scale=table.get("scale", before.scale),
    )


def _method(name: Any, where: str) -> Method:
    if name not in _NAMES:
        raise ConfigurationError(f"{where}: no method {name!r}; there are {', '.join(_NAMES)}")
    return _NAMES[name]


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where}: a table is needed, this is {value!r}")
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ConfigurationError(f"{where}: a number from 0 on is needed, this is {value!r}")
    return float(value)
