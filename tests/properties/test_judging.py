"""Judgement must not depend on how a stream was cut, nor on what came twice or late."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from processors import checkpoint
from processors.judge import judge
from processors.judgement import Judgement
from processors.judging import Judging
from processors.state import COLUMNS, MeterState
from schemas.readings import ReadingBatch
from tests.strategies import cuts, streams

#: Short enough a history that generated streams are judged.
JUDGING = Judging(history_s=1_800.0)


def judged(found: ReadingBatch, state: MeterState) -> Judgement:
    return judge(found, state.rows(found.meter_number), state, JUDGING)


def told(parts: list[Judgement]) -> list[bytes]:
    """Everything that judgement said, byte for byte."""
    return [
        b"".join(getattr(part, name).tobytes() for part in parts)
        for name in ("flag", "score", "expected_kwh", "in_order")
    ]


def kept(state: MeterState) -> list[object]:
    return [state.names(0, state.extent), *(getattr(state, name)[: state.extent].tobytes() for name in COLUMNS)]


@given(st.data())
def test_cutting_a_stream_anywhere_changes_nothing(data: st.DataObject) -> None:
    stream = data.draw(streams())
    whole, parts = MeterState(), MeterState()
    at_once = judged(stream, whole)
    in_parts = [
        judged(stream.slice(part.start, part.stop - part.start), parts) for part in data.draw(cuts(len(stream)))
    ]
    assert told(in_parts) == told([at_once])
    assert kept(parts) == kept(whole)


@given(st.data())
def test_saving_and_restoring_anywhere_changes_nothing(data: st.DataObject) -> None:
    stream = data.draw(streams())
    whole, state = MeterState(), MeterState()
    at_once, in_parts = judged(stream, whole), list[Judgement]()
    for part in data.draw(cuts(len(stream))):
        in_parts.append(judged(stream.slice(part.start, part.stop - part.start), state))
        saved = [checkpoint.read(checkpoint.save(state, 0, "life", 0), MeterState)] if len(state) else []
        state, _ = checkpoint.restore(saved, "life", MeterState)
    assert told(in_parts) == told([at_once])
    assert kept(state) == kept(whole)


@given(st.data())
def test_what_is_not_newer_than_its_meter_changes_nothing(data: st.DataObject) -> None:
    stream = data.draw(streams())
    plain, disturbed = MeterState(), MeterState()
    judgement = judged(stream, plain)
    newer = stream.where(judgement.in_order)
    order = list(range(len(newer)))
    for _ in range(data.draw(st.integers(0, 8)) if order else 0):
        # Anything that has been there may come again at any later place.
        again = data.draw(st.integers(0, len(newer) - 1))
        order.insert(data.draw(st.integers(order.index(again) + 1, len(order))), again)
    found = judged(newer.take(np.array(order, dtype=np.intp)), disturbed)
    assert kept(disturbed) == kept(plain)
    assert found.flag[found.in_order].tobytes() == judgement.flag[judgement.in_order].tobytes()
    assert found.score[found.in_order].tobytes() == judgement.score[judgement.in_order].tobytes()


@given(streams())
def test_meters_do_not_touch_each_other(stream: ReadingBatch) -> None:
    together, found = MeterState(), None
    found = judged(stream, together)
    for meter in sorted(set(stream.meter_number.to_pylist())):
        mine = np.array([name == meter for name in stream.meter_number.to_pylist()], dtype=bool)
        alone = judged(stream.where(mine), MeterState())
        assert alone.flag.tobytes() == found.flag[mine].tobytes()
        assert alone.score.tobytes() == found.score[mine].tobytes()


@given(streams())
def test_scores_are_between_0_and_1_and_only_anomalies_are_called_so(stream: ReadingBatch) -> None:
    found = judged(stream, MeterState())
    scored = found.score[~np.isnan(found.score)]
    assert ((scored >= 0) & (scored <= 1)).all()
    anomalous = found.flag == 2
    assert (found.score[anomalous] >= 0.5).all()
    assert found.in_order[anomalous].all()
