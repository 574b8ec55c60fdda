"""Alerts, live from Kafka or kept in the database."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from schemas.alerts import Alert
from schemas.topics import ALERTS
from stream.database import connected
from stream.topic_reader import Span, TopicReader

_NEWEST = """
SELECT alert_id, kind, severity, element, occurred_at, arrived_at, measured, expected, unit, score, band, reasons,
       message, acknowledged_at IS NOT NULL, resolved_at IS NOT NULL
FROM alerts WHERE %(since)s::timestamptz IS NULL OR arrived_at >= %(since)s
ORDER BY occurred_at DESC LIMIT %(limit)s
"""


@dataclass(frozen=True)
class KeptAlert:
    """An alert in the database.

    Attributes:
        alert: what was found.
        acknowledged: somebody has taken it on.
        resolved: it is over.
    """

    alert: Alert
    acknowledged: bool
    resolved: bool


def kept(database_url: str, since: datetime | None, limit: int) -> list[KeptAlert]:
    """Return the newest alerts of the database, newest first.

    Args:
        database_url: where it is.
        since: leave out those whose reading arrived before.
        limit: how many at most.
    """
    names = list(Alert.model_fields)
    with connected(database_url) as connection:
        rows = connection.execute(_NEWEST, {"since": since, "limit": limit}).fetchall()
    return [KeptAlert(Alert.model_validate(dict(zip(names, row, strict=False))), *row[len(names) :]) for row in rows]


def passed(kafka_url: str, since: datetime | None) -> Generator[Alert, None, None]:
    """Yield the alerts that Kafka holds now; with `since`, those produced from then on."""
    with TopicReader(kafka_url, ALERTS.name) as reader:
        first = reader.offsets_at(since) if since else {}
        spans = {p: Span(max(first.get(p, 0), span.first), span.end) for p, span in reader.bounds().items()}
        for messages in reader.read(spans):
            for message in messages:
                yield from _alert(message.value())


def live(kafka_url: str, since: datetime | None) -> Generator[Alert | None, None, None]:
    """Yield alerts as they come, for ever, from now or from `since` on; None now and then in silence."""
    with TopicReader(kafka_url, ALERTS.name) as reader:
        start = reader.offsets_at(since) if since else {p: span.end for p, span in reader.bounds().items()}
        for message in reader.follow(start):
            if message is None:
                yield None
            else:
                yield from _alert(message.value())


def _alert(value: str | bytes | None) -> Iterator[Alert]:
    """Yield the alert of a record; one that is none of ours is passed over."""
    try:
        yield Alert.model_validate_json(value or b"")
    except ValidationError:
        return
