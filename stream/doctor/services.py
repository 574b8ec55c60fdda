"""The services: whether they answer, which they are, and whether they are as the engine needs them."""

import threading
import time
from typing import Any

import paho.mqtt.client as paho
import redis
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from paho.mqtt.enums import CallbackAPIVersion
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from schemas.errors import MeterstreamError
from schemas.topics import METERS_RAW, TOPICS
from stream.bridge.url import read_url, tls_context
from stream.database import connected
from stream.doctor.findings import Finding, fail, ok, warn
from stream.logs import without_password
from stream.schema_status import schema_status
from stream.settings import Settings
from stream.topics import bootstrap_servers

_TIMEOUT_S = 5.0
#: Arrival times come from the engine's clock; validation allows a day, people expect a second.
_SKEW_WARN_S, _SKEW_FAIL_S = 1.0, 60.0


def kafka(url: str) -> list[Finding]:
    """Look at the Kafka cluster and the engine's topics."""
    remedy = "is it up (`meterstream stack status`)? is METERSTREAM_KAFKA_URL right?"
    try:
        admin = AdminClient({"bootstrap.servers": bootstrap_servers(url), "log_level": 0})
        cluster = admin.describe_cluster(request_timeout=_TIMEOUT_S).result()
        found = admin.list_topics(timeout=_TIMEOUT_S).topics
    except (KafkaException, MeterstreamError) as error:
        return [fail("kafka", f"{url}: {error}", remedy)]
    partitions = {name: len(topic.partitions) for name, topic in found.items()}
    answer = ok("kafka", f"{url}: cluster {cluster.cluster_id}, {len(cluster.nodes)} broker(s)")
    return [answer, _topics(partitions)]


def _topics(partitions: dict[str, int]) -> Finding:
    missing = [spec.name for spec in TOPICS if spec.name not in partitions]
    counts = ", ".join(f"{spec.name} {partitions[spec.name]}" for spec in TOPICS if spec.name in partitions)
    if missing:
        detail = f"missing: {', '.join(missing)}; partitions: {counts or 'none'}"
        return warn("topics", detail, "start a bridge or a worker: they create what is missing")
    odd = [name for name in ("meters.clean",) if partitions[name] != partitions[METERS_RAW.name]]
    if odd:
        remedy = f"give them as many partitions as {METERS_RAW.name}: the worker keeps readings in their partition"
        return fail("topics", f"partitions: {counts}", remedy)
    return ok("topics", f"partitions: {counts}")


def mqtt(url: str, settings: Settings) -> Finding:
    """Look at the MQTT broker, as the bridge would connect."""
    remedy = "is it up (`meterstream stack status`)? are METERSTREAM_MQTT_URL and METERSTREAM_MQTT__... right?"
    answered, said = threading.Event(), list[Any]()

    def on_connect(_client: Any, _data: Any, _flags: Any, reason: Any, properties: Any) -> None:
        said.extend((reason, getattr(properties, "ReceiveMaximum", 65_535)))
        answered.set()

    try:
        where = read_url(url, settings.mqtt)
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        client.username_pw_set(where.username, where.password)
        context = tls_context(where, settings.mqtt)
        if context is not None:
            client.tls_set_context(context)
        client.on_connect = on_connect
        client.connect(where.host, where.port)
    except (OSError, MeterstreamError) as error:
        return fail("mqtt", f"{without_password(url)}: {error}", remedy)
    client.loop_start()
    came = answered.wait(_TIMEOUT_S)
    client.disconnect()
    client.loop_stop()
    if not came or said[0].is_failure:
        return fail("mqtt", f"{where.address}: {said[0] if came else 'no answer to CONNECT'}", remedy)
    return ok("mqtt", f"{where.address}: MQTT 5, takes {said[1]:,} messages at a time")


def database(url: str) -> list[Finding]:
    """Look at the database, its schema and its clock."""
    try:
        status, skew = schema_status(url), _skew(url)
    except MeterstreamError as error:
        remedy = "is it up (`meterstream stack status`)? is METERSTREAM_DATABASE_URL right?"
        return [fail("database", without_password(str(error)), remedy)]
    findings = [ok("database", status.product)]
    if status.due:
        findings.append(warn("migrations", f"to be applied: {', '.join(status.due)}", "run `meterstream db migrate`"))
    else:
        applied = [migration for migration in status.migrations if migration.applied]
        findings.append(ok("migrations", f"{len(applied)} applied, none due"))
    return [*findings, skew]


def _skew(url: str) -> Finding:
    with connected(url) as connection:
        before = time.time()
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
        after = time.time()
    skew_s = float(row[0] if row else 0.0) - (before + after) / 2
    detail = f"the database's is {abs(skew_s) * 1000:.0f} ms {'ahead' if skew_s > 0 else 'behind'}"
    remedy = "let both machines follow an NTP server"
    if abs(skew_s) > _SKEW_FAIL_S:
        return fail("clocks", detail, remedy)
    return warn("clocks", detail, remedy) if abs(skew_s) > _SKEW_WARN_S else ok("clocks", detail)


def redis_server(url: str) -> Finding:
    """Look at Redis."""
    shown = without_password(url)
    try:
        with redis.Redis.from_url(
            url, socket_connect_timeout=_TIMEOUT_S, socket_timeout=_TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        ) as client:
            info: dict[str, Any] = client.info()
    except (RedisError, ValueError) as error:
        remedy = "is it up (`meterstream stack status`)? is METERSTREAM_REDIS_URL right?"
        return fail("redis", f"{shown}: {error}", remedy)
    detail = f"{shown}: Redis {info['redis_version']}, {info['used_memory_human']} in use"
    if info.get("loading"):
        return warn("redis", f"{detail}, still loading its file", "wait")
    return ok("redis", detail)
