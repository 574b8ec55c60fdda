"""A zone that leaves its neighbours is told by a running engine, though its market's zones come by many partitions."""

import pytest
from confluent_kafka import Consumer

from schemas.alerts import Alert
from schemas.topics import ALERT_SIGNS
from stream.stack.stack import LocalStack
from stream.topics import bootstrap_servers
from tests.contracts.test_neighbours import STEPS, ZONES, day
from tests.contracts.test_neighbours_outbox import strayed
from tests.integration.processes import EngineProcess, query, wait_until
from tests.market_feed import produce

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ACCOUNTED = "SELECT coalesce(sum(readings), 0)::bigint FROM stream_offsets WHERE topic = 'market.raw'"
TOLD = "SELECT count(*) FROM alert_signs WHERE kind = 'neighbour_outlier'"


def test_a_zone_apart_is_one_sign_though_its_worker_is_killed(own_stack: LocalStack) -> None:
    batch, half = day(0, strayed()), STEPS // 2 * ZONES
    with EngineProcess("run worker", own_stack.directory) as worker:
        worker.wait_ready()
        produce(own_stack, batch.slice(0, half))
        wait_until(own_stack, ACCOUNTED, half)
        worker.kill()
        produce(own_stack, batch.slice(half, len(batch) - half))
        worker.start()
        worker.wait_ready()
        wait_until(own_stack, TOLD, 1)
    (sign,) = query(own_stack, "SELECT alert_id, element FROM alert_signs WHERE kind = 'neighbour_outlier'")
    assert sign[1] == "market/omie/Z3"
    assert sign[0] in published(own_stack)


def published(stack: LocalStack) -> set[str]:
    """Ids of the signs of this kind that Kafka has."""
    endpoints = stack.endpoints()
    assert endpoints is not None
    settings = {"bootstrap.servers": bootstrap_servers(endpoints.kafka_url), "group.id": "signs-of-the-test"}
    consumer = Consumer({**settings, "auto.offset.reset": "earliest"})
    consumer.subscribe([ALERT_SIGNS.name])
    found = [message for message in consumer.consume(1_000, timeout=20.0) if message.error() is None]
    consumer.close()
    signs = [Alert.model_validate_json(message.value() or b"") for message in found]
    return {sign.alert_id for sign in signs if sign.kind == "neighbour_outlier"}
