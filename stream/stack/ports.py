"""Free loopback ports, remembered so that a restart listens where it listened before."""

import json
import random
import socket
from collections.abc import Iterable
from pathlib import Path

from stream.stack.endpoints import LOOPBACK
from stream.stack.errors import StackError

#: Below it live well-known servers that a developer is likely to start later.
LOWEST_PORT = 10_240
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
#: macOS and Windows start there (RFC 6335); Linux says so in the file above.
_EPHEMERAL_DEFAULT = 49_152
_ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Return whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        # As servers do; otherwise connections of the stopped server in TIME_WAIT would look like an owner.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def first_ephemeral_port() -> int:
    """Return where the ports begin that the kernel gives to outgoing connections."""
    try:
        return int(_EPHEMERAL_RANGE.read_text().split()[0])
    except OSError:
        return _EPHEMERAL_DEFAULT


def choose(taken: set[int]) -> int:
    """Return a free port that no outgoing connection will ever occupy.

    An ephemeral port would do at first, but a client that reconnects to a crashed server can be given that very port
    as its own source, connect to itself, and keep the restarted server from listening.

    Raises:
        StackError: no port was free in many attempts.
    """
    ceiling = first_ephemeral_port()
    if ceiling <= LOWEST_PORT:
        ceiling = 65_536
    for _ in range(_ATTEMPTS):
        port = random.SystemRandom().randrange(LOWEST_PORT, ceiling)
        if port not in taken and is_free(port):
            return port
    raise StackError(f"no free port between {LOWEST_PORT} and {ceiling} on {LOOPBACK}: stop some other servers")


def assign(names: Iterable[str], memory: Path) -> dict[str, int]:
    """Give each name a port: the remembered one where it is still free, a new one otherwise.

    Args:
        names: what needs a port.
        memory: the file that remembers, read and written.
    """
    remembered: dict[str, int] = json.loads(memory.read_text()) if memory.exists() else {}
    ports: dict[str, int] = {}
    for name in names:
        port = remembered.get(name)
        if port is None or port in ports.values() or not is_free(port):
            port = choose(set(ports.values()) | set(remembered.values()))
        ports[name] = port
    memory.write_text(json.dumps({**remembered, **ports}, indent=2) + "\n")
    return ports
