"""Rule sets: which rules run, with which thresholds and severities, for which class and source; read from TOML."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from processors.vee.calendar import Calendar
from processors.vee.catalogue import BY_ID
from processors.vee.estimation import Estimation, parse_estimation
from processors.vee.rule import Rule
from schemas.errors import ConfigurationError
from schemas.meter_class import CLASSES
from schemas.quality import FLAGS, QualityFlag

#: Fields of a rule beside its own parameters; those that a class or a source may set for itself come first.
_BY_CLASS = ("enabled", "warn", "fail")
_FIELDS = (*_BY_CLASS, "on_warn", "on_fail", "hides", "class", "source")
_TOP = ("version", "name", "zone", "country", "rules", "classes", "maintenance", "estimation")
_PERIOD = ("meters", "from", "until", "reason", "outage")
#: Severities that a rule may have: flags of readings as they came.
_SEVERITIES = ("normal", "monitoring", "warning", "anomaly", "estimated", "rejected")


@dataclass(frozen=True)
class RuleSettings:
    """One rule as a rule set wants it.

    Attributes:
        rule: which.
        values: by field or parameter, float64[classes, sources]; `enabled` is 0 or 1, a threshold that is not set is
            infinite.
        on_warn: code of the flag that a warning gives.
        on_fail: code of the flag that a failure gives.
        hides: rules that say nothing of a reading where this one does.
    """

    rule: Rule
    values: Mapping[str, npt.NDArray[np.float64]]
    on_warn: int
    on_fail: int
    hides: frozenset[str]

    def at(self, name: str, classes: npt.NDArray[np.uint8], sources: npt.NDArray[np.intp]) -> Any:
        """Return a value for each reading: one number where classes and sources agree, float64[n] otherwise."""
        agreed = self._agreed[name]
        return self.values[name][classes, sources] if agreed is None else agreed

    @cached_property
    def _agreed(self) -> dict[str, np.float64 | None]:
        """What classes and sources agree on, None where they do not."""
        return {name: table[0, 0] if (table == table[0, 0]).all() else None for name, table in self.values.items()}


@dataclass(frozen=True)
class Period:
    """A stretch of maintenance: readings of these meters within (start, end] are not to be trusted.

    Attributes:
        meters: their numbers.
        start_us: begin [us].
        end_us: end [us].
        reason: why.
        outage: the supply is off meanwhile: what is missing is zero.
    """

    meters: tuple[str, ...]
    start_us: int
    end_us: int
    reason: str
    outage: bool


@dataclass(frozen=True)
class RuleSet:
    """Everything that a file says.

    Attributes:
        version: of the set, stored with each result.
        name: of the set.
        zone: time zone of local days.
        country: whose public holidays count, empty for none; `AU-NSW` names a part of it.
        rules: in the order of the file.
        orders: for classes that have their own: which rules, in which order.
        sources: sources that some rule tells apart.
        periods: of maintenance.
        text: the file.
        calendar: the clock on the wall; UTC until one is given.
        estimation: how missing values are estimated.
    """

    version: int
    name: str
    zone: str
    country: str
    rules: tuple[RuleSettings, ...]
    orders: Mapping[str, tuple[str, ...]]
    sources: tuple[str, ...]
    periods: tuple[Period, ...]
    text: str
    calendar: Calendar = field(default_factory=Calendar)
    estimation: Estimation = field(default_factory=Estimation)

    @cached_property
    def by_id(self) -> dict[str, RuleSettings]:
        """The rules by name."""
        return {settings.rule.id: settings for settings in self.rules}

    def source_code(self, name: str | None) -> int:
        """Return the number of a source, 0 for one that no rule tells apart."""
        return self.sources.index(name) + 1 if name in self.sources else 0


def parse(text: str) -> RuleSet:
    """Read a rule set.

    Raises:
        ConfigurationError: it is no TOML, or names something unknown, or lacks something; the message says where.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"the rule set is no TOML: {error}") from None
    _only(content, _TOP, "the rule set")
    version = content.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or not 0 < version < 2**31:
        raise ConfigurationError(f"version: a whole number from 1 on is needed, this is {version!r}")
    tables: dict[str, Any] = _table(content.get("rules", {}), "rules")
    for name in tables:
        if name not in BY_ID:
            raise ConfigurationError(f"rules.{name}: no such rule; there are {', '.join(BY_ID)}")
    sources = tuple(sorted({name for table in tables.values() for name in _table(table, "rules").get("source", {})}))
    orders = {
        name: _order(name, table, tables) for name, table in _table(content.get("classes", {}), "classes").items()
    }
    return RuleSet(
        version=version,
        name=_text(content.get("name", ""), "name"),
        zone=_text(content.get("zone", "UTC"), "zone"),
        country=_text(content.get("country", ""), "country"),
        rules=tuple(_rule(BY_ID[name], table, sources, orders) for name, table in tables.items()),
        orders=orders,
        sources=sources,
        periods=tuple(_period(item, place) for place, item in enumerate(content.get("maintenance", []), start=1)),
        text=text,
        estimation=parse_estimation(content.get("estimation", {})),
    )


