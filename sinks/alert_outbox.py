"""Changes of alerts that Kafka does not have yet, in the order in which they were made.

Guarantee: at least once; a repeat has the same id.
"""

from dataclasses import dataclass

import psycopg

from schemas.alert_events import AlertEvent
from sinks.alert_sql import UNPUBLISHED
from sinks.outbox import Outbox

#: Any number that nothing else locks.
_LOCK = 7_382_922
_AT_ONCE = 2_000


@dataclass(frozen=True)
class Told:
    """One change.

    Attributes:
        text: the event as it is kept.
        event: the same, read.
    """

    text: str
    event: AlertEvent


class AlertOutbox(Outbox[Told]):
    """Finds what was not published yet.

    Args:
        url: `postgresql://...`.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url, _LOCK)

    async def _due(self, connection: psycopg.AsyncConnection) -> list[Told]:
        rows = sorted(await (await connection.execute(UNPUBLISHED, (_AT_ONCE,))).fetchall())
        return [Told(text, AlertEvent.model_validate_json(text)) for _, text in rows]
