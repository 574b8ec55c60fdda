"""What new readings add to their windows, by where their meters stood when they measured."""

from collections.abc import Sequence

import psycopg

from processors.first_of_meter import LONGEST_FRAME_US, Question, firsts, frames_of
from processors.windows import Windowing, summarise
from schemas.delivery import Delivery, Rows
from schemas.layout import Mask
from sinks.copy_binary import encode
from sinks.journal import copy
from sinks.meter_book import MeterBook
from sinks.windows_table import COPY_WINDOWS, window_columns

# The readings are written already: a meter that has no others in the window is new in it.
_ALONE = """
SELECT k.position
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
    AS k (position, meter_id, since_us, until_us, count)
WHERE k.count = (SELECT count(*) FROM (
    SELECT FROM meter_readings r
    WHERE r.meter_id = k.meter_id AND r.reading_time >= 'epoch'::timestamptz + k.since_us * interval '1 microsecond'
      AND r.reading_time < 'epoch'::timestamptz + k.until_us * interval '1 microsecond'
    LIMIT k.count + 1
) readings)
"""


class WindowWriter:
    """Writes partials in the transaction of their readings.

    Args:
        how: lengths, lateness and limits of windows.
    """

    def __init__(self, how: Windowing) -> None:
        self._how = how
        self._book = MeterBook()
        self._reached: dict[tuple[str, str, int], int] = {}

    def forget(self) -> None:
        """Know nothing of any meter; to be called when a transaction has failed."""
        self._book.forget()
        self._reached.clear()

    async def foresee(self, connection: psycopg.AsyncConnection, delivery: Delivery[Rows]) -> None:
        """Learn where the meters of a delivery are and what their newest readings were, before its rows are written."""
        self._notice_others(delivery)
        if len(delivery.rows):
            since_us = int(delivery.rows.batch.time_us.min()) - LONGEST_FRAME_US
            await self._book.follow(connection)
            await self._book.meet(connection, delivery.rows.meter_id, since_us)

    async def write(self, connection: psycopg.AsyncConnection, delivery: Delivery[Rows], fresh: Mask) -> None:
        """Append what the fresh rows of a delivery, which are in the table by now, add to their windows."""
        rows = delivery.rows.where(fresh)
        if not len(rows):
            return
        book, time_us = self._book, rows.batch.time_us
        places = await book.places(connection, rows.meter_id, time_us)
        frames = frames_of(time_us, places.zone, book.zones, places.since_us, places.until_us)
        first, questions = firsts(rows.meter_id, time_us, book.newest(rows.meter_id), frames)
        for question in questions:
            first[question.length][await _alone(connection, question)] = True
        partials = summarise(rows.batch, rows.flag, places.group, first, rows.mark_us, self._how)
        transformers, classes = book.transformers(partials.group_id), book.class_names(partials.group_id)
        await copy(connection, COPY_WINDOWS, encode(window_columns(partials, transformers, classes)))
        book.advance(rows.meter_id, time_us)

    def _notice_others(self, delivery: Delivery[Rows]) -> None:
        """Forget everything where a partition was moved on by somebody else since it was written to here."""
        for step in delivery.progress:
            key = delivery.topic, delivery.topic_id, step.partition
            if self._reached.get(key, step.expected) != step.expected:
                self._book.forget()
            self._reached[key] = step.next_offset


async def _alone(connection: psycopg.AsyncConnection, question: Question) -> Sequence[int]:
    """Return the positions of which the answer is yes."""
    columns = [getattr(question, name) for name in ("position", "meter_id", "since_us", "until_us", "count")]
    return [row[0] for row in await (await connection.execute(_ALONE, columns)).fetchall()]
