"""`/metrics` and `/health` of one process, and a note in the local directory of where they listen."""

import json
import os
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

#: How soon the server notices that it should end [s].
_POLL_S = 0.05


@dataclass(frozen=True)
class Health:
    """What a process says of itself.

    Attributes:
        live: it works; when false, a supervisor should start it anew.
        ready: it does what it is for; false while it starts or a service that it needs is away.
        facts: what a person wants to know besides, as plain JSON values.
    """

    live: bool
    ready: bool
    facts: dict[str, Any] = field(default_factory=dict)


class HealthServer:
    """A small HTTP server in a thread of its own; a context manager.

    `/health` and `/health/ready` answer 200 when live and ready, `/health/live` when live, 503 otherwise.

    Args:
        component: `bridge` or `worker`.
        health: asked at each request.
        registry: what `/metrics` shows.
        host: address to listen on.
        port: 0 for a free one.
        local_dir: `run/<component>-<pid>.json` below it names the port while the process lives.
    """

    def __init__(
        self,
        component: str,
        health: Callable[[], Health],
        registry: CollectorRegistry,
        *,
        host: str,
        port: int,
        local_dir: Path,
    ) -> None:
        self._note = local_dir / "run" / f"{component}-{os.getpid()}.json"
        self._server = ThreadingHTTPServer((host, port), _handler(health, registry))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), name="health", daemon=True)
        self._about = {"component": component, "pid": os.getpid(), "host": host, "port": self.port}

    @property
    def port(self) -> int:
        """Return the port that was bound."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        self._note.parent.mkdir(parents=True, exist_ok=True)
        self._note.write_text(json.dumps(self._about) + "\n")
        return self

    def __exit__(self, *_: object) -> None:
        self._note.unlink(missing_ok=True)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(health: Callable[[], Health], registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._send(200, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif path in {"/health", "/health/live", "/health/ready"}:
                now = health()
                fine = now.live if path == "/health/live" else now.live and now.ready
                body = {**asdict(now).pop("facts"), "live": now.live, "ready": now.ready}
                self._send(200 if fine else 503, "application/json", json.dumps(body).encode())
            else:
                self._send(404, "text/plain", b"there are /health, /health/live, /health/ready and /metrics\n")

        def _send(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing: a scrape is no event."""

    return Handler
