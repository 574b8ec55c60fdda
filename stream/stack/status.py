"""What runs: the state file of the supervisor, written in one step and read by everyone."""

import json
import threading
import time
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from stream.stack.endpoints import Endpoints
from stream.stack.layout import Layout, read_json, write_private


class ServerState(StrEnum):
    """Where a server is in its life."""

    STARTING = "starting"
    UP = "up"
    UNRESPONSIVE = "unresponsive"
    RESTARTING = "restarting"
    HELD = "held"
    FAILED = "failed"
    DOWN = "down"


@dataclass(frozen=True)
class ServerStatus:
    """One server of the stack.

    Attributes:
        name: kafka, mqtt, postgres or redis.
        product: the program behind the name, with its version where it is known.
        state: where it is in its life.
        pid: its process, None while there is none.
        port: its loopback port.
        restarts: how often the supervisor started it again.
        detail: what it is doing, or why it failed.
    """

    name: str
    product: str
    state: ServerState
    pid: int | None
    port: int
    restarts: int = 0
    detail: str = ""


@dataclass(frozen=True)
class StackStatus:
    """The whole stack at one moment.

    Attributes:
        supervisor_pid: the process that owns the servers, None when the stack is down.
        attached: whether the stack ends with the process that started it.
        servers: one entry per server.
        endpoints: where to connect, None when the stack is down.
        updated_at: when the supervisor last wrote [s since the epoch].
    """

    supervisor_pid: int | None
    attached: bool
    servers: tuple[ServerStatus, ...]
    endpoints: Endpoints | None
    updated_at: float = 0.0

    @property
    def healthy(self) -> bool:
        """Tell whether every server is up."""
        return bool(self.servers) and all(server.state is ServerState.UP for server in self.servers)

    def server(self, name: str) -> ServerStatus:
        """Return the entry of one server.

        Raises:
            KeyError: there is no server of that name.
        """
        for server in self.servers:
            if server.name == name:
                return server
        raise KeyError(name)

    def as_json(self) -> dict[str, Any]:
        """Return the status as plain data, as the state file and `stack status --json` show it."""
        return asdict(self) | {"healthy": self.healthy}


#: A stack that is down.
NOTHING = StackStatus(supervisor_pid=None, attached=False, servers=(), endpoints=None)


def read_status(layout: Layout) -> StackStatus | None:
    """Return what the supervisor last wrote, None where there was never one."""
    content = read_json(layout.state)
    if content is None:
        return None
    endpoints = content["endpoints"]
    return StackStatus(
        supervisor_pid=content["supervisor_pid"],
        attached=content["attached"],
        servers=tuple(ServerStatus(**{**item, "state": ServerState(item["state"])}) for item in content["servers"]),
        endpoints=Endpoints(**endpoints) if endpoints is not None else None,
        updated_at=content["updated_at"],
    )


class StatusBoard:
    """The supervisor's side of the state file; its keepers write here from their threads."""

    def __init__(self, layout: Layout, status: StackStatus) -> None:
        self._layout = layout
        self._status = status
        self._guard = threading.Lock()
        with self._guard:
            self._write()

    def update(self, name: str, **changes: Any) -> None:
        """Change fields of one server's entry."""
        with self._guard:
            servers = tuple(
                replace(server, **changes) if server.name == name else server for server in self._status.servers
            )
            self._status = replace(self._status, servers=servers)
            self._write()

    def close(self) -> None:
        """Record that nothing runs any more."""
        with self._guard:
            servers = tuple(replace(s, state=ServerState.DOWN, pid=None) for s in self._status.servers)
            self._status = replace(self._status, supervisor_pid=None, servers=servers, endpoints=None)
            self._write()

    def _write(self) -> None:
        self._status = replace(self._status, updated_at=time.time())
        write_private(self._layout.state, json.dumps(self._status.as_json(), indent=2) + "\n")
