"""Where the demo's input leaves: messages to the broker, a stop at any moment, and when each anomaly was sent."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

from schemas.readings import ReadingBatch
from simulators.messages import meter_messages
from simulators.mqtt import Address, MqttTransport
from simulators.transport import Message, Stopped, Transport

#: After a stop, acknowledgements of what is under way are awaited this long [s].
_FAREWELL_S = 5.0
_LONGEST_WAIT_S = 0.2

#: Element of an alert and event time [us].
Key = tuple[str, int]


class Outlet:
    """Publishes for one thread; `stop` may come from any.

    Args:
        connect: makes the transport, given what to ask whether to stop.

    Attributes:
        sent: readings handed to the broker, unreadable ones included.
        sent_at: when each marked reading was handed to the broker, on the monotonic clock [s].
        began_at: when the first message was, None before.
    """

    def __init__(self, connect: Callable[[Callable[[], bool]], Transport]) -> None:
        self._stopping = threading.Event()
        self._transport = connect(self._stopping.is_set)
        self.sent = 0
        self.sent_at: dict[Key, float] = {}
        self.began_at: float | None = None

    @classmethod
    def to(cls, address: Address) -> Self:
        """Return an outlet to an MQTT broker."""
        return cls(lambda stop: MqttTransport(address, f"meterstream-demo-{time.time_ns():x}", stop=stop))

    @property
    def acknowledged(self) -> int:
        """Those of the readings that the broker has taken over."""
        return self._transport.acked.readings

    def stop(self) -> None:
        """Let the next call raise Stopped."""
        self._stopping.set()

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish messages in order.

        Raises:
            Stopped: a stop was asked for.
        """
        for message in messages:
            if self._stopping.is_set():
                raise Stopped
            if self.began_at is None:
                self.began_at = time.monotonic()
            self._transport.publish(message)
            self.sent += message.readings

    def publish_marked(self, batch: ReadingBatch, row: int) -> None:
        """Publish one reading and remember when."""
        key = (f"meter/{batch.meter_number[row].as_py()}", int(batch.time_us[row]))
        messages = meter_messages(batch.slice(row, 1))
        self.sent_at[key] = time.monotonic()
        self.publish(messages)

    def pause_until(self, moment: float) -> None:
        """Serve the connection until a moment of the monotonic clock.

        Raises:
            Stopped: a stop was asked for.
        """
        while (left := moment - time.monotonic()) > 0:
            if self._stopping.is_set():
                raise Stopped
            self._transport.wait(min(left, _LONGEST_WAIT_S))

    def close(self) -> None:
        """Wait until what is under way is acknowledged, as long as that makes sense, and take leave."""
        deadline = time.monotonic() + _FAREWELL_S
        while self._transport.outstanding and time.monotonic() < deadline:
            self._transport.wait(_LONGEST_WAIT_S)
        self._transport.close()
