"""The topic of rejects against the table: stored, on its way, or missing."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from schemas.rejected import Reason, Rejected
from stream.reconcile.account import RejectAccount
from stream.reconcile.rejects import follow_rejects
from stream.topic_reader import Span


class Message:
    def __init__(self, offset: int, value: bytes, partition: int = 0) -> None:
        self._offset, self._value, self._partition = offset, value, partition

    def offset(self) -> int:
        return self._offset

    def partition(self) -> int:
        return self._partition

    def value(self) -> bytes:
        return self._value


class Reader:
    def __init__(self, messages: list[Message], committed: Mapping[int, int]) -> None:
        self._messages, self._committed = messages, committed

    def committed(self) -> Mapping[int, int]:
        return self._committed

    def read(self, _spans: Mapping[int, Span]) -> Iterator[list[Any]]:
        for message in self._messages:
            yield [message]


class Ledger:
    def __init__(self, stored: set[str]) -> None:
        self._stored = stored
        self.waiting: list[str] = []

    def stored_rejects(self, ids: Sequence[str]) -> set[str]:
        return self._stored & set(ids)

    def wait_for_rejects(self, ids: Sequence[str]) -> None:
        self.waiting += ids


def reject(payload: bytes) -> Rejected:
    return Rejected.of(payload, Reason.NOT_JSON, "no", source="mqtt:meters/M1/reading", rejected_at=datetime.now(UTC))


def test_rejects_are_stored_or_on_their_way_or_missing() -> None:
    stored, lost, ahead = reject(b"1"), reject(b"2"), reject(b"3")
    values = [item.model_dump_json().encode() for item in (stored, lost, ahead)]
    reader = Reader([Message(at, value) for at, value in enumerate([*values, b"{}"])], {0: 2})
    ledger = Ledger({stored.reject_id})

    account = follow_rejects(reader, ledger, {0: Span(0, 4)})  # type: ignore[arg-type]

    assert account == RejectAccount(records=4, stored=1, waiting=1, foreign=1, missing=1)
    assert ledger.waiting == [ahead.reject_id]
