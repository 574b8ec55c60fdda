"""The arithmetic of the proof: what became of each reading, and whether that adds up; pure."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from schemas.layout import Ints, Mask

#: What became of a valid reading: it is a row; it repeats one; it contradicts one; there is no row for it; it is a row
#: with other values than Kafka has.
ROW, DUPLICATE, CONFLICT, MISSING, ALTERED = range(5)

Verdicts = npt.NDArray[np.int8]


def first_of_each(key: Ints, time_us: Ints, record: Ints) -> Mask:
    """Say which readings are the first of their meter and time within their record.

    Args:
        key: int64[n], one number per meter.
        time_us: int64[n], reading time [us].
        record: int64[n], one number per Kafka record.
    """
    first = np.ones(len(key), dtype=bool)
    order = np.lexsort((time_us, key, record))  # stable: the first occurrence leads its group
    same = np.ones(max(len(key) - 1, 0), dtype=bool)
    for column in (key, time_us, record):
        same &= column[order][1:] == column[order][:-1]
    first[order[1:][same]] = False
    return first


def judge(first: Mask, found: Mask, own: Mask, differs: Mask) -> Verdicts:
    """Say what became of valid readings.

    Args:
        first: bool[n], the first of its meter and time within its record.
        found: bool[n], the database has a row of that meter and time.
        own: bool[n], and that row says that it came from this very record.
        differs: bool[n], and that row has other values.
    """
    verdicts = np.where(differs, CONFLICT, DUPLICATE).astype(np.int8)
    verdicts[own & first] = ROW
    verdicts[own & first & differs] = ALTERED
    verdicts[~found] = MISSING
    return verdicts


@dataclass(frozen=True)
class Counters:
    """What the workers have counted of a partition, in the same transactions as its rows."""

    readings: int
    stored: int
    duplicates: int
    rejected: int


@dataclass
class Account:
    """One partition.

    Attributes:
        partition: Kafka partition, None for the sum of all.
        records: Kafka records that were looked at.
        readings: readings in them, readable or not.
        rows: rows that the database says came from them.
        rejected: readings that the database has among the rejected.
        duplicates: readings that repeat a row of the database, value for value.
        missing: valid readings whose meter and time the database does not have, and which it did not refuse either.
        altered: rows whose values are not those that Kafka has.
        rejects_missing: readings that should be among the rejected and are not.
        pending: records that the database has not reached yet: lag, not loss.
        lost_records: records that Kafka had dropped before they were stored.
        counters: what the workers have counted, where the account covers all of that.
    """

    partition: int | None
    records: int = 0
    readings: int = 0
    rows: int = 0
    rejected: int = 0
    duplicates: int = 0
    missing: int = 0
    altered: int = 0
    rejects_missing: int = 0
    pending: int = 0
    lost_records: int = 0
    counters: Counters | None = None

    @property
    def unaccounted(self) -> int:
        """Readings that are neither rows nor rejects nor duplicates; negative where there are rows from nowhere."""
        return self.readings - self.rows - self.rejected - self.duplicates

    @property
    def counted(self) -> Counters:
        """What the workers should have counted."""
        return Counters(self.readings, self.rows, self.duplicates, self.rejected)

    @property
    def miscounted(self) -> bool:
        """Whether the workers' counters say otherwise."""
        return self.counters is not None and self.counters != self.counted

    @property
    def sound(self) -> bool:
        """Whether everything is where it belongs."""
        nowhere = self.unaccounted or self.missing or self.rejects_missing or self.lost_records
        return not (nowhere or self.altered or self.miscounted)

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "unaccounted": self.unaccounted}

    @classmethod
    def total(cls, accounts: list[Self]) -> Self:
        """Sum partitions up."""
        names = [item.name for item in fields(cls) if item.name not in {"partition", "counters"}]
        return cls(None, **{name: sum(getattr(account, name) for account in accounts) for name in names})


@dataclass(frozen=True)
class RejectAccount:
    """What the topic of rejects holds, whoever rejected it: the bridge too.

    Attributes:
        records: records of the span.
        stored: rejects in the database.
        waiting: rejects that their consumer has not reached yet: lag, not loss.
        foreign: records that are no rejects of ours.
        missing: rejects that the consumer has passed and the database does not have.
    """

    records: int = 0
    stored: int = 0
    waiting: int = 0
    foreign: int = 0
    missing: int = 0


@dataclass(frozen=True)
class Reconciliation:
    """The whole proof.

    Attributes:
        topic: Kafka topic of the readings.
        topic_id: identity of this life of the topic.
        partitions: one account each.
        rejects: the topic of rejects.
        examples: some of what is wrong, in words.
    """

    topic: str
    topic_id: str
    partitions: list[Account]
    rejects: RejectAccount
    examples: list[str] = field(default_factory=list)

    @property
    def total(self) -> Account:
        """All partitions together."""
        return Account.total(self.partitions)

    @property
    def sound(self) -> bool:
        """Whether nothing was lost, nothing counted twice and nothing changed on the way."""
        return not self.rejects.missing and all(account.sound for account in self.partitions)

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "topic": self.topic,
            "topic_id": self.topic_id,
            "sound": self.sound,
            "unaccounted": self.total.unaccounted,
            "total": {name: value for name, value in self.total.as_json().items() if name in _SUMMED},
            "partitions": [account.as_json() for account in self.partitions],
            "rejects": asdict(self.rejects),
            "examples": self.examples,
        }


_SUMMED = {item.name for item in fields(Account)} - {"partition", "counters"} | {"unaccounted"}
