"""The parts of the chaos suite that need no servers: they must be right before they may judge."""

import asyncio
import errno
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from stream.stack.ports import choose
from tests.chaos import report
from tests.chaos.load import EPOCH, SPIKE, Mix, Row, Send, make_load
from tests.chaos.oracle import expected
from tests.chaos.proxy import LOOPBACK, Proxy
from tests.chaos.servers import Disk
from tests.chaos.steps import BEFORE, BRIDGE_STEPS, KILL, WORKER_STEPS, FalseClock, Step, Trap, Trapdoor, place, wrapped
from tests.chaos.trial import Progress, Result, _catch_up, _recovery, kind_of

MIX = Mix(rate=100, seconds=40)


def test_a_seed_makes_the_same_load_again() -> None:
    assert make_load("S5", 5, 3, MIX) == make_load("S5", 5, 3, MIX)
    assert make_load("S5", 5, 3, MIX).sends != make_load("S5", 6, 3, MIX).sends


def test_a_load_holds_something_of_everything() -> None:
    load = make_load("S1", 1, 0, Mix(rate=400, seconds=15))
    wanted = expected(load)
    rows = [row for send in load.sends for row in send.rows]
    assert len(load.rejects) > 20
    assert len(rows) > len(wanted.rows) + 20  # repeats
    assert max(row.consumption_kwh for row in rows) > SPIKE * 0.5
    assert {row.voltage for row in rows} >= {205.5, 252.0}
    assert {send.key is None for send in load.sends} == {True, False}
    assert any(len(send.rows) > 1 for send in load.sends)
    times = [row.time for row in rows if row.meter == rows[0].meter]
    assert times != sorted(times)  # late ones


def test_a_disk_is_filled_although_somebody_writes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room, taken = iter([9_000, 5_000]), list[int]()

    def allocate(_file: int, _start: int, size: int) -> None:
        if size > 5_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken.append(size)

    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_bavail=next(room), f_frsize=1))
    monkeypatch.setattr(os, "posix_fallocate", allocate)
    assert [Disk(tmp_path).fill(1_000)] == taken == [4_000]


def test_the_oracle_counts_a_reading_once_and_keeps_what_came_first() -> None:
    first = Row("A", EPOCH, 0.5, 230.0, 2.0)
    other, later = replace(first, consumption_kwh=9.0), replace(first, time=EPOCH + timedelta(minutes=1), voltage=231.0)
    load = replace(make_load("S1", 1, 0, MIX), transformer_of={"A": "T"}, conflicts=[])
    load.sends = [Send(b"", rows=(first, later)), Send(b"", rows=(first, other))]
    wanted = expected(load)
    assert wanted.rows == {("A", first.time): first, ("A", later.time): later}
    assert wanted.latest == {"A": later}
    assert wanted.windows == {
        ("transformer/T", 60, EPOCH): (1, 1, 0.5, 2.0, EPOCH, 230.0, 230.0, 230.0, 0),
        ("transformer/T", 60, later.time): (1, 1, 0.5, 2.0, later.time, 231.0, 231.0, 231.0, 0),
        ("transformer/T", 900, EPOCH): (2, 1, 1.0, 2.0, EPOCH, 230.0, 230.5, 231.0, 0),
    }


@pytest.mark.parametrize("step", [*WORKER_STEPS, *BRIDGE_STEPS], ids=lambda step: step.name)
def test_every_named_step_is_still_there(step: Step) -> None:
    holder, name = place(step)
    assert callable(getattr(holder, name))


def test_a_process_ends_at_its_step_and_nowhere_else(tmp_path: Path) -> None:
    Trap("second", 2, KILL).arm(tmp_path, "worker")
    child = os.fork()
    if not child:
        door = Trapdoor(tmp_path / "worker.trap")
        for count in range(4):
            door.passing("first")
            (tmp_path / "passed").write_text(str(count))
            door.passing("second")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert (tmp_path / "passed").read_text() == "2"
    assert not (tmp_path / "worker.trap").exists()


def test_a_wrapped_function_does_what_it_did() -> None:
    seen: list[str] = []

    async def double(value: int) -> int:
        return 2 * value

    step = Step("doubling", "", "", BEFORE)
    assert asyncio.run(wrapped(step, double, seen.append)(21)) == 42
    assert wrapped(step, len, seen.append)("four") == 4
    assert seen == ["doubling", "doubling"]


def test_a_false_clock_is_off_by_what_its_file_says(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    file.write_text("3600\n")
    assert FalseClock(file)() == pytest.approx(time.time() + 3600, abs=5)


@pytest.fixture
def echo() -> Iterator[Proxy]:
    """A proxy before a server that sends everything back."""
    listening = socket.create_server((LOOPBACK, 0))

    def answer(connection: socket.socket) -> None:
        with connection:
            while True:
                try:
                    data = connection.recv(100)
                except OSError:
                    return
                if not data:
                    return
                connection.sendall(data)

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    with Proxy(choose(set()), listening.getsockname()[1]) as proxy:
        yield proxy
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    serving.join()


def test_a_proxy_passes_on_holds_back_delays_and_resets(echo: Proxy) -> None:
    with socket.create_connection((LOOPBACK, echo.port), timeout=10) as client:
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
        echo.held = True
        client.sendall(b"wait")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(10)
        client.settimeout(10)
        echo.held = False
        assert client.recv(10) == b"wait"
        echo.delay_s = 0.2
        began = time.monotonic()
        client.sendall(b"slow")
        assert client.recv(10) == b"slow"
        assert time.monotonic() - began >= 0.4
        assert echo.reset() == 1
        with pytest.raises(ConnectionResetError):
            client.recv(10)


class Fed:
    """A feeder that handed over 100 readings a second, from 0 s to 30 s."""

    rate = 100.0
    handed = [(second / 10, second * 10) for second in range(1, 301)]  # noqa: RUF012


def test_recovery_and_catch_up_are_read_from_what_was_stored_when() -> None:
    progress = Progress("", 0)
    # Nothing until 20 s, then 500 a second, until all that was sent is stored.
    progress.samples = [(at / 10, max(0, min(at * 10, (at - 200) * 50))) for at in range(1, 301)]
    assert _recovery(Fed(), progress, lifted=15.0, most=9_999) == pytest.approx(8.0, abs=0.2)  # type: ignore[arg-type]
    assert _catch_up(Fed(), progress, lifted=15.0) == pytest.approx(5.0, abs=0.3)  # type: ignore[arg-type]
    assert _catch_up(Fed(), progress, lifted=28.0) is None  # type: ignore[arg-type]


def test_the_report_adds_up() -> None:
    good = Result(1, "kill worker", ["kill -9"], 10, 0, 0, [], 1.0, 5.0, 0, {})
    bad = Result(2, "kill bridge", [], 10, 3, 1, ["3 readings lost"], None, None, 0, {})
    assert "FAIL seed 2: kill bridge" in report.line(bad)
    assert "| **all** | 2 | 1 | 20 | 3 | 1 | 1.0 s | 1.0 s | 5x |" in report.table([good, bad])
    assert json.loads(json.dumps(bad.as_json()))["passed"] is False
    assert kind_of(1) is kind_of(1 + 26)
