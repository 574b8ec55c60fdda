"""Eclipse Mosquitto, where it is installed."""

import os
import shutil
from pathlib import Path

from stream.stack.endpoints import LOOPBACK
from stream.stack.layout import Layout
from stream.stack.process import Launch

#: QoS 1 messages on their way to one client; the bridge acknowledges only after Kafka did.
INFLIGHT_MESSAGES = 1_000


def find() -> Path | None:
    """Return the mosquitto program; Debian and Homebrew put it where ordinary users do not look."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")
    return Path(found) if found else None


def render_config(port: int, data: Path) -> str:
    """Return mosquitto.conf: loopback only, sessions on disk, no message dropped for want of room."""
    # As root it would become a user of its own, to whom the stack directory is closed.
    user = "user root\n" if os.geteuid() == 0 else ""
    return f"""\
{user}listener {port} {LOOPBACK}
allow_anonymous true
persistence true
persistence_location {data}/
# The whole store is written each time: a crash of the broker may lose what it acknowledged in that span [s].
autosave_interval 5
max_inflight_messages {INFLIGHT_MESSAGES}
max_queued_messages 0
set_tcp_nodelay true
log_dest stdout
log_type error
log_type warning
log_type notice
"""


def prepare(program: Path, layout: Layout, port: int) -> Launch:
    """Write the configuration and return how to start the broker."""
    # A folder by the broker's name: the stores of different brokers are not exchangeable.
    data, conf = layout.data("mosquitto"), layout.conf("mosquitto")
    data.mkdir(parents=True, exist_ok=True)
    conf.mkdir(parents=True, exist_ok=True)
    file = conf / "mosquitto.conf"
    file.write_text(render_config(port, data))
    return Launch(argv=(str(program), "-c", str(file)), directory=data)
