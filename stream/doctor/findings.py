"""What a check comes to."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        level: how it is.
        detail: what was seen.
        remedy: what to do; empty where all is well.
    """

    name: str
    level: Level
    detail: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def ok(name: str, detail: str) -> Finding:
    """Return a finding of something that is well."""
    return Finding(name, Level.OK, detail)


def warn(name: str, detail: str, remedy: str) -> Finding:
    """Return a finding of something that works, but not as it should."""
    return Finding(name, Level.WARN, detail, remedy)


def fail(name: str, detail: str, remedy: str) -> Finding:
    """Return a finding of something that keeps the engine from working."""
    return Finding(name, Level.FAIL, detail, remedy)
