"""Alerts, live from Kafka or kept in the database."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from psycopg.rows import dict_row
from pydantic import ValidationError

from schemas.alert_events import AlertChild, AlertEvent, AlertState
from schemas.alerts import AlertKind, Severity
from schemas.topics import ALERTS, ALERTS_STATE
from sinks import alert_sql as sql
from stream.database import connected
from stream.topic_reader import Span, TopicReader

_RISING = tuple(Severity)


@dataclass(frozen=True)
class Wanted:
    """Which alerts somebody looks at.

    Attributes:
        severity: these and what is more severe.
        kind: one kind, or None for all.
        element: a pattern such as `meter/M00*`, or None for all.
        region: one region, or None for all.
        children: whether alerts that are part of another one are wanted too.
    """

    severity: Severity = Severity.INFO
    kind: AlertKind | None = None
    element: str | None = None
    region: str | None = None
    children: bool = False

    @property
    def severities(self) -> list[Severity]:
        """All that are wanted."""
        return list(_RISING[_RISING.index(self.severity) :])

    def has(self, alert: AlertState) -> bool:
        """Whether an alert is among them."""
        return (
            alert.severity in self.severities
            and self.kind in {None, alert.kind}
            and self.region in {None, alert.region}
            and (self.children or alert.parent_id is None)
            and (self.element is None or fnmatchcase(alert.element, self.element))
        )


def kept(database_url: str, wanted: Wanted, since: datetime | None, limit: int, *, standing: bool) -> list[AlertState]:
    """Return alerts of the database, the newest first.

    Args:
        database_url: where it is.
        wanted: which ones.
        since: leave out those that were last seen before.
        limit: how many at most.
        standing: leave out those that are over.
    """
    parameters = {
        "since": since,
        "limit": limit,
        "standing": standing,
        "heads": not wanted.children,
        "kind": wanted.kind,
        "severity": wanted.severities,
        "region": wanted.region,
        "element": None if wanted.element is None else _like(wanted.element),
    }
    with connected(database_url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sql.LIST.encode(), parameters).fetchall()
    return [AlertState.model_validate(row) for row in rows]


def history(database_url: str, alert_id: str) -> list[AlertEvent]:
    """Return every change of an alert, the oldest first."""
    with connected(database_url) as connection:
        rows = connection.execute(sql.HISTORY, (alert_id,)).fetchall()
    return [AlertEvent.model_validate_json(text) for (text,) in rows]


def attached(database_url: str, alert_id: str, after: str, limit: int) -> list[AlertChild]:
    """Return what is attached to an alert, by element.

    Args:
        database_url: where it is.
        alert_id: of the alert.
        after: begin behind this element; empty for the first.
        limit: how many at most.
    """
    with connected(database_url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sql.ATTACHED, (alert_id, after, limit)).fetchall()
    return [AlertChild.model_validate(row) for row in rows]


def passed(kafka_url: str, since: datetime | None) -> Generator[AlertEvent, None, None]:
    """Yield the changes that Kafka holds now; with `since`, those published from then on."""
    with TopicReader(kafka_url, ALERTS.name) as reader:
        first = reader.offsets_at(since) if since else {}
        spans = {p: Span(max(first.get(p, 0), span.first), span.end) for p, span in reader.bounds().items()}
        for messages in reader.read(spans):
            for message in messages:
                yield from _event(message.value())


def live(kafka_url: str, since: datetime | None) -> Generator[AlertEvent | None, None, None]:
    """Yield changes as they come, for ever, from now or from `since` on; None now and then in silence."""
    with TopicReader(kafka_url, ALERTS.name) as reader:
        start = reader.offsets_at(since) if since else {p: span.end for p, span in reader.bounds().items()}
        for message in reader.follow(start):
            if message is None:
                yield None
            else:
                yield from _event(message.value())


def standing_now(kafka_url: str) -> Generator[tuple[str, AlertState | None] | None, None, None]:
    """Yield what stands, by id, and then what becomes of it, for ever; without a state it is over. None in silence."""
    with TopicReader(kafka_url, ALERTS_STATE.name) as reader:
        for message in reader.follow({p: span.first for p, span in reader.bounds().items()}):
            if message is None:
                yield None
                continue
            key, value = message.key(), message.value()
            try:
                state = AlertState.model_validate_json(value) if value else None
            except ValidationError:
                continue
            yield key.decode() if isinstance(key, bytes) else str(key), state


def _event(value: str | bytes | None) -> Iterator[AlertEvent]:
    """Yield the event of a record; one that is none of ours is passed over."""
    try:
        yield AlertEvent.model_validate_json(value or b"")
    except ValidationError:
        return


def _like(pattern: str) -> str:
    """Return a pattern of file names as SQL's LIKE has it."""
    return pattern.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_").replace("*", "%").replace("?", "_")
