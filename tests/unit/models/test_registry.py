from pathlib import Path

import pytest

from models import package
from models.refused import ModelRefused
from models.registry import Registry
from schemas.errors import ConfigurationError
from tests.trained import model


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    found = Registry(tmp_path)
    for version in ("v1", "v2", "v3"):
        found.add(*model(version))
    return found


def test_an_empty_registry_has_nothing_and_says_so(tmp_path: Path) -> None:
    empty = Registry(tmp_path / "nowhere")
    assert empty.names() == []
    assert empty.versions("forest") == []
    assert empty.serving("forest").champion is None


def test_versions_are_listed_and_none_serves_before_it_is_promoted(registry: Registry) -> None:
    assert registry.names() == ["forest"]
    assert registry.versions("forest") == ["v1", "v2", "v3"]
    assert registry.serving("forest").champion is None


def test_a_version_is_stored_once(registry: Registry) -> None:
    with pytest.raises(ConfigurationError, match="has a version v1 already"):
        registry.add(*model("v1"))


def test_rolling_back_goes_back_through_all_that_served(registry: Registry) -> None:
    for version in ("v1", "v3", "v3", "v2"):
        registry.promote("forest", version)
    assert registry.serving("forest").before == ["v1", "v3"]
    assert [registry.rollback("forest") for _ in range(2)] == ["v3", "v1"]
    with pytest.raises(ConfigurationError, match="no champion before v1"):
        registry.rollback("forest")


def test_a_broken_version_is_listed_but_never_promoted(registry: Registry, tmp_path: Path) -> None:
    registry.promote("forest", "v1")
    (tmp_path / "forest" / "v2" / package.MODEL).write_bytes(b"")
    with pytest.raises(ModelRefused, match="cut short"):
        registry.promote("forest", "v2")
    assert registry.serving("forest").champion == "v1"
    assert "v2" in registry.versions("forest")


def test_a_version_that_is_not_there_is_refused(registry: Registry) -> None:
    with pytest.raises(ModelRefused, match="manifest cannot be read"):
        registry.promote("forest", "v9")


def test_a_damaged_pointer_is_refused(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "forest" / "serving.json").write_text('{"champion": 7}')
    with pytest.raises(ModelRefused, match="which version serves cannot be read"):
        registry.serving("forest")


@pytest.mark.parametrize("name", ["", "..", "../v1", "a/b", ".hidden", "x" * 65])
def test_names_stay_inside_the_folder(registry: Registry, name: str) -> None:
    with pytest.raises(ConfigurationError, match="is no version"):
        registry.load("forest", name)
    with pytest.raises(ConfigurationError, match="is no name"):
        registry.versions(name)


def test_a_candidate_in_the_shadow_leaves_it_when_it_is_promoted(registry: Registry) -> None:
    registry.promote("forest", "v1")
    registry.shadow("forest", "v2")
    assert (registry.serving("forest").champion, registry.serving("forest").shadow) == ("v1", "v2")
    registry.promote("forest", "v3")
    assert registry.serving("forest").shadow == "v2"
    registry.promote("forest", "v2")
    assert registry.serving("forest").shadow is None


def test_neither_the_champion_nor_a_broken_version_runs_in_the_shadow(registry: Registry, tmp_path: Path) -> None:
    registry.promote("forest", "v1")
    (tmp_path / "forest" / "v2" / package.MODEL).write_bytes(b"")
    with pytest.raises(ConfigurationError, match="nothing to compare"):
        registry.shadow("forest", "v1")
    with pytest.raises(ModelRefused, match="cut short"):
        registry.shadow("forest", "v2")
    assert registry.serving("forest").shadow is None
