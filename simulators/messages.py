"""Readings as MQTT messages: one each, or many under the name of a concentrator."""

from enum import StrEnum
from urllib.parse import quote

import numpy as np

from schemas.json_writer import write_rows
from schemas.readings import ReadingBatch
from simulators.transport import Message

#: Readings per concentrator message where nothing else is asked for.
PER_MESSAGE = 500
#: A full reading is below 500 bytes of JSON, and the engine reads payloads up to 1 MiB.
MOST_PER_MESSAGE = 2_000

# All that MQTT and URLs let stand; what separates levels (/), is a wildcard (+ #) or is the escape itself (%) is not.
_PLAIN = " !$&'()*,:;=@~.-_"


class Mode(StrEnum):
    """How readings travel."""

    SINGLE = "single"
    CONCENTRATOR = "concentrator"


def topic_level(name: str) -> str:
    """Return a name as one MQTT topic level; `urllib.parse.unquote` gives the name back.

    A slash, a wildcard, a control character or anything outside ASCII is percent-encoded: the topic only routes, the
    payload has the true name.
    """
    return quote(name, safe=_PLAIN)


def meter_messages(batch: ReadingBatch) -> list[Message]:
    """Return one message per reading on `meters/{meter_number}/reading`."""
    if not len(batch):
        return []
    meters = batch.meter_number.dictionary_encode()
    topics = [f"meters/{topic_level(name)}/reading" for name in meters.dictionary.to_pylist()]
    which = np.asarray(meters.indices).tolist()
    return [Message(topics[index], row, 1) for index, row in zip(which, write_rows(batch), strict=True)]


def concentrator_messages(batch: ReadingBatch, concentrator: str, per_message: int = PER_MESSAGE) -> list[Message]:
    """Return arrays of up to `per_message` readings on `concentrators/{concentrator}/readings`."""
    topic = f"concentrators/{topic_level(concentrator)}/readings"
    rows = write_rows(batch) if len(batch) else []
    parts = [rows[start : start + per_message] for start in range(0, len(rows), per_message)]
    return [Message(topic, b"[" + b",".join(part) + b"]", len(part)) for part in parts]
