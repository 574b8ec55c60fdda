"""A publisher of market files on this machine: what it holds, how it answers, and who asked for what."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass
class Held:
    """What is at one path; a status other than 200 is answered without a body."""

    body: bytes = b""
    etag: str | None = None
    status: int = 200
    kind: str = "text/csv"
    headers: dict[str, str] = field(default_factory=dict)
    #: Bytes after which the connection breaks off.
    cut_at: int | None = None


class PublishingHouse:
    """A context manager; `held` may change at any time."""

    def __init__(self) -> None:
        self.held = dict[str, Held]()
        self.asked = list[tuple[str, dict[str, str]]]()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def paths(self) -> list[str]:
        """Paths in the order they were asked for."""
        return [path for path, _ in self.asked]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        house = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                house.asked.append((self.path, dict(self.headers)))
                held = house.held.get(self.path, Held(status=404))
                if held.etag and self.headers.get("If-None-Match") == held.etag:
                    held = Held(status=304)
                self.send_response(held.status)
                for name, value in held.headers.items():
                    self.send_header(name, value)
                if held.etag:
                    self.send_header("ETag", held.etag)
                if held.status == 200:
                    self.send_header("Content-Type", held.kind)
                    self.send_header("Content-Length", str(len(held.body)))
                self.end_headers()
                if held.status == 200:
                    self.wfile.write(held.body[: held.cut_at])

            def log_message(self, *_: object) -> None:
                pass

        return Handler
