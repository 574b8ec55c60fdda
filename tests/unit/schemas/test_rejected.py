"""Rejected records: what they keep, and ids that tell a repeat from a new one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.layout import instant_of
from schemas.rejected import MAX_KEPT_BYTES, Reason, Rejected
from tests.builders import START_US


def rejected(
    data: bytes = b"{", reason: Reason = Reason.NOT_JSON, source: str = "mqtt:a/b", at_us: int = START_US
) -> Rejected:
    return Rejected.of(data, reason, "why", source=source, rejected_at=instant_of(at_us), meter_number="M1")


def test_the_id_depends_on_bytes_and_reason_and_on_nothing_else() -> None:
    assert rejected().reject_id == rejected(source="meters.raw[3]@9", at_us=START_US + 1).reject_id
    others = {rejected(b"[").reject_id, rejected(reason=Reason.WRONG_SHAPE).reject_id, rejected().reject_id}
    assert len(others) == 3
    assert all(len(identity) == 32 for identity in others)


def test_bytes_beyond_the_bound_still_tell_two_rejects_apart() -> None:
    assert rejected(b"x" * MAX_KEPT_BYTES + b"1").reject_id != rejected(b"x" * MAX_KEPT_BYTES + b"2").reject_id


@given(st.binary(max_size=2 * MAX_KEPT_BYTES))
def test_original_bytes_are_kept_up_to_the_bound_with_their_full_length(data: bytes) -> None:
    item = Rejected.model_validate_json(rejected(data).model_dump_json())
    assert item.original() == data[:MAX_KEPT_BYTES]
    assert item.payload_bytes == len(data)


@pytest.mark.parametrize(
    ("data", "encoding"), [(b"plain", "utf-8"), ("ü".encode(), "utf-8"), (b"\xff", "base64"), (b"a\0b", "base64")]
)
def test_text_stays_text_and_the_rest_is_base64(data: bytes, encoding: str) -> None:
    assert rejected(data).payload_encoding == encoding


@pytest.mark.parametrize("text", ["a\0b", "half \ud800 of it"])
def test_what_no_database_can_hold_is_made_visible(text: str) -> None:
    item = Rejected.of(b"", Reason.NOT_JSON, text, source=text, rejected_at=instant_of(START_US))
    assert "\0" not in item.detail + item.source
    Rejected.model_validate_json(item.model_dump_json())


def test_a_long_detail_is_cut() -> None:
    item = Rejected.of(b"", Reason.NOT_JSON, "x" * 9_999, source="s", rejected_at=instant_of(START_US))
    assert len(item.detail) == 500


@pytest.mark.parametrize(
    "change",
    [
        {"detail": "a\0b"},
        {"payload": "\0"},
        {"meter_number": "\0"},
        {"payload_bytes": 2**63},
        {"reason": "other"},
        {"extra": 1},
    ],
    ids=str,
)
def test_another_program_cannot_hand_us_what_the_database_refuses(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Rejected.model_validate({**rejected().model_dump(), **change})


def test_reason_codes_are_stable() -> None:
    # Operators count and search for these: add, never rename.
    assert set(Reason) >= {
        "not_json", "wrong_shape", "wrong_type", "not_finite", "bad_arrow", "unknown_content_type", "unknown_topic",
        "payload_too_large", "missing_identity", "bad_text", "text_too_long", "missing_time", "bad_time",
        "time_in_future", "time_too_old", "voltage_out_of_range", "power_factor_out_of_range", "negative_energy",
        "out_of_range", "conflicting_duplicate",
    }  # fmt: skip
