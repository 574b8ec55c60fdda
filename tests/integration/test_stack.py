"""The local stack with its real servers: it starts, survives, and leaves nothing behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis
from click.testing import CliRunner
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from stream.cli import main
from stream.stack.endpoints import Endpoints
from stream.stack.ports import is_free
from stream.stack.stack import LocalStack
from stream.stack.status import ServerState
from tests.integration.mqtt_probe import MqttProbe

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

SERVERS = ("kafka", "mqtt", "postgres", "redis")


def _port(url: str) -> int:
    match = re.search(r":(\d+)(/|$)", url)
    assert match is not None
    return int(match.group(1))


def _broker(endpoints: Endpoints) -> str:
    return endpoints.kafka_url.removeprefix("kafka://")


def _produce(endpoints: Endpoints, topic: str, value: bytes) -> None:
    admin = AdminClient({"bootstrap.servers": _broker(endpoints)})
    if topic not in admin.list_topics(timeout=10).topics:
        admin.create_topics([NewTopic(topic, 1)])[topic].result(10)
    producer = Producer({"bootstrap.servers": _broker(endpoints), "acks": "all", "message.max.bytes": 16_000_000})
    producer.produce(topic, value)
    assert producer.flush(20) == 0


def _consume(endpoints: Endpoints, topic: str) -> bytes | None:
    consumer = Consumer(
        {"bootstrap.servers": _broker(endpoints), "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    message = consumer.poll(30)
    consumer.close()
    return None if message is None or message.error() else message.value()


def _remember(endpoints: Endpoints, mark: str) -> None:
    """Leave a mark in every server."""
    _produce(endpoints, "marks", mark.encode())
    with psycopg.connect(endpoints.database_url) as connection:
        connection.execute("create table if not exists marks (mark text)")
        connection.execute("insert into marks values (%s)", [mark])
    with redis.Redis.from_url(endpoints.redis_url) as client:
        client.set("mark", mark)
    probe = MqttProbe(_port(endpoints.mqtt_url), f"sub-{mark}")
    probe.subscribe("marks/#")
    probe.close()
    publisher = MqttProbe(_port(endpoints.mqtt_url), f"pub-{mark}")
    publisher.publish("marks/1", mark.encode())
    publisher.close()


def _assert_remembered(endpoints: Endpoints, mark: str) -> None:
    """Find the mark in every server; MQTT delivers it to the session that was away."""
    assert _consume(endpoints, "marks") == mark.encode()
    with psycopg.connect(endpoints.database_url) as connection:
        assert connection.execute("select mark from marks").fetchall() == [(mark,)]
    with redis.Redis.from_url(endpoints.redis_url) as client:
        assert client.get("mark") == mark.encode()
    probe = MqttProbe(_port(endpoints.mqtt_url), f"sub-{mark}")
    assert probe.session_present
    assert probe.receive() == mark.encode()
    probe.close()


def _traces(directory: Path) -> list[str]:
    """Return the processes that name the directory on their command line."""
    listed = subprocess.run(["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(directory) in line and str(os.getpid()) not in line.split()[:1]]


def _assert_nothing_left(directory: Path, ports: list[int], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while _traces(directory) or not all(map(is_free, ports)):
        assert time.monotonic() < deadline, _traces(directory)
        time.sleep(0.1)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[LocalStack]:
    """A stack of the test's own, not started."""
    made = LocalStack(tmp_path / "own")
    yield made
    made.down(purge=True)


def test_every_server_answers_on_loopback_only(local_stack: LocalStack, stack: Endpoints) -> None:
    status = local_stack.status(probe=True)

    assert status.healthy
    outward = socket.gethostbyname(socket.gethostname())
    for server in status.servers:
        assert server.port in {_port(url) for url in vars(stack).values()}
        if not outward.startswith("127."):
            with pytest.raises(OSError, match=r"refused|timed out|unreachable"):
                socket.create_connection((outward, server.port), timeout=1)


def test_both_java_servers_get_the_options_that_are_set_for_them(local_stack: LocalStack) -> None:
    wanted = os.environ["METERSTREAM_STACK_JAVA_OPTIONS"].encode()
    for server in local_stack.status().servers:
        arguments = Path(f"/proc/{server.pid}/cmdline").read_bytes().split(b"\0")
        assert (wanted in arguments) == arguments[0].endswith(b"java")


def test_psql_reads_the_database_url(stack: Endpoints) -> None:
    with psycopg.connect(stack.database_url) as connection:
        row = connection.execute("select current_user, current_database(), current_setting('fsync')").fetchone()

    assert row == ("meterstream", "meterstream", "on")


def test_the_database_refuses_a_wrong_password(stack: Endpoints) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(re.sub(r":[^:@/]+@", ":wrong@", stack.database_url))


def test_a_second_up_returns_the_same_endpoints_at_once(local_stack: LocalStack, stack: Endpoints) -> None:
    supervisor = local_stack.status().supervisor_pid

    assert LocalStack(local_stack.directory).up() == stack
    assert local_stack.status().supervisor_pid == supervisor


def test_status_command_agrees(local_stack: LocalStack) -> None:
    result = CliRunner().invoke(main, ["stack", "status", "--json", "--dir", str(local_stack.directory)])

    assert result.exit_code == 0
    assert {server["name"] for server in json.loads(result.output)["servers"]} == set(SERVERS)


