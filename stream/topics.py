"""Kafka topics as they really are: create the missing ones, count partitions, name what differs."""

import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined] # documented there, re-exported without saying so
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from schemas.errors import ConfigurationError, ServiceUnavailable
from schemas.topics import TOPICS, TopicSpec

_TIMEOUT_S = 5.0
_POLL_S = 0.1
#: The client's own words go nowhere; what matters comes back as an exception.
_SILENT = {"log_level": 0}


def bootstrap_servers(kafka_url: str) -> str:
    """Return `host:port[,host:port]` of a `kafka://` URL.

    Raises:
        ConfigurationError: the URL is not one.
    """
    parts = urlsplit(kafka_url)
    if parts.scheme != "kafka" or not parts.netloc:
        raise ConfigurationError(f"kafka_url must be kafka://host:port[,host:port], this is {kafka_url!r}")
    return parts.netloc


def ensure_topics(kafka_url: str, partitions: int, replication: int, specs: Iterable[TopicSpec] = TOPICS) -> None:
    """Create the topics that are missing and wait until every one of them can be written.

    An existing topic is never changed; where its settings differ from the specification, a warning names them.

    Args:
        kafka_url: `kafka://host:port[,host:port]`.
        partitions: of each topic to be created whose specification does not say.
        replication: of each topic to be created.
        specs: topics that must exist.

    Raises:
        ServiceUnavailable: Kafka does not answer, or the topics did not appear in time.
    """
    wanted = {spec.name: spec for spec in specs}
    admin = _admin(kafka_url)
    existing = _counts(admin)
    missing = [spec for spec in wanted.values() if spec.name not in existing]
    if missing:
        _create(admin, [_new(spec, partitions, replication) for spec in missing])
        _wait_for(admin, wanted)
    _warn_of_differences(admin, [spec for spec in wanted.values() if spec.name in existing])


def partition_count(kafka_url: str, topic: str) -> int:
    """Return how many partitions a topic has.

    Raises:
        ServiceUnavailable: Kafka does not answer, or has no such topic yet.
    """
    counts = _counts(_admin(kafka_url))
    if topic not in counts:
        raise ServiceUnavailable("kafka", f"no topic {topic}")
    return counts[topic]


def topic_id(kafka_url: str, topic: str) -> str:
    """Return the identity of this life of a topic: another one after it is deleted and made again.

    Raises:
        ServiceUnavailable: Kafka does not answer, or has no such topic.
    """
    # The client must outlive its answer: dropped, it cancels what is under way.
    admin = _admin(kafka_url)
    answer = admin.describe_topics(TopicCollection([topic]), request_timeout=_TIMEOUT_S)[topic]
    try:
        return str(answer.result().topic_id)
    except KafkaException as failure:
        raise ServiceUnavailable("kafka", failure.args[0].str()) from failure


def _admin(kafka_url: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap_servers(kafka_url), **_SILENT})


def _counts(admin: AdminClient) -> dict[str, int]:
    try:
        found = admin.list_topics(timeout=_TIMEOUT_S).topics
    except KafkaException as failure:
        raise ServiceUnavailable("kafka", failure.args[0].str()) from failure
    return {name: len(topic.partitions) for name, topic in found.items() if topic.error is None and topic.partitions}


def _new(spec: TopicSpec, partitions: int, replication: int) -> NewTopic:
    count = spec.partitions or partitions
    return NewTopic(spec.name, num_partitions=count, replication_factor=replication, config=spec.config)


def _create(admin: AdminClient, topics: list[NewTopic]) -> None:
    for creation in admin.create_topics(topics, request_timeout=_TIMEOUT_S).values():
        try:
            creation.result()
        except KafkaException as failure:
            # Another process of ours may be starting at the same moment.
            if failure.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise ServiceUnavailable("kafka", failure.args[0].str()) from failure


def _wait_for(admin: AdminClient, names: Iterable[str]) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while absent := sorted(set(names) - set(_counts(admin))):
        if time.monotonic() > deadline:
            raise ServiceUnavailable("kafka", f"topics {absent} were created but do not appear")
        time.sleep(_POLL_S)


def _warn_of_differences(admin: AdminClient, specs: list[TopicSpec]) -> None:
    if not specs:
        return
    resources = [ConfigResource(ResourceType.TOPIC, spec.name) for spec in specs]
    answers = {resource.name: answer for resource, answer in admin.describe_configs(resources).items()}
    for spec in specs:
        found: dict[str, Any] = answers[spec.name].result(timeout=_TIMEOUT_S)
        for name, wanted in spec.config.items():
            if found[name].value != wanted:
                structlog.get_logger("kafka").warning(
                    "topic_differs", topic=spec.name, setting=name, wanted=wanted, found=found[name].value
                )
