"""The tables of NOMENCLATURE.md that say what the code says; `python -m tests.documents` writes them anew."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from processors.vee.catalogue import RULES
from processors.vee.rule_set import RuleSettings
from schemas.alert_events import AlertEvent, AlertNews, AlertState
from schemas.alerts import Alert
from schemas.bars import Bar
from schemas.markets import DAY_S, Market
from schemas.missing import MissingData
from schemas.quality import FLAGS
from schemas.readings import Reading
from schemas.registry import RegistryEntry
from schemas.rejected import Rejected
from schemas.ticks import Tick
from schemas.topics import TOPICS
from schemas.windows import WindowAggregate
from stream.markets import load_markets
from stream.settings import NESTED, PREFIX, Settings
from stream.stack.settings import PREFIX as STACK_PREFIX
from stream.stack.settings import StackSettings
from stream.vee.rule_book import load_rules

ROOT = Path(__file__).resolve().parent.parent
NOMENCLATURE = ROOT / "NOMENCLATURE.md"
_DAY_S = 86_400


def _table(*rows: tuple[str, ...]) -> str:
    head, *body = ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def _kind(field: FieldInfo) -> str:
    text = str(field.annotation).lower()
    words = (
        (r"\w*datetime", "time"),
        ("tuple", "list"),
        ("bool", "true or false"),
        (r"\w*float", "number"),
        (r"int\b", "whole number"),
        (r"literal\[\d", "whole number"),
    )
    name = next((name for word, name in words if re.search(rf"\b{word}", text)), "text")
    return name if field.is_required() or field.default is not None else f"{name}, may be null"


def _model(model: type[BaseModel]) -> Callable[[], str]:
    def render() -> str:
        rows = [
            (f"`{field.alias or name}`", _kind(field), field.description or "")
            for name, field in model.model_fields.items()
        ]
        return _table(("name", "kind", "what it is"), *rows)

    return render


def _topics() -> str:
    rows = [
        (
            f"`{spec.name}`",
            spec.key,
            "compacted" if spec.retention_s is None else f"{spec.retention_s // _DAY_S} days",
        )
        for spec in TOPICS
    ]
    return _table(("topic", "key", "kept"), *rows)


def _markets() -> str:
    rows = [
        (
            f"`{one.market}`",
            one.kind,
            f"{one.currency}/{one.unit}",
            one.timezone,
            "a day" if one.interval_s == DAY_S else f"{one.interval_s // 60} min",
            one.label,
            " to ".join("-" if limit is None else f"{limit:g}" for limit in (one.price_floor, one.price_cap)),
        )
        for one in load_markets().values()
    ]
    return _table(("market", "kind", "price", "time zone", "interval", "label", "floor to cap"), *rows)


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if value is None or value is PydanticUndefined or value == "":
        return "-"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _variables(model: type[BaseModel], prefix: str) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            rows += _variables(kind, f"{prefix}{name}{NESTED}".upper())
        else:
            rows.append((f"`{prefix}{name.upper()}`", _default(field), field.description or ""))
    return rows


def _settings() -> str:
    rows = [*_variables(Settings, PREFIX), *_variables(StackSettings, STACK_PREFIX)]
    return _table(("variable", "default", "what it sets"), *rows)


def _rules() -> str:
    def threshold(settings: RuleSettings, name: str) -> str:
        value = settings.values[name][0, 0]
        flag = FLAGS[getattr(settings, f"on_{name}")]
        return "-" if np.isinf(value) else f"{value:g} ({flag})" if flag != "normal" else f"{value:g}"

    known = load_rules(None).by_id
    rows = [
        (
            rule.id, str(rule.bit), rule.reason, rule.about, rule.unit,
            threshold(known[rule.id], "warn"), threshold(known[rule.id], "fail"),
        )
        for rule in RULES
    ]  # fmt: skip
    return _table(("rule", "bit", "reason", "what it looks for", "measure", "warns above", "fails above"), *rows)


BLOCKS: dict[str, Callable[[], str]] = {
    "reading": _model(Reading),
    "tick": _model(Tick),
    "market": _model(Market),
    "markets": _markets,
    "registry": _model(RegistryEntry),
    "sign": _model(Alert),
    "alert": _model(AlertState),
    "event": _model(AlertEvent),
    "news": _model(AlertNews),
    "rejected": _model(Rejected),
    "window": _model(WindowAggregate),
    "missing": _model(MissingData),
    "bar": _model(Bar),
    "topics": _topics,
    "rules": _rules,
    "settings": _settings,
}


def updated(text: str) -> str:
    """The document with every table as the code has it now."""
    for name, render in BLOCKS.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = pattern.subn(lambda found, render=render: f"{found[1]}{render()}\n{found[2]}", text)
        if count != 1:
            raise ValueError(f"NOMENCLATURE.md has {count} places for the table `{name}`")
    return text


if __name__ == "__main__":
    NOMENCLATURE.write_text(updated(NOMENCLATURE.read_text()))
