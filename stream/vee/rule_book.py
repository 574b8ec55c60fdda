"""The rule set in force: from a file that may change while the engine runs, or the one that comes with it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import structlog

from processors.vee.rule_set import RuleSet, parse
from schemas.errors import ConfigurationError, MeterstreamError, ServiceUnavailable
from stream.vee.calendars import calendar

DEFAULT = Path(__file__).with_name("default.toml")
#: How often the file is looked at [s].
_PAUSE_S = 2.0
_log = structlog.get_logger("rules")


def load_rules(path: Path | None) -> RuleSet:
    """Read a rule set, the engine's own where no path is given.

    Raises:
        ConfigurationError: there is no such file, or what it says cannot be; the message says where.
    """
    chosen = path or DEFAULT
    try:
        text = chosen.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the rule set {chosen} cannot be read: {error}") from None
    try:
        rules = parse(text)
        return replace(rules, calendar=calendar(rules.zone, rules.country))
    except ConfigurationError as error:
        raise ConfigurationError(f"{chosen.name}: {error}") from None


@lru_cache(maxsize=1)
def own_rules() -> RuleSet:
    """Return the rule set that comes with the engine."""
    return load_rules(None)


class RuleBook:
    """Holds the rule set in force; a new one takes its place between two batches, never within one.

    Args:
        path: of the file, None for the engine's own.
        keep: writes a rule set down before it says anything; raises ServiceUnavailable to be called again.
    """

    def __init__(self, path: Path | None, keep: Callable[[RuleSet], None]) -> None:
        self._path = path
        self._keep = keep
        self._current = load_rules(path)
        self._refused = ""

    def current(self) -> RuleSet:
        """Return the rule set in force."""
        return self._current

    def keep(self) -> None:
        """Write the rule set in force down.

        Raises:
            ServiceUnavailable: try again later.
            ConfigurationError: its version has been used with other content.
        """
        self._keep(self._current)

    async def run(self) -> None:
        """Look at the file every few seconds, for ever."""
        while True:
            await asyncio.sleep(_PAUSE_S)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> bool:
        """Take over the file where it has changed; one that cannot be used is refused, and the old one stays.

        Returns: whether a new rule set is in force.
        """
        try:
            rules = load_rules(self._path)
            if rules.text == self._current.text:
                self._refused = ""
                return False
            self._keep(rules)
        except ServiceUnavailable:
            return False
        except MeterstreamError as error:
            if str(error) != self._refused:
                _log.error("rules_refused", error=str(error), still=self._current.version)
                self._refused = str(error)
            return False
        _log.warning("rules_changed", version=rules.version, before=self._current.version)
        self._current, self._refused = rules, ""
        return True
