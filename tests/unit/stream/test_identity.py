"""A process keeps its name over a restart, and two never share one."""

from pathlib import Path

from stream.identity import identity


def test_a_configured_id_is_taken_as_it_is(tmp_path: Path) -> None:
    with identity("bridge", "mine", tmp_path) as found:
        assert found == "mine"
    assert not list(tmp_path.iterdir())


def test_the_same_directory_gives_the_same_id_again(tmp_path: Path) -> None:
    with identity("bridge", "", tmp_path) as first:
        pass
    with identity("bridge", "", tmp_path) as second:
        assert first == second


def test_two_at_a_time_differ_and_a_freed_slot_is_taken_first(tmp_path: Path) -> None:
    one = identity("bridge", "", tmp_path)
    first = one.__enter__()
    with identity("bridge", "", tmp_path) as second:
        assert first != second
        one.__exit__(None, None, None)
        with identity("bridge", "", tmp_path) as third:
            assert third == first


def test_other_directories_have_other_ids(tmp_path: Path) -> None:
    with identity("bridge", "", tmp_path / "a") as one, identity("bridge", "", tmp_path / "b") as other:
        assert one != other


def test_components_do_not_compete_for_slots(tmp_path: Path) -> None:
    with identity("bridge", "", tmp_path) as bridge, identity("worker", "", tmp_path) as worker:
        assert bridge.endswith("-0")
        assert worker.endswith("-0")
        assert bridge != worker
