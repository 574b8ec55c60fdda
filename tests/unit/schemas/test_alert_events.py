"""Alerts as others read them: CloudEvents by the specification's own schema, and an AsyncAPI 3 document by its."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from processors.lifecycle.changes import take
from schemas import asyncapi, json_schema
from schemas.alert_events import AlertEvent
from schemas.topics import MARKET_RAW, METERS_RAW, METERS_REGISTRY, TOPICS
from tests.alerting import NOON, RULES, sign

DATA = Path(__file__).parent / "data"
EVENT = AlertEvent.of(take(sign(element="meter/<b>M 1</b>"), None, RULES), NOON)


def test_an_event_is_a_cloud_event() -> None:
    schema: dict[str, Any] = json.loads((DATA / "cloudevents-1.0.json").read_text())
    Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER).validate(json.loads(EVENT.model_dump_json()))


def test_an_event_agrees_with_what_we_publish_of_it() -> None:
    schema = json.loads((json_schema.DIRECTORY / "alert_event.json").read_text())
    Draft202012Validator(schema).validate(json.loads(EVENT.model_dump_json()))


def test_an_event_is_known_by_alert_and_sequence() -> None:
    again = AlertEvent.of(take(sign(1), EVENT.data.alert, RULES), NOON)
    assert EVENT.id == f"{EVENT.data.alert.alert_id}-1"
    assert again.id == f"{EVENT.data.alert.alert_id}-2"
    assert again.type == "meterstream.alert.updated"


def test_the_document_of_topics_is_current_and_valid() -> None:
    assert asyncapi.FILE.read_text() == asyncapi.render(), "run `make schemas`"
    schema = json.loads(gzip.decompress((DATA / "asyncapi-3.0.0.json.gz").read_bytes()))
    Draft7Validator(schema).validate(asyncapi.document())


def test_the_document_names_every_topic_that_we_publish() -> None:
    others_write = {METERS_RAW.name, METERS_REGISTRY.name, MARKET_RAW.name}
    assert set(asyncapi.document()["channels"]) == {topic.name for topic in TOPICS} - others_write


@pytest.mark.parametrize("name", asyncapi.document()["components"]["messages"])
def test_every_payload_of_the_document_is_there(name: str) -> None:
    payload = asyncapi.document()["components"]["messages"][name].get("payload")
    assert payload is None or (asyncapi.FILE.parent / payload["$ref"]).is_file()
