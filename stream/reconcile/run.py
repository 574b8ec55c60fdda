"""The proof from end to end: read what Kafka holds, look all of it up, count, and say what is left over."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from schemas.rejected import Reason
from schemas.topics import CONTENT_TYPE
from stream.database import connected
from stream.reconcile.account import (
    ALTERED,
    CONFLICT,
    DUPLICATE,
    MISSING,
    Account,
    Reconciliation,
    Verdicts,
    first_of_each,
    judge,
)
from stream.reconcile.examine import Examined, Raw, examine, reject_ids
from stream.reconcile.ledger import Arrivals, Ledger, Position
from stream.reconcile.rejects import follow_rejects
from stream.reconcile.subject import Subject
from stream.stack.endpoints import Endpoints
from stream.topic_reader import Span, TopicReader
from stream.topics import topic_id

#: Payloads looked up at once [bytes], about 50 thousand readings: bounds the memory.
_BATCH_BYTES = 4 * 1024 * 1024
_BATCH_RECORDS = 4_096
_EXAMPLES = 10

#: Told how many records of how many have been looked up.
Watch = Callable[[int, int], None]


@dataclass(frozen=True)
class Request:
    """What to prove.

    Attributes:
        endpoints: where Kafka and the database are.
        group: consumer group of the workers.
        since: records that arrived before are left out; None for all that Kafka holds.
        until: records that arrived at or after are left out; None for all.
    """

    endpoints: Endpoints
    group: str
    since: datetime | None = None
    until: datetime | None = None


def reconcile(request: Request, subject: Subject, watch: Watch = lambda _done, _total: None) -> Reconciliation:
    """Hold Kafka against the database; neither is changed, and the engine may run on.

    Raises:
        ServiceUnavailable: Kafka or the database does not answer.
        ConfigurationError: the database has not been migrated.
    """
    kafka_url = request.endpoints.kafka_url
    identity = topic_id(kafka_url, subject.raw)
    with connected(request.endpoints.database_url) as connection:
        ledger = Ledger(connection, subject)
        with TopicReader(kafka_url, subject.raw) as reader:
            proof = _Proof(request, subject, ledger, reader, ledger.positions(subject.raw, identity))
            proof.look_up(reader.read(proof.spans), watch)
        proof.count_rows()
        with TopicReader(kafka_url, subject.rejected, request.group) as reader:
            # Up to the end: a reading's reject comes later than the reading.
            rejects = follow_rejects(reader, ledger, _asked_for(reader, replace(request, until=None)))
        proof.settle_rejects()
    examples = proof.examples + ([f"{rejects.missing} rejects of {subject.rejected}"] if rejects.missing else [])
    return Reconciliation(subject.raw, identity, list(proof.accounts.values()), rejects, examples)


def _asked_for(reader: TopicReader, request: Request) -> dict[int, Span]:
    """Return the spans of the records that arrived in the requested time."""
    spans = reader.bounds()
    since = reader.offsets_at(request.since) if request.since else {}
    until = reader.offsets_at(request.until) if request.until else {}
    return {
        partition: Span(max(since.get(partition, 0), span.first), min(until.get(partition, span.end), span.end))
        for partition, span in spans.items()
    }


class _Proof:
    """The state of one run.

    Args:
        request: what to prove.
        subject: readings or ticks.
        ledger: the database.
        reader: of the readings.
        positions: where the database stands.
    """

    def __init__(
        self, request: Request, subject: Subject, ledger: Ledger, reader: TopicReader, positions: Mapping[int, Position]
    ) -> None:
        self._subject = subject
        self._ledger = ledger
        self._arrivals: dict[int, Arrivals] = {}
        self._unsettled: dict[str, str] = {}
        self.examples: list[str] = []
        self.accounts: dict[int, Account] = {}
        self.spans: dict[int, Span] = {}
        everything = request.since is None and request.until is None
        for partition, asked in _asked_for(reader, request).items():
            position = positions.get(partition)
            reached = position.next_offset if position else asked.first
            account = Account(partition, pending=len(Span(max(asked.first, reached), asked.end)))
            if position:
                account.lost_records = position.lost_records + max(0, asked.first - reached if everything else 0)
                account.counters = position.counters if everything and asked.first == 0 else None
            self.accounts[partition] = account
            self.spans[partition] = Span(asked.first, min(asked.end, reached))

    def look_up(self, messages: Iterable[list[Message]], watch: Watch) -> None:
        """Take every record of the spans."""
        done, total = 0, sum(map(len, self.spans.values()))
        for records in _batches(messages):
            self._take(records)
            done += len(records)
            watch(done, total)

    def _take(self, records: list[Raw]) -> None:
        for record in records:
            self.accounts[record.partition].records += 1
            arrived = self._arrivals.get(record.partition, Arrivals(record.arrived_us, record.arrived_us))
            self._arrivals[record.partition] = arrived.with_(record.arrived_us)
        examined = examine(records, self._subject)
        keys = self._subject.names(examined.batch).dictionary_encode().indices.to_numpy(zero_copy_only=False)
        first = first_of_each(keys, examined.batch.time_us, examined.record)
        verdicts = judge(first, *self._ledger.compare(examined))
        self._expect_rejects(examined, verdicts)
        for partition, account in self.accounts.items():
            mine = np.bincount(verdicts[examined.partition == partition], minlength=ALTERED + 1)
            rejected = int(np.count_nonzero(examined.rejected_from == partition))
            account.readings += int(mine.sum()) + rejected
            account.rejected += rejected + int(mine[CONFLICT] + mine[MISSING])
            account.duplicates += int(mine[DUPLICATE])
            account.altered += int(mine[ALTERED])
        for row in np.flatnonzero(verdicts == ALTERED).tolist()[: _EXAMPLES - len(self.examples)]:
            self.examples.append(f"{self._described(examined, row)} has other values in the database")

    def _expect_rejects(self, examined: Examined, verdicts: Verdicts) -> None:
        """Look for the rejects of what is not valid, of what contradicts a row, and of what may have been refused."""
        self._ledger.expect_rejects(examined.reject_ids, examined.rejected_from, refused=False)
        for verdict, reason in ((CONFLICT, Reason.CONFLICTING_DUPLICATE), (MISSING, Reason.STORE_REFUSED)):
            rows = np.flatnonzero(verdicts == verdict)
            ids = reject_ids(examined.batch.take(rows), [reason] * len(rows))
            self._ledger.expect_rejects(ids, examined.partition[rows], refused=verdict == MISSING)
            for row, reject_id in zip(rows.tolist(), ids[: _EXAMPLES - len(self._unsettled)], strict=False):
                self._unsettled[reject_id] = self._described(examined, row)

    def count_rows(self) -> None:
        """Ask how many rows say that they came from the spans: independent of looking readings up."""
        for partition, rows in self._ledger.count_rows(self.spans, self._arrivals).items():
            self.accounts[partition].rows = rows

    def settle_rejects(self) -> None:
        """Take out of the account the rejects that are nowhere."""
        for missing in self._ledger.missing_rejects(_EXAMPLES):
            account = self.accounts[missing.partition]
            account.rejected -= missing.count
            if missing.refused:
                account.missing += missing.count
            else:
                account.rejects_missing += missing.count
            words = "is not in the database" if missing.refused else "is not in the database, and should be rejected"
            for reject_id in missing.ids[: _EXAMPLES - len(self.examples)]:
                reject = f"{self._subject.raw}[{missing.partition}]: a reading with the reject id {reject_id}"
                self.examples.append(f"{self._unsettled.get(reject_id, reject)} {words}")

    def _described(self, examined: Examined, row: int) -> str:
        source = f"{self._subject.raw}[{examined.partition[row]}]@{examined.offset[row]}"
        return f"{source}: {self._subject.describe(examined.batch, row)}"


def _batches(messages: Iterable[list[Message]]) -> Iterator[list[Raw]]:
    """Collect records until there are enough for one question."""
    waiting, size = list[Raw](), 0
    for some in messages:
        waiting += map(_raw, some)
        size += sum(len(message.value() or b"") for message in some)
        if size >= _BATCH_BYTES or len(waiting) >= _BATCH_RECORDS:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def _raw(message: Message) -> Raw:
    headers = dict(message.headers() or ())
    kind = headers.get(CONTENT_TYPE)
    clock, arrived_ms = message.timestamp()
    return Raw(
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        payload=message.value() or b"",
        content_type=kind.decode("latin-1") if isinstance(kind, bytes) else kind,
        arrived_us=0 if clock == TIMESTAMP_NOT_AVAILABLE else arrived_ms * 1000,
    )
