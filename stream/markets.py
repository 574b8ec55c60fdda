"""The market definitions of this engine: those that come with it, and a user's own file."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from schemas.errors import ConfigurationError
from schemas.markets import Markets, parse_markets

_PACKAGE, _FILE = "schemas", "markets.toml"


def load_markets(own: Path | None = None) -> Markets:
    """Read the definitions; those of a user's own file are added and replace ours of the same name.

    Raises:
        ConfigurationError: a file that cannot be read, or an entry that cannot be; market and field are named.
    """
    ours = parse_markets(_parse(resources.files(_PACKAGE).joinpath(_FILE).read_text(encoding="utf-8"), _FILE), _FILE)
    if own is None:
        return ours
    try:
        text = own.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"the market definitions {str(own)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{own.name} is not UTF-8: {error}") from None
    return ours.with_own(parse_markets(_parse(text, own.name), own.name))


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name} is not TOML: {error}") from None
