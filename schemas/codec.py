"""Bytes to columns and back: decoding never raises on bad input, it returns what was good and what was not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from schemas import arrow_codec, json_codec
from schemas.faults import Fault
from schemas.layout import ColumnBatch, Positions
from schemas.rejected import Reason
from schemas.topics import ARROW, JSON

B = TypeVar("B", bound=ColumnBatch)

#: Largest payload [bytes] that is read at all; Kafka's own default for a record is about as large.
MAX_PAYLOAD_BYTES = 1_048_576


@dataclass(frozen=True)
class Decoded(Generic[B]):
    """What came of some payloads.

    Attributes:
        batch: the readable rows, in the order of their payloads and of the rows within each.
        source: int[n], which payload each row came from.
        faults: what could not be read, each with the position of its payload.
    """

    batch: B
    source: Positions
    faults: list[Fault]


def decode(
    payloads: Sequence[bytes],
    content_types: Sequence[str | None],
    into: type[B],
    *,
    max_payload_bytes: int = MAX_PAYLOAD_BYTES,
) -> Decoded[B]:
    """Read payloads of any supported content type into one batch.

    Args:
        payloads: one JSON object, a JSON array of them, or an Arrow IPC stream each.
        content_types: what each payload is; None means JSON.
        into: the batch class to build.
        max_payload_bytes: a longer payload is a fault.

    Returns: every readable row once, and every unreadable thing once; nothing raises on bad input.
    """
    kinds = [_kind(payload, kind, max_payload_bytes) for payload, kind in zip(payloads, content_types, strict=True)]
    parts: list[tuple[B, Positions]] = []
    faults = [
        Fault(index, kind, _DETAILS[kind], payloads[index])
        for index, kind in enumerate(kinds)
        if isinstance(kind, Reason)
    ]
    for name, read in ((JSON, json_codec.read), (ARROW, arrow_codec.read)):
        chosen = [index for index, kind in enumerate(kinds) if kind == name]
        if chosen:
            records, source, found = read([payloads[index] for index in chosen], into.layout)
            parts.append((into(records), np.asarray(chosen, dtype=np.intp)[source]))
            faults += [fault.moved_to(chosen[fault.source]) for fault in found]
    batch, source = _in_order(parts, into)
    return Decoded(batch, source, sorted(faults, key=lambda fault: fault.source))


_DETAILS = {
    Reason.PAYLOAD_TOO_LARGE: "longer than the largest payload that is read",
    Reason.UNKNOWN_CONTENT_TYPE: f"the content type is neither {JSON} nor {ARROW}",
}


def _kind(payload: bytes, content_type: str | None, max_payload_bytes: int) -> str | Reason:
    if len(payload) > max_payload_bytes:
        return Reason.PAYLOAD_TOO_LARGE
    name = (content_type or JSON).partition(";")[0].strip().lower()
    return name if name in {JSON, ARROW} else Reason.UNKNOWN_CONTENT_TYPE


def _in_order(parts: list[tuple[B, Positions]], into: type[B]) -> tuple[B, Positions]:
    batch = into.concat([part for part, _ in parts])
    source = np.concatenate([rows for _, rows in parts]) if parts else np.empty(0, dtype=np.intp)
    if len(parts) <= 1:
        return batch, source
    order = np.argsort(source, kind="stable")
    return batch.take(order), source[order]
