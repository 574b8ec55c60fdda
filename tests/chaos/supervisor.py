"""The supervisor of the local stack, with a Kafka that sends its clients to a proxy.

A Kafka client connects to the address that the broker names. `CHAOS_KAFKA_PORT` becomes that address, so that the
connections of every client can be broken and slowed down like those to the other servers.
"""

import os
from pathlib import Path

from stream.stack import kafka, supervisor

_render = kafka.render_config


def _behind_proxy(port: int, controller_port: int, data: Path) -> str:
    named = f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}"
    text = _render(port, controller_port, data)
    assert named in text
    return text.replace(named, f"advertised.listeners=PLAINTEXT://127.0.0.1:{os.environ['CHAOS_KAFKA_PORT']}")


if __name__ == "__main__":
    kafka.render_config = _behind_proxy
    supervisor.main()
