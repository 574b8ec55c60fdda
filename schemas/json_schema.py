"""JSON Schema of what other programs write to us or read from us; `python -m schemas.json_schema` writes the files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from schemas.alert_events import AlertEvent, AlertState
from schemas.alerts import Alert
from schemas.bars import Bar
from schemas.missing import MissingData
from schemas.readings import Reading
from schemas.registry import RegistryEntry
from schemas.rejected import Rejected
from schemas.ticks import Tick
from schemas.windows import WindowAggregate

DIRECTORY = Path(__file__).parent / "json"

#: What others write is described as it is read, what we write as it is written.
_MODELS: Mapping[str, tuple[type[BaseModel], Literal["validation", "serialization"]]] = {
    "reading": (Reading, "validation"),
    "tick": (Tick, "validation"),
    "registry_entry": (RegistryEntry, "validation"),
    "rejected": (Rejected, "serialization"),
    "alert_sign": (Alert, "serialization"),
    "alert_event": (AlertEvent, "serialization"),
    "alert_state": (AlertState, "serialization"),
    "window_aggregate": (WindowAggregate, "serialization"),
    "missing_data": (MissingData, "serialization"),
    "bar": (Bar, "serialization"),
}


def schema_of(name: str) -> dict[str, Any]:
    """Return one schema."""
    model, mode = _MODELS[name]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:meterstream:{name}"}
    return head | model.model_json_schema(mode=mode, by_alias=True)


def render() -> dict[str, str]:
    """Return the text of every file by its name."""
    return {f"{name}.json": json.dumps(schema_of(name), indent=2) + "\n" for name in _MODELS}


def write(directory: Path = DIRECTORY) -> list[Path]:
    """Write every file; return where."""
    directory.mkdir(exist_ok=True)
    paths = []
    for name, text in render().items():
        paths.append(directory / name)
        paths[-1].write_text(text)
    return paths


if __name__ == "__main__":
    for path in write():
        print(path)  # noqa: T201 - a command for people