def test_a_hanging_server_is_not_healthy(local_stack: LocalStack) -> None:
    pid = local_stack.status().server("redis").pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        status = local_stack.status(probe=True)
    finally:
        os.kill(pid, signal.SIGCONT)

    assert status.server("redis").state is ServerState.UNRESPONSIVE
    assert not status.healthy


@pytest.mark.parametrize("name", SERVERS)
def test_a_killed_server_comes_back_on_its_port(local_stack: LocalStack, stack: Endpoints, name: str) -> None:
    before = local_stack.status().server(name)

    local_stack.kill(name)

    assert local_stack.wait_healthy() == stack
    after = local_stack.status().server(name)
    assert after.restarts == before.restarts + 1
    assert after.pid != before.pid


def test_a_session_that_outlives_the_killed_database_does_not_keep_it_from_starting(
    local_stack: LocalStack, stack: Endpoints
) -> None:
    """It was busy and noticed nothing; eight starts failed meanwhile, and the database stayed down."""
    with psycopg.connect(stack.database_url) as connection, ThreadPoolExecutor() as beside:
        busy = beside.submit(connection.execute, "SELECT sum(n) FROM generate_series(1, 1000000000) AS n")
        pid = connection.info.backend_pid
        while "SELECT" not in Path(f"/proc/{pid}/cmdline").read_text():
            time.sleep(0.05)
        # Somebody else who stands in the directory is nobody's orphan.
        with subprocess.Popen(["sleep", "300"], cwd=local_stack.directory / "data" / "postgres") as bystander:
            try:
                local_stack.kill("postgres")
                assert local_stack.wait_healthy() == stack
                assert bystander.poll() is None
            finally:
                bystander.kill()
        with pytest.raises(psycopg.OperationalError):
            busy.result(timeout=20)


def test_a_held_server_is_an_outage_until_released(local_stack: LocalStack, stack: Endpoints) -> None:
    local_stack.hold("postgres")
    try:
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(stack.database_url, connect_timeout=2)
        assert local_stack.endpoints() is None
    finally:
        local_stack.release("postgres")

    assert local_stack.wait_healthy() == stack


def test_a_record_of_ten_megabytes_passes(stack: Endpoints) -> None:
    payload = os.urandom(10_000_000)
    subscriber = MqttProbe(_port(stack.mqtt_url), "big-sub")
    subscriber.subscribe("$share/big/large/+")

    subscriber.publish("large/1", payload)

    assert subscriber.receive() == payload
    subscriber.close()
    _produce(stack, "large", payload)


def test_data_ports_and_sessions_survive_a_clean_restart_and_a_crash_of_everything(own: LocalStack) -> None:
    endpoints = own.up()
    mark = uuid.uuid4().hex
    _remember(endpoints, mark)
    own.down()
    _assert_nothing_left(own.directory, [_port(url) for url in vars(endpoints).values()])

    assert own.up() == endpoints
    status = own.status()
    assert status.supervisor_pid is not None
    for pid in (status.supervisor_pid, *(server.pid for server in status.servers if server.pid is not None)):
        os.kill(pid, signal.SIGKILL)
    _assert_nothing_left(own.directory, [_port(url) for url in vars(endpoints).values()])

    assert own.up() == endpoints
    _assert_remembered(endpoints, mark)


def test_two_stacks_side_by_side_do_not_meet(own: LocalStack, stack: Endpoints) -> None:
    endpoints = own.up(attached=True)

    assert not {_port(url) for url in vars(endpoints).values()} & {_port(url) for url in vars(stack).values()}
    with redis.Redis.from_url(endpoints.redis_url) as mine, redis.Redis.from_url(stack.redis_url) as theirs:
        mine.set("whose", "mine")
        assert theirs.get("whose") is None
    own.down(purge=True)
    assert not own.directory.exists()


def test_callers_that_race_share_one_stack(own: LocalStack) -> None:
    callers = [LocalStack(own.directory) for _ in range(3)]

    with ThreadPoolExecutor(3) as pool:
        endpoints = set(pool.map(lambda caller: caller.up(), callers))

    assert len(endpoints) == 1
    assert len([line for line in _traces(own.directory) if "stream.stack.supervisor" in line]) == 1


def test_a_killed_caller_leaves_no_process_behind(tmp_path: Path) -> None:
    directory = tmp_path / "attached"
    script = (
        "import sys, time; from pathlib import Path; from stream.stack.stack import LocalStack\n"
        "print(LocalStack(Path(sys.argv[1])).up(attached=True).kafka_url, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, directory], stdout=subprocess.PIPE, text=True) as caller:
        try:
            assert caller.stdout is not None
            assert caller.stdout.readline().startswith("kafka://")
            ports = [server.port for server in LocalStack(directory).status().servers]
            assert len(_traces(directory)) > len(SERVERS)
        finally:
            os.kill(caller.pid, signal.SIGKILL)

    _assert_nothing_left(directory, ports)
    assert LocalStack(directory).status().supervisor_pid is None


def test_a_stack_whose_starter_ended_stays_up(own: LocalStack) -> None:
    script = "from stream.cli import main; main()"
    argv = [sys.executable, "-c", script, "stack", "up", "--dir", str(own.directory)]

    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=200)

    assert done.returncode == 0, done.stderr
    assert "METERSTREAM_KAFKA_URL=kafka://127.0.0.1:" in done.stdout
    assert own.status(probe=True).healthy
