"""The bridge alone: MQTT messages per second until Kafka has them and MQTT knows, single and from concentrators."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

from stream.processes import noted
from tests.bench.ground import Ground
from tests.bench.watch import cpu_s, family
from tests.integration.processes import EngineProcess


@dataclass(frozen=True)
class BridgeRun:
    """What one run came to.

    Attributes:
        messages: acknowledged.
        readings: in them.
        seconds: first message sent to last one acknowledged [s].
        cpu_s: processor time of the bridge, its start left out [s].
    """

    messages: int
    readings: int
    seconds: float
    cpu_s: float

    def as_json(self) -> dict[str, Any]:
        """Return the run for a report."""
        return {
            **asdict(self),
            "messages_per_s": self.messages / self.seconds,
            "readings_per_s": self.readings / self.seconds,
            "cpu_us_per_message": self.cpu_s / self.messages * 1e6,
        }


def push(ground: Ground, messages: int, per_message: int) -> BridgeRun:
    """Feed a bridge from a broker that costs nothing, as fast as it acknowledges."""
    for process in noted(ground.directory):
        process.note.unlink(missing_ok=True)
    program = [sys.executable, "-m", "tests.bench.raw_broker", "--messages", str(messages)]
    broker = subprocess.Popen(
        [*program, "--per-message", str(per_message)], stdout=subprocess.PIPE, text=True, cwd=_root()
    )
    try:
        assert broker.stdout is not None
        port = int(broker.stdout.readline())
        bridge = EngineProcess("run bridge", ground.directory, METERSTREAM_MQTT_URL=f"mqtt://127.0.0.1:{port}")
        with bridge:
            bridge.wait_ready()
            pid = bridge.pid
            assert pid is not None
            line = broker.stdout.readline()
            spent = cpu_s(family(pid))
        if not line:
            raise RuntimeError(f"the bridge did not take everything:\n{bridge.log[-1500:]}")
        seconds = float(json.loads(line)["seconds"])
        return BridgeRun(messages, messages * per_message, seconds, spent)
    finally:
        broker.kill()
        broker.wait()


def _root() -> str:
    from tests.bench.contest import ROOT  # noqa: PLC0415 - the peers are not needed here otherwise

    return str(ROOT)
