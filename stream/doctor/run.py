"""All checks, those that wait for a network side by side."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from schemas.errors import ConfigurationError
from stream.doctor import engine, machine, services
from stream.doctor.findings import Finding, fail, ok
from stream.endpoints import ALL, resolve
from stream.processes import noted
from stream.settings import Settings
from stream.stack.endpoints import Endpoints
from stream.stack.settings import StackSettings

Check = Callable[[], list[Finding]]


def examine(settings: Settings) -> list[Finding]:
    """Look at everything."""
    checks = [*_machine(settings)]
    try:
        endpoints = resolve(settings)
    except ConfigurationError as error:
        unknown = [fail("endpoints", str(error), "or see what keeps the stack from starting, above")]
        checks.append(lambda: unknown)
    else:
        checks += _services(settings, endpoints)
    with ThreadPoolExecutor(len(checks)) as pool:
        return list(chain.from_iterable(pool.map(lambda check: check(), checks)))


def _machine(settings: Settings) -> Iterator[Check]:
    stack = StackSettings()
    kafka_needed = settings.kafka_url is None
    mqtt_needed = settings.mqtt_url is None
    needed = kafka_needed or mqtt_needed
    yield lambda: [machine.python()]
    yield lambda: [machine.java(needed=needed)]
    yield lambda: [machine.maven(stack, needed=needed)]
    yield lambda: [machine.mqtt_broker(stack, needed=mqtt_needed)]
    yield lambda: [machine.disk(settings.local_dir)]


def _services(settings: Settings, endpoints: Endpoints) -> Iterator[Check]:
    processes = noted(settings.local_dir)
    worker_runs = any(process.component == "worker" and process.alive for process in processes)
    ours = [name for name in ALL if getattr(settings, name) is None]
    where = f"the local stack in {settings.local_dir} for {', '.join(ours)}" if ours else "all from the settings"
    yield lambda: [ok("endpoints", where)]
    yield lambda: services.kafka(endpoints.kafka_url)
    yield lambda: [services.mqtt(endpoints.mqtt_url, settings)]
    yield lambda: services.database(endpoints.database_url)
    yield lambda: [services.redis_server(endpoints.redis_url)]
    yield lambda: engine.processes(processes)
    yield lambda: engine.lag(endpoints, settings.worker.app_id, worker_runs=worker_runs)
