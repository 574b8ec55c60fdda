"""Every sink there is, found by walking the package: a new one is tested as soon as it exists."""

import importlib
import inspect
import pkgutil
from typing import Any

import sinks
from sinks.sink import Journal, Latest, Store


def _methods(protocol: type) -> set[str]:
    bases = [base for base in protocol.__mro__ if base.__module__ == protocol.__module__]
    return {name for base in bases for name in vars(base) if not name.startswith("_")}


def implementations(protocol: type) -> list[type]:
    """Classes of the room that have every public method of a protocol."""
    found: dict[str, type] = {}
    for module in pkgutil.iter_modules(sinks.__path__, "sinks."):
        for name, cls in vars(importlib.import_module(module.name)).items():
            if inspect.isclass(cls) and cls.__module__ == module.name and not getattr(cls, "_is_protocol", False):
                missing = _methods(protocol) - set(dir(cls))
                if not missing and not inspect.isabstract(cls):
                    found[name] = cls
    return list(found.values())


def stores() -> list[type]:
    return implementations(Store)


def latests() -> list[type]:
    return [cls for cls in implementations(Latest) if cls not in implementations(Journal)]


def signature(cls: type, method: str) -> list[str]:
    return list(inspect.signature(getattr(cls, method)).parameters)


def same_signatures(cls: type, protocol: Any) -> bool:
    return all(signature(cls, name) == signature(protocol, name) for name in _methods(protocol))
