"""Where stored readings came from: each names its record, and the sources of records are kept where they change."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import psycopg

from processors.vee.rule_set import RuleSet
from schemas.errors import ConfigurationError
from schemas.layout import Ints, Positions

#: More offsets than a partition will ever have, so that partition and offset are one number.
_OFFSETS = 2**48
_RUNS = "SELECT partition, first_offset, source FROM record_sources WHERE topic = %s ORDER BY partition, first_offset"
_LIVES = "SELECT count(DISTINCT topic_id) FROM stream_offsets WHERE topic = %s AND stored > 0"
_UNKNOWN = """
SELECT EXISTS (
    SELECT FROM meter_readings r
    LEFT JOIN (SELECT partition, min(first_offset) AS first FROM record_sources WHERE topic = %s GROUP BY partition) s
        ON s.partition = r.source_partition
    WHERE r.meter_id = ANY(%s) AND (s.first IS NULL OR r.source_offset < s.first)
)
"""
_ASK = (
    "name it with --source, and the meters that sent from it with --meter; any other name stands for a source without "
    "numbers of its own"
)


class RecordSources:
    """The sources of one topic's records, as codes of a rule set.

    Args:
        first: int64[k], partition and first offset of each run as one number, rising.
        code: intp[k], the source of each.
    """

    def __init__(self, first: Ints, code: Positions) -> None:
        self._first = first
        self._code = code

    @classmethod
    def only(cls, code: int) -> Self:
        """Return those of records that all come from one source."""
        return cls(np.zeros(1, dtype=np.int64), np.full(1, code, dtype=np.intp))

    @classmethod
    def read(cls, connection: psycopg.Connection, topic: str, meter_ids: Sequence[int], rules: RuleSet) -> Self:
        """Read what is kept of a topic; a rule set that tells no sources apart needs nothing.

        Raises:
            ConfigurationError: the source of some reading of these meters is not known.
        """
        if not rules.sources:
            return cls.only(0)
        known = f"the rule set has numbers for sources ({', '.join(rules.sources)}), and "
        (lives,) = connection.execute(_LIVES, (topic,)).fetchone() or (0,)
        if lives > 1:
            raise ConfigurationError(
                f"{known}{topic} was made anew, and records of before cannot be told from later ones; {_ASK}"
            )
        if connection.execute(_UNKNOWN, (topic, list(meter_ids))).fetchone() == (True,):
            raise ConfigurationError(f"{known}some readings were stored before theirs was kept; {_ASK}")
        found = connection.execute(_RUNS, (topic,)).fetchall()
        first = np.fromiter((partition * _OFFSETS + offset for partition, offset, _ in found), dtype=np.int64)
        return cls(first, np.fromiter((rules.source_code(name) for *_, name in found), dtype=np.intp))

    def codes(self, partition: Ints, offset: Ints) -> Positions:
        """Return intp[n], the source of the record at each partition and offset."""
        return self._code[np.searchsorted(self._first, partition * _OFFSETS + offset, side="right") - 1]