def _rule(
    rule: Rule, table: dict[str, Any], sources: tuple[str, ...], orders: Mapping[str, tuple[str, ...]]
) -> RuleSettings:
    where = f"rules.{rule.id}"
    _only(table, (*_FIELDS, *rule.parameters), where)
    missing = [name for name in rule.parameters if name not in table]
    if missing:
        raise ConfigurationError(f"{where}: {', '.join(missing)} must be set")
    defaults = {"enabled": True, "warn": np.inf, "fail": np.inf}
    names = (*_BY_CLASS, *rule.parameters)
    values = {
        name: np.full((len(CLASSES), len(sources) + 1), _number(table.get(name, defaults.get(name)), f"{where}.{name}"))
        for name in names
    }
    _change(values, table, sources, where)
    for chosen, order in orders.items():
        if rule.id not in order:
            values["enabled"][CLASSES.index(chosen)] = 0.0
    if (values["fail"] < values["warn"]).any() and "warn" in table:
        raise ConfigurationError(f"{where}: fail is below warn")
    hides = table.get("hides", [])
    for other in hides if isinstance(hides, list) else [hides]:
        if other not in BY_ID:
            raise ConfigurationError(f"{where}.hides: no rule {other!r}; there are {', '.join(BY_ID)}")
    return RuleSettings(
        rule, values, _severity(table, "on_warn", where), _severity(table, "on_fail", where), frozenset(hides)
    )


def _change(
    values: Mapping[str, npt.NDArray[np.float64]], table: dict[str, Any], sources: tuple[str, ...], where: str
) -> None:
    """Take over what classes and sources have for themselves, sources last."""
    for kind, known in (("class", CLASSES), ("source", sources)):
        for chosen, changes in _table(table.get(kind, {}), f"{where}.{kind}").items():
            place = f"{where}.{kind}.{chosen}"
            if chosen not in known:
                raise ConfigurationError(f"{place}: no such {kind}; there are {', '.join(known)}")
            _only(_table(changes, place), tuple(values), place)
            for name, value in changes.items():
                index = known.index(chosen)
                target = values[name][index] if kind == "class" else values[name][:, index + 1]
                target[...] = _number(value, f"{place}.{name}")


def _order(name: str, table: Any, rules: Mapping[str, Any]) -> tuple[str, ...]:
    where = f"classes.{name}"
    if name not in CLASSES:
        raise ConfigurationError(f"{where}: no such class; there are {', '.join(CLASSES)}")
    _only(_table(table, where), ("rules",), where)
    chosen = table.get("rules", [])
    unknown = [item for item in chosen if item not in rules]
    if unknown:
        raise ConfigurationError(f"{where}.rules: the set has no rule {unknown[0]!r}; it has {', '.join(rules)}")
    return tuple(chosen)


def _period(item: Any, place: int) -> Period:
    where = f"maintenance {place}"
    _only(_table(item, where), _PERIOD, where)
    moments = [item.get(name) for name in ("from", "until")]
    if not all(isinstance(moment, datetime) and moment.tzinfo for moment in moments) or moments[0] >= moments[1]:
        raise ConfigurationError(f"{where}: from and until are times with an offset, the first one earlier")
    meters = item.get("meters")
    if not isinstance(meters, list) or not meters or not all(isinstance(name, str) for name in meters):
        raise ConfigurationError(f"{where}.meters: a list of meter numbers is needed")
    start, end = (round(moment.timestamp() * 1e6) for moment in moments)
    outage = item.get("outage", False)
    if not isinstance(outage, bool):
        raise ConfigurationError(f"{where}.outage: true or false is needed, this is {outage!r}")
    return Period(tuple(meters), start, end, _text(item.get("reason", ""), f"{where}.reason"), outage)


def _severity(table: dict[str, Any], name: str, where: str) -> int:
    value = table.get(name, "normal")
    if value not in _SEVERITIES:
        raise ConfigurationError(f"{where}.{name}: {value!r} is none of {', '.join(_SEVERITIES)}")
    return FLAGS.index(QualityFlag(value))


def _only(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    unknown = [name for name in table if name not in known]
    if unknown:
        raise ConfigurationError(f"{where}: unknown field {unknown[0]!r}; known ones are {', '.join(known)}")


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where}: a table is needed, this is {value!r}")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{where}: a text is needed, this is {value!r}")
    return value


def _number(value: Any, where: str) -> float:
    if not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN is the only one unlike itself
        raise ConfigurationError(f"{where}: a number is needed, this is {value!r}")
    return float(value)
