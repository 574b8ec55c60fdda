import numpy as np
import pytest

from schemas.readings import ReadingBatch
from simulators.messages import Mode
from simulators.pacing import Pace
from simulators.publisher import FAREWELL_S, Publisher
from simulators.transport import ListTransport, Message, Stopped, Tally


def batch(rows: int, every_s: float = 1.0) -> ReadingBatch:
    times = (np.arange(rows) * every_s * 1e6).astype(np.int64)
    return ReadingBatch.from_columns(reading_time=times, meter_number=["M"] * rows)


def test_everything_is_published_once_and_counted() -> None:
    transport = ListTransport()
    report = Publisher(transport, now=transport.now).run([batch(3), batch(2)])
    assert (report.readings, report.messages, report.acked, report.refused) == (5, 5, 5, 0)
    assert report.slip_p50_ms is None
    assert not report.stopped


def test_arrays_count_their_readings() -> None:
    transport = ListTransport()
    report = Publisher(transport, Mode.CONCENTRATOR, "c1", per_message=4, now=transport.now).run([batch(10)])
    assert (report.readings, report.messages, report.acked) == (10, 3, 10)
    assert transport.messages[0].topic == "concentrators/c1/readings"


def test_a_fast_broker_keeps_the_schedule() -> None:
    transport = ListTransport()
    report = Publisher(transport, pace=Pace(10), now=transport.now).run([batch(101)])
    assert report.seconds == pytest.approx(10.0)
    assert report.offered_per_s == pytest.approx(10.1)
    assert report.slip_p99_ms == pytest.approx(0.0, abs=1e-6)


def test_a_slow_broker_shows_as_slip_and_not_as_a_lower_offer() -> None:
    transport = ListTransport(seconds_per_message=0.2)
    report = Publisher(transport, pace=Pace(10), now=transport.now).run([batch(101)])
    assert report.offered_per_s == pytest.approx(10.1)
    assert report.achieved_per_s == pytest.approx(5.0)
    assert report.slip_p50_ms == pytest.approx(5_200)
    assert report.slip_p99_ms == pytest.approx(10_100)


def test_after_a_pause_of_the_broker_the_schedule_is_caught_up_with() -> None:
    transport = ListTransport()

    def pause(message: Message) -> None:
        transport.clock_s += 3.0 if message is not None and len(transport.messages) == 50 else 0.0

    transport.on_publish = pause
    report = Publisher(transport, pace=Pace(10), now=transport.now).run([batch(101)])
    assert report.seconds == pytest.approx(10.0)
    assert report.acked == 101


def test_a_stop_ends_between_messages_and_says_so() -> None:
    transport = ListTransport()
    publisher = Publisher(transport, stop=lambda: len(transport.messages) == 7, now=transport.now)
    report = publisher.run([batch(100)])
    assert (report.readings, report.acked, report.stopped) == (7, 7, True)


def test_a_stop_while_waiting_for_room_counts_only_what_was_sent() -> None:
    transport = ListTransport()

    def full(_message: Message) -> None:
        if len(transport.messages) == 3:
            raise Stopped

    transport.on_publish = full
    report = Publisher(transport, now=transport.now).run([batch(10)])
    assert (report.readings, report.stopped) == (3, True)


class SilentTransport(ListTransport):
    """A broker that takes everything and answers nothing."""

    @property
    def acked(self) -> Tally:
        return Tally()

    @property
    def outstanding(self) -> int:
        return len(self.messages)


def test_after_a_stop_acknowledgements_are_awaited_for_a_while_only() -> None:
    transport = SilentTransport()
    report = Publisher(transport, stop=lambda: transport.clock_s > 3, now=transport.now).run([batch(5)])
    assert (report.readings, report.acked, report.stopped) == (5, 0, True)
    assert report.seconds == pytest.approx(3 + FAREWELL_S, abs=0.5)


def test_a_publisher_can_run_twice_and_each_report_is_its_own() -> None:
    transport = ListTransport()
    publisher = Publisher(transport, now=transport.now)
    assert [publisher.run([batch(3)]).acked, publisher.run([batch(4)]).acked] == [3, 4]


def test_progress_is_watched() -> None:
    transport = ListTransport()
    seen = list[tuple[Tally, Tally]]()
    Publisher(transport, pace=Pace(most_rows=2), watch=lambda *tallies: seen.append(tallies)).run([batch(3)])
    assert seen == [(Tally(2, 2), Tally(2, 2)), (Tally(3, 3), Tally(3, 3))]
