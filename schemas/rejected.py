"""What could not be taken in: one JSON object per record, with the reason and the original bytes."""

import base64
import hashlib
from enum import StrEnum
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.text import Text, storable

#: Most original bytes that a rejected record keeps; the full length is always noted.
MAX_KEPT_BYTES = 4096


class Reason(StrEnum):
    """Why something was rejected; stable codes that operators can count and search for."""

    NOT_JSON = "not_json"
    WRONG_SHAPE = "wrong_shape"
    WRONG_TYPE = "wrong_type"
    NOT_FINITE = "not_finite"
    BAD_ARROW = "bad_arrow"
    UNKNOWN_CONTENT_TYPE = "unknown_content_type"
    UNKNOWN_TOPIC = "unknown_topic"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    MISSING_IDENTITY = "missing_identity"
    BAD_TEXT = "bad_text"
    TEXT_TOO_LONG = "text_too_long"
    MISSING_TIME = "missing_time"
    BAD_TIME = "bad_time"
    TIME_IN_FUTURE = "time_in_future"
    TIME_TOO_OLD = "time_too_old"
    BEYOND_RETENTION = "beyond_retention"
    VOLTAGE_IN_OTHER_UNIT = "voltage_in_other_unit"
    VOLTAGE_OUT_OF_RANGE = "voltage_out_of_range"
    POWER_FACTOR_OUT_OF_RANGE = "power_factor_out_of_range"
    NEGATIVE_ENERGY = "negative_energy"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_MARKET = "unknown_market"
    UNKNOWN_KIND = "unknown_kind"
    OFF_INTERVAL = "off_interval"
    WRONG_CURRENCY = "wrong_currency"
    PRICE_OUT_OF_LIMITS = "price_out_of_limits"
    PRICE_IN_OTHER_UNIT = "price_in_other_unit"
    COMPONENTS_DIFFER = "components_differ"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    STORE_REFUSED = "store_refused"


#: A reason that depends on what came before -> what it would be by itself. Ids go by this one: the same bytes have one
#: id whatever came before them, and who looks at them alone can tell it.
_BY_ITSELF = {Reason.PRICE_IN_OTHER_UNIT: Reason.PRICE_OUT_OF_LIMITS}


class Rejected(BaseModel):
    """One thing that was rejected, with enough to find its source and to try it again by hand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reject_id: Text = Field(description="a digest of reason and bytes: the same always give the same id")
    reason: Reason
    detail: Text = Field(description="what exactly was wrong")
    source: Text = Field(description="where it came from: an MQTT topic, or a Kafka topic and partition")
    rejected_at: AwareDatetime = Field(description="arrival time of the record that held it")
    meter_number: Text | None = Field(default=None, description="whose reading it was, where that could be read")
    payload: Text = Field(description=f"the original bytes, at most {MAX_KEPT_BYTES}, as payload_encoding says")
    payload_encoding: Literal["utf-8", "base64"]
    payload_bytes: int = Field(ge=0, lt=2**63, description="full length of the original [bytes]")

    @classmethod
    def of(
        cls,
        payload: bytes,
        reason: Reason,
        detail: str,
        *,
        source: str,
        rejected_at: AwareDatetime,
        meter_number: str | None = None,
    ) -> Self:
        """Describe rejected bytes.

        The id is a digest of reason and bytes alone, so that a message delivered twice is rejected once.
        """
        kept = payload[:MAX_KEPT_BYTES]
        text, encoding = _as_text(kept)
        digest = hashlib.sha256(_BY_ITSELF.get(reason, reason).encode() + b"\0" + payload).hexdigest()[:32]
        return cls(
            reject_id=digest,
            reason=reason,
            detail=storable(detail[:500]),
            source=storable(source),
            rejected_at=rejected_at,
            meter_number=meter_number,
            payload=text,
            payload_encoding=encoding,
            payload_bytes=len(payload),
        )

    def original(self) -> bytes:
        """Return the original bytes that were kept."""
        return self.payload.encode() if self.payload_encoding == "utf-8" else base64.b64decode(self.payload)


def _as_text(kept: bytes) -> tuple[str, Literal["utf-8", "base64"]]:
    try:
        text = kept.decode()
    except UnicodeDecodeError:
        return base64.b64encode(kept).decode(), "base64"
    return (base64.b64encode(kept).decode(), "base64") if "\0" in text else (text, "utf-8")
