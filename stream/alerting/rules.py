"""The rules of alerts from a file."""

import tomllib
from pathlib import Path

from processors.lifecycle.rules import AlertRules, read_rules
from schemas.errors import ConfigurationError

_OWN = Path(__file__).parent / "default.toml"


def load_alert_rules(path: Path | None = None) -> AlertRules:
    """Read the rules of alerts: the engine's own where no file is given, and for kinds that a file does not name.

    Raises:
        ConfigurationError: the file cannot be read, or says what cannot be; both are named.
    """
    otherwise = None if path is None else load_alert_rules().kind
    path = path or _OWN
    try:
        return read_rules(tomllib.loads(path.read_text()), otherwise)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"rules of alerts {path}: {error}") from error
