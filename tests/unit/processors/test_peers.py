"""What all neighbours see is not the meter; what only one meter sees is."""

import numpy as np
import pytest

from processors.alerts import raise_alerts
from processors.judge import judge
from processors.judgement import Judgement
from processors.judging import Judging
from processors.peers import Before, Neighbours, compare
from processors.state import MeterState
from schemas.alerts import Severity
from schemas.readings import ReadingBatch
from tests.builders import HOUR_US, START_US, batch

HOURS, METERS = 60, 6


def street(sagging: int, peaking: int = 0) -> ReadingBatch:
    """Meters of one transformer by the hour; in the last hour some see 212 V, and some draw a lot."""
    chance = np.random.default_rng(2)
    volts, energy = chance.normal(231.0, 0.5, (HOURS, METERS)), chance.normal(0.5, 0.05, (HOURS, METERS))
    volts[-1, :sagging] = 212.0
    energy[-1, :peaking] = 6.0
    times = START_US + HOUR_US * np.repeat(np.arange(HOURS, dtype=np.int64), METERS)
    names = [f"M{k}" for k in range(METERS)] * HOURS
    return batch(names, times, voltage=volts.reshape(-1).tolist(), consumption_kwh=energy.reshape(-1).tolist())


def judged(
    stream: ReadingBatch, groups: list[int] | None = None, classes: list[int] | None = None, cuts: tuple[int, ...] = ()
) -> tuple[list[Judgement], Neighbours]:
    """Judge a stream in parts, and ask the neighbours of what begins."""
    state = MeterState()
    known = state.rows(stream.meter_number)[:METERS]
    state.group_id[known] = [7] * METERS if groups is None else groups
    state.vee_class[known] = [1] * METERS if classes is None else classes
    judgements, said = list[Judgement](), list[Neighbours]()
    for part in np.split(np.arange(len(stream)), list(cuts)):
        piece = stream.take(part)
        rows = state.rows(piece.meter_number)
        before = Before.of(state, rows)
        judgement = judge(piece, rows, state, Judging())
        said.append(compare(judgement, rows, piece.time_us, before, state, judgement.severity > 0))
        judgements.append(judgement)
    spoken, agree = (np.concatenate([getattr(one, name) for one in said]) for name in ("spoken", "agree"))
    return judgements, Neighbours(spoken, agree)


def test_a_sag_that_the_street_sees_is_the_grid_for_all_but_the_first_to_say_so() -> None:
    (judgement,), said = judged(street(sagging=METERS))
    assert (judgement.severity[-METERS:] > 0).all()
    assert said.spoken[-METERS:].tolist() == said.agree[-METERS:].tolist() == [0, 1, 2, 3, 4, 5]
    assert said.shared[-METERS:].tolist() == [False] * 3 + [True] * 3


def test_a_sag_of_one_meter_is_its_own() -> None:
    stream = street(sagging=0)
    volts = stream.floats("voltage").copy()
    volts[-1] = 212.0
    alone = batch(
        stream.meter_number.to_pylist(), stream.time_us, voltage=volts.tolist(),
        consumption_kwh=stream.floats("consumption_kwh").tolist(),
    )  # fmt: skip
    _, said = judged(alone)
    assert (said.spoken[-1], said.agree[-1], said.shared[-1]) == (5, 0, False)


def test_what_the_street_draws_is_not_the_meters_own() -> None:
    _, said = judged(street(sagging=0, peaking=METERS))
    assert said.shared[-1]


@pytest.mark.parametrize(
    ("groups", "classes", "spoken"),
    [
        ([7] * 6, [1] * 6, 5),
        ([7, 7, 7, 8, 8, 7], [1] * 6, 3),
        ([7] * 6, [1, 2, 2, 1, 1, 1], 3),
        ([0] * 6, [1] * 6, 0),
    ],
)
def test_neighbours_are_those_of_the_same_transformer_and_class(
    groups: list[int], classes: list[int], spoken: int
) -> None:
    assert judged(street(sagging=METERS), groups, classes)[1].spoken[-1] == spoken


@pytest.mark.parametrize("cuts", [(1,), (100, 200), (357,), (354, 355, 356, 358), tuple(range(1, 360))])
def test_neighbours_say_the_same_however_a_stream_is_cut(cuts: tuple[int, ...]) -> None:
    for stream in (street(sagging=METERS), street(sagging=4, peaking=3)):
        whole, parts = judged(stream)[1], judged(stream, cuts=cuts)[1]
        assert parts.spoken.tolist() == whole.spoken.tolist()
        assert parts.agree.tolist() == whole.agree.tolist()
        assert whole.spoken.any()


def test_a_neighbour_of_another_hour_says_nothing() -> None:
    stream = street(sagging=METERS)
    late = stream.take(np.r_[np.arange(len(stream) - METERS), len(stream) - 1])  # the others stay silent
    assert judged(late)[1].spoken[-1] == 0


def test_an_alert_says_what_neighbours_see_and_is_no_warning_where_they_share_it() -> None:
    stream = street(sagging=METERS)
    (judgement,), said = judged(stream)
    last = np.arange(len(stream)) >= len(stream) - METERS
    alerts = raise_alerts(stream, judgement, stream.time_us, last, said)
    assert [alert.severity is Severity.INFO for alert in alerts] == [False] * 3 + [True] * 3
    assert alerts[-1].message.endswith(", as do 5 of 5 neighbours: the grid, not the meter")
    assert "neighbours" not in alerts[0].message
