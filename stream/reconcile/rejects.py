"""The topic of rejects, held against the table of rejects."""

from collections.abc import Mapping
from dataclasses import replace

from confluent_kafka import Message
from pydantic import ValidationError

from schemas.rejected import Rejected
from stream.reconcile.account import RejectAccount
from stream.reconcile.ledger import Ledger
from stream.topic_reader import Span, TopicReader


def follow_rejects(reader: TopicReader, ledger: Ledger, spans: Mapping[int, Span]) -> RejectAccount:
    """Look up every reject of the spans; what its consumer has not reached yet is on its way.

    Args:
        reader: of the topic of rejects, with the group of the workers.
        ledger: the database.
        spans: what to look at.
    """
    # Read before the topic: a reject below it was in the database by then.
    reached = reader.committed()
    account = RejectAccount()
    for messages in reader.read(spans):
        account = _looked_up(messages, reached, ledger, account)
    return account


def _looked_up(
    messages: list[Message], reached: Mapping[int, int], ledger: Ledger, account: RejectAccount
) -> RejectAccount:
    passed, ahead, foreign = list[str](), list[str](), 0
    for message in messages:
        reject_id = _id(message)
        if reject_id is None:
            foreign += 1
        elif (message.offset() or 0) < reached[message.partition() or 0]:
            passed.append(reject_id)
        else:
            ahead.append(reject_id)
    ledger.wait_for_rejects(ahead)
    stored = ledger.stored_rejects([*passed, *ahead])
    return replace(
        account,
        records=account.records + len(messages),
        stored=account.stored + sum(reject_id in stored for reject_id in (*passed, *ahead)),
        waiting=account.waiting + sum(reject_id not in stored for reject_id in ahead),
        foreign=account.foreign + foreign,
        missing=account.missing + sum(reject_id not in stored for reject_id in passed),
    )


def _id(message: Message) -> str | None:
    try:
        return Rejected.model_validate_json(message.value() or b"").reject_id
    except ValidationError:
        return None
