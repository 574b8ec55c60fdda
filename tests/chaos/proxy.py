"""A TCP proxy that can be told to reset connections, to be slow, or to hold everything back."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Self

LOOPBACK = "127.0.0.1"
_CHUNK = 65_536
#: A socket that lingers for no time says RST instead of goodbye.
_AT_ONCE = struct.pack("ii", 1, 0)


class Proxy:
    """Listens on one loopback port and passes everything on to another; a context manager.

    Args:
        port: where to listen.
        target: where to pass on.

    Attributes:
        delay_s: each chunk waits this long before it is passed on [s].
        held: while True, nothing is passed on and connections stay open.
        connections: how many have been made.
    """

    def __init__(self, port: int, target: int) -> None:
        self.port, self.target = port, target
        self.delay_s = 0.0
        self.held = False
        self.connections = 0
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{port}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._serve, LOOPBACK, self.port))
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        self.reset()
        self._call(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def reset(self, random: Random | None = None) -> int:
        """Break every connection, or (given chance) about half of them, and return how many."""
        return self._call(self._reset(random))

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _reset(self, random: Random | None) -> int:
        chosen = [pair for pair in self._pairs if random is None or random.random() < 0.5]
        for pair in chosen:
            for writer in pair:
                _break(writer)
        return len(chosen)

    async def _cancel_all(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self.target)
        except OSError:
            _break(writer)
            return
        pair = writer, far_writer
        self._pairs.add(pair)
        try:
            there, back = self._pump(reader, far_writer), self._pump(far_reader, writer)
            await asyncio.gather(there, back, return_exceptions=True)
        finally:
            self._pairs.discard(pair)
            for each in pair:
                each.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(_CHUNK):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                while self.held:  # noqa: ASYNC110 - set from another thread
                    await asyncio.sleep(0.02)
                sink.write(data)
                await sink.drain()
        sink.close()


def _break(writer: asyncio.StreamWriter) -> None:
    found = writer.get_extra_info("socket")
    if found is not None:
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    writer.transport.abort()


def free_port(choose: Callable[[set[int]], int], taken: set[int]) -> int:
    """Return a free port and note it as taken."""
    port = choose(taken)
    taken.add(port)
    return port
