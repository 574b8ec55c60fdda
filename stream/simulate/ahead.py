"""One item ahead: the next batch is generated while the last one is being sent."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_END = object()


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield items in order, with the next one being made in a thread meanwhile; what it raises is raised here."""
    room: queue.Queue[object] = queue.Queue(maxsize=1)
    left = threading.Event()

    def fill() -> None:
        try:
            for item in items:
                if left.is_set():
                    return
                room.put(item)
            room.put(_END)
        except BaseException as error:  # noqa: BLE001 - it is raised again where it can be handled
            room.put(_Raised(error))

    maker = threading.Thread(target=fill, name="ahead", daemon=True)
    maker.start()
    try:
        while (item := room.get()) is not _END:
            if isinstance(item, _Raised):
                raise item.error
            yield item  # type: ignore[misc] # the queue holds items of T, the end and errors
    finally:
        left.set()
        # A maker that waits for room must find some, or it would wait for ever.
        while maker.is_alive():
            with_room(room)
            maker.join(0.05)


class _Raised:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def with_room(room: "queue.Queue[object]") -> None:
    """Throw away what waits."""
    try:
        room.get_nowait()
    except queue.Empty:
        return
