"""A few trials of the long run (`make chaos TRIALS=100`), and proof that a trial notices what is wrong."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from tests.chaos import found as look
from tests.chaos.faults import KINDS
from tests.chaos.field import Ground
from tests.chaos.load import Mix, make_load
from tests.chaos.oracle import expected
from tests.chaos.trial import Result, kind_of, run_trial
from tests.undisturbed import undisturbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

#: One trial of each; the rest of the faults is for the long run.
SHORT = (
    "kill worker",
    "kill worker at a step",
    "kill bridge",
    "kill bridge at a step",
    "kill Kafka",
    "kill PostgreSQL",
    "kill Redis",
    "kill MQTT broker",
    "connection resets",
    "Kafka truncated",
    "several at once",
)
_KINDS = {kind.name: number for number, kind in enumerate(KINDS)}


class Grounds:
    """Servers and engine for all trials of the module; after a failure the next trial gets new ones."""

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._folder = folder
        self._ground: Ground | None = None

    def get(self) -> Ground:
        if self._ground is None:
            self._ground = Ground(self._folder()).__enter__()
        return self._ground

    def close(self) -> None:
        if self._ground is not None:
            ground, self._ground = self._ground, None
            ground.__exit__()


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    found = Grounds(lambda: tmp_path_factory.mktemp("chaos"))
    try:
        yield found
    finally:
        found.close()


def trial(grounds: Grounds, seed: int) -> Result:
    if reason := kind_of(seed).absent(grounds.get()):
        pytest.skip(reason)
    try:
        result = run_trial(grounds.get(), seed)
    except BaseException:
        grounds.close()
        raise
    if not result.passed:
        told = grounds.get().crew.told[-12:]
        grounds.close()
        pytest.fail("\n".join([f"make chaos SEED={seed} ({'; '.join(result.did)})", *result.wrong, *told]))
    return result


@pytest.mark.parametrize("seed", [_KINDS[name] for name in SHORT], ids=SHORT)
def test_nothing_is_lost_and_nothing_counts_twice(grounds: Grounds, seed: int) -> None:
    result = trial(grounds, seed)
    assert result.readings > 1_000
    assert (result.lost, result.doubled) == (0, 0)


_DAMAGE = {
    "a reading lost": ("DELETE FROM meter_readings WHERE {one}", "readings lost"),
    "a value altered": ("UPDATE meter_readings SET voltage = voltage + 0.1 WHERE {one}", "readings altered"),
    "a flag altered": ("UPDATE meter_readings SET quality_flag = 'missing' WHERE {one}", "flags wrong"),
    "a window counted twice": (
        "INSERT INTO window_partials SELECT * FROM window_partials WHERE transformer_id = {group} LIMIT 1",
        "windows wrong",
    ),
    "an alert lost": ("DELETE FROM alert_signs WHERE element LIKE '{tag}'", "alerts missing in the database"),
    "an alert for nothing": (
        """INSERT INTO alert_signs SELECT 'x', kind, severity, element, occurred_at, arrived_at, measured, expected,
        unit, score, message FROM alert_signs WHERE element LIKE '{tag}' LIMIT 1""",
        "alerts for nothing in the database",
    ),
}


def test_a_trial_notices_what_is_wrong(grounds: Grounds) -> None:
    """Each damage is done in a transaction of its own that is never committed to the next one."""
    seed = _KINDS["no fault"]
    direct = grounds.get().servers.direct
    before = look.marks(direct).ends["meters.raw"]
    trial(grounds, seed)
    load = make_load(f"S{seed}", seed, grounds.get().trials - 1, Mix(rate=1_000))
    wanted, judged, tag = expected(load), undisturbed(direct.kafka_url, before, load.transformer_of), load.tag
    meter = next(iter(wanted.latest))
    one = f"meter_id = (SELECT meter_id FROM smart_meters WHERE meter_number = '{meter}') AND reading_time = "
    one += f"'{min(time for name, time in wanted.rows if name == meter).isoformat()}'"
    group = f"(SELECT transformer_id FROM smart_meters WHERE meter_number = '{meter}')"
    for name, (statement, told) in _DAMAGE.items():
        with psycopg.connect(direct.database_url, autocommit=True) as connection:
            for table in ("meter_readings", "window_partials", "alert_signs"):
                connection.execute(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}".encode())
            connection.execute(statement.format(one=one, group=group, tag=f"meter/{tag}-%").encode())
            found = look.Differences()
            look.in_database(wanted, direct, tag, found, judged)
            for table in ("meter_readings", "window_partials", "alert_signs"):
                connection.execute(f"TRUNCATE {table}".encode())
                connection.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}".encode())
                connection.execute(f"DROP TABLE kept_{table}".encode())
        assert any(told in line for line in found.told), name
    with redis.Redis.from_url(direct.redis_url) as client:
        client.delete(f"meterstream:latest:meter:{meter}")
    found = look.Differences()
    look.in_redis(wanted, direct, found)
    assert len(found.told) == 1
    whole = look.Differences()
    look.in_database(wanted, direct, tag, whole, judged)
    assert whole.told == []
