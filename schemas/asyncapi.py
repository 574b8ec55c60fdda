"""An AsyncAPI 3 document of every topic that we publish; `python -m schemas.asyncapi` writes the file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.alert_events import CLOUD_EVENT
from schemas.topics import (
    ALERT_SIGNS,
    ALERTS,
    ALERTS_STATE,
    ARROW,
    GRID_WINDOWS,
    JSON,
    MARKET_BARS,
    MARKET_REJECTED,
    METERS_CLEAN,
    METERS_MISSING,
    METERS_REJECTED,
    TopicSpec,
)

FILE = Path(__file__).parent / "asyncapi.json"


@dataclass(frozen=True)
class Published:
    """One topic that we write and others read.

    Attributes:
        topic: which one.
        message: what a record is called.
        summary: what it holds.
        schema: name of its file under `schemas/json`, None where a record is no JSON.
        content_type: of a record's value.
    """

    topic: TopicSpec
    message: str
    summary: str
    schema: str | None
    content_type: str = JSON


PUBLISHED = (
    Published(ALERTS, "alertEvent", "Every change of every alert.", "alert_event", CLOUD_EVENT),
    Published(ALERTS_STATE, "alertState", "What stands now: a record without a value is over.", "alert_state"),
    Published(ALERT_SIGNS, "alertSign", "What workers raise; alerts are made of it.", "alert_sign"),
    Published(METERS_CLEAN, "cleanReadings", "Stored readings with their flags and scores.", None, ARROW),
    Published(METERS_REJECTED, "rejectedReading", "What could not be taken, and why.", "rejected"),
    Published(METERS_MISSING, "missingData", "Readings that have not come.", "missing_data"),
    Published(GRID_WINDOWS, "windowAggregate", "Closed windows, and again when they are restated.", "window_aggregate"),
    Published(MARKET_BARS, "bar", "Closed bars, and again when they are restated.", "bar"),
    Published(MARKET_REJECTED, "rejectedTick", "What could not be taken, and why.", "rejected"),
)


def document() -> dict[str, Any]:
    """Return the document; the payloads are the files under `schemas/json`, by reference."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:meterstream",
        "info": {
            "title": "meterstream",
            "version": "1.0.0",
            "description": "Kafka topics that meterstream publishes. A record is produced at least once; its id, or "
            "its key with its count, tells a repeat.",
            "license": {"name": "Apache 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": JSON,
        "channels": {one.topic.name: _channel(one) for one in PUBLISHED},
        "operations": {f"publish.{one.topic.name}": _operation(one) for one in PUBLISHED},
        "components": {"messages": {one.message: _message(one) for one in PUBLISHED}},
    }


def _channel(one: Published) -> dict[str, Any]:
    compacted = one.topic.retention_s is None
    return {
        "address": one.topic.name,
        "description": one.summary,
        "messages": {one.message: {"$ref": f"#/components/messages/{one.message}"}},
        "bindings": {
            "kafka": {
                "topic": one.topic.name,
                "topicConfiguration": {"cleanup.policy": ["compact" if compacted else "delete"]},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(one: Published) -> dict[str, Any]:
    channel = f"#/channels/{one.topic.name}"
    return {
        "action": "send",
        "channel": {"$ref": channel},
        "summary": one.summary,
        "messages": [{"$ref": f"{channel}/messages/{one.message}"}],
    }


def _message(one: Published) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": one.message,
        "summary": one.summary,
        "contentType": one.content_type,
        "bindings": {"kafka": {"key": {"type": "string", "description": one.topic.key}, "bindingVersion": "0.5.0"}},
    }
    if one.schema is not None:
        message["payload"] = {"$ref": f"./json/{one.schema}.json"}
    return message


def render() -> str:
    """Return the text of the file."""
    return json.dumps(document(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(render())
    print(FILE)  # noqa: T201 - a command for people
