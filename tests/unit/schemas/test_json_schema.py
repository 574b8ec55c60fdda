"""The published JSON Schemas are current, and what we really read and write agrees with them."""

import json
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from processors.alerts import raise_alerts
from schemas import json_schema, json_writer
from schemas.layout import instant_of
from schemas.readings import Reading, ReadingBatch
from schemas.registry import RegistryEntry
from schemas.rejected import Reason, Rejected
from schemas.ticks import TickBatch
from tests.bad_input import UNSOUND_READINGS
from tests.builders import START_US, aggregate, decoded, payload, reading
from tests.judging import judged
from tests.strategies import batches, readings


def validator(name: str) -> Draft202012Validator:
    schema: dict[str, Any] = json.loads((json_schema.DIRECTORY / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_committed_files_are_current() -> None:
    committed = {path.name: path.read_text() for path in json_schema.DIRECTORY.iterdir()}
    assert committed == json_schema.render(), "run `make schemas`"


@given(batches())
def test_written_readings_agree(written: ReadingBatch) -> None:
    for text in json_writer.write_rows(written):
        validator("reading").validate(json.loads(text))
        assert Reading.model_validate_json(text).meter_number


@given(readings())
def test_what_decodes_agrees(item: dict[str, object]) -> None:
    validator("reading").validate(json.loads(payload(item)))


NOT_IN_A_SCHEMA = {Reason.BAD_TIME, Reason.BAD_TEXT, Reason.NOT_FINITE}


@pytest.mark.parametrize(
    "item", [item for item, reason in UNSOUND_READINGS.values() if reason not in NOT_IN_A_SCHEMA], ids=repr
)
def test_what_does_not_decode_does_not_agree(item: object) -> None:
    assert not validator("reading").is_valid(json.loads(payload(item)))


@pytest.mark.parametrize("number", [0, 7, 2**64 - 1])
def test_a_number_is_a_meter_number_in_the_schema_the_model_and_the_codec(number: int) -> None:
    item = reading(number)
    validator("reading").validate(json.loads(payload(item)))
    assert Reading.model_validate_json(payload(item)).meter_number == str(number)
    assert decoded([payload(item)]).batch.meter_number.to_pylist() == [str(number)]


def test_written_ticks_agree() -> None:
    ticks = TickBatch.from_columns(market=["nem"], symbol=["NSW1"], tick_time=[START_US], kind=["trade"], price=[-1.5])
    for text in json_writer.write_rows(ticks):
        validator("tick").validate(json.loads(text))


@pytest.mark.parametrize("data", [b"{", b"\xff\0", b"x" * 9_999], ids=["text", "bytes", "long"])
def test_rejects_agree(data: bytes) -> None:
    item = Rejected.of(data, Reason.NOT_JSON, "why", source="mqtt:x", rejected_at=instant_of(START_US))
    validator("rejected").validate(json.loads(item.model_dump_json()))


def test_alerts_agree() -> None:
    found, judgement = judged([1.0] * 200 + [50.0])
    (alert,) = raise_alerts(found, judgement, found.time_us, judgement.in_order)
    validator("alert_sign").validate(json.loads(alert.model_dump_json()))


def test_windows_agree() -> None:
    window = aggregate(element="transformer/T1", energy_kwh=1.5)
    validator("window_aggregate").validate(json.loads(window.model_dump_json()))


def test_registry_entries_agree() -> None:
    entry = {"meter_number": "M1", "transformer": "T1", "class": "residential", "note": "unknown is fine"}
    validator("registry_entry").validate(entry)
    assert RegistryEntry.model_validate(entry).customer_class == "residential"


@pytest.mark.parametrize("field", ["meter_number", "transformer", "region", "class", "status"])
def test_a_registry_entry_that_no_database_can_hold_is_refused(field: str) -> None:
    for text in ("a\\u0000b", "\\ud800"):
        with pytest.raises(ValidationError):
            RegistryEntry.model_validate_json('{"meter_number":"M1","' + field + '":"' + text + '"}')


def test_an_alert_about_nothing_is_no_alert() -> None:
    assert not validator("alert_sign").is_valid({"alert_id": "x"})
