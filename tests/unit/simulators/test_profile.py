"""Impossible profiles stop with a message that says what is wrong."""

from pathlib import Path

import pytest

from schemas.errors import ConfigurationError
from simulators.faults import CATALOGUE, FLEET_CLASSES, MARKET_CLASSES, FaultClass
from simulators.profile import MarketProfile, Profile, load_profile, profile_names


@pytest.mark.parametrize("kind", [Profile, MarketProfile])
@pytest.mark.parametrize("name", ["clean", "everyday", "showcase"])
def test_the_profiles_that_come_along_can_be_read(name: str, kind: type[Profile]) -> None:
    assert name in profile_names(kind)
    assert load_profile(name, kind).about


def test_the_rich_profiles_name_every_class() -> None:
    for name in ("everyday", "showcase"):
        assert set(load_profile(name).faults) == FLEET_CLASSES
        assert set(load_profile(name, MarketProfile).faults) == MARKET_CLASSES
    assert FLEET_CLASSES | MARKET_CLASSES == set(FaultClass) == set(CATALOGUE)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[faults.spike]\nrate = 1.5\n", "faults.spike.rate"),
        ("[faults.spike]\nrate = -0.1\n", "faults.spike.rate"),
        ("[faults.spike]\nrate = nan\n", "faults.spike.rate"),
        ("[faults.spike]\ncount = -1\n", "faults.spike.count"),
        ("[faults.spike]\nsize = [1.0, 2.0]\n", "from 1.5 to 10000 factor"),
        ("[faults.spike]\nsize = [9.0, 8.0]\n", "9 is above 8"),
        ("[faults.stuck]\nminutes = [0, 5]\n", "a duration of 0 min"),
        ("[faults.stuck]\nlength = 5\n", "faults.stuck.length"),
        ("[faults.gremlins]\nrate = 0.1\n", "faults.gremlins"),
        ("rates = 1\n", "rates"),
        ("[faults", "not TOML"),
    ],
    ids=lambda value: value.replace("\n", " ").strip(),
)
def test_what_cannot_be_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"bad\.toml") as caught:
        load_profile(str(path))
    assert says in str(caught.value)


def test_a_file_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"showcase"):
        load_profile(str(tmp_path / "none.toml"))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="not TOML"):
        load_profile(str(path))
