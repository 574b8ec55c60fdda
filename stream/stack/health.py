"""Asks running servers whether they serve, beyond that their processes live."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from stream.stack import settings
from stream.stack.errors import NotReadyError
from stream.stack.layout import Layout, read_json
from stream.stack.server import Server
from stream.stack.servers import Servers
from stream.stack.status import ServerState, ServerStatus, StackStatus


def probe_all(layout: Layout, status: StackStatus) -> StackStatus:
    """Return the status with every server that is up but does not answer marked unresponsive."""
    ports = read_json(layout.ports) or {}
    servers = {server.name: server for server in Servers.at(layout, settings.load(), ports).all()}
    with ThreadPoolExecutor(len(servers)) as pool:
        probed = pool.map(lambda entry: _probe(servers[entry.name], entry), status.servers)
        return replace(status, servers=tuple(probed))


def _probe(server: Server, entry: ServerStatus) -> ServerStatus:
    if entry.state is not ServerState.UP:
        return entry
    try:
        server.probe()
    except NotReadyError as error:
        return replace(entry, state=ServerState.UNRESPONSIVE, detail=str(error))
    return entry
