"""A bridge keeps its client id over a restart, and two never share one."""

from pathlib import Path

from stream.bridge.identity import client_id


def test_a_configured_id_is_taken_as_it_is(tmp_path: Path) -> None:
    with client_id("mine", tmp_path) as found:
        assert found == "mine"
    assert not list(tmp_path.iterdir())


def test_the_same_directory_gives_the_same_id_again(tmp_path: Path) -> None:
    with client_id("", tmp_path) as first:
        pass
    with client_id("", tmp_path) as second:
        assert first == second


def test_two_at_a_time_differ_and_a_freed_slot_is_taken_first(tmp_path: Path) -> None:
    one = client_id("", tmp_path)
    first = one.__enter__()
    with client_id("", tmp_path) as second:
        assert first != second
        one.__exit__(None, None, None)
        with client_id("", tmp_path) as third:
            assert third == first


def test_other_directories_have_other_ids(tmp_path: Path) -> None:
    with client_id("", tmp_path / "a") as one, client_id("", tmp_path / "b") as other:
        assert one != other
