"""Every way in which a model can be wrong is refused with its reason."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest, RandomForestRegressor
from skops import io as skops_io

from models import package
from models.refused import ModelRefused
from processors.features import FEATURES
from tests.trained import model, readings


class Stranger:
    """A type that no forest consists of."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "v1"
    package.write(place, *model())
    return place


def rewrite(folder: Path, **changes: Any) -> None:
    path = folder / package.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def replace_model(folder: Path, data: bytes) -> None:
    (folder / package.MODEL).write_bytes(data)
    rewrite(folder, model_bytes=len(data), model_sha256=hashlib.sha256(data).hexdigest())


def test_a_model_that_is_whole_is_loaded_and_scores_as_before(folder: Path) -> None:
    scorer = package.load(folder)
    assert scorer.name == "forest/v1"
    assert (
        scorer.forest.score(np.array(scorer.manifest.probe.rows, np.float32)).tolist() == scorer.manifest.probe.scores
    )
    assert scorer.manifest.data.meters == 8
    assert len(readings()) > scorer.manifest.data.readings > 0


def cut(folder: Path) -> None:
    path = folder / package.MODEL
    path.write_bytes(path.read_bytes()[:-100])


def flip(folder: Path) -> None:
    path = folder / package.MODEL
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def without(folder: Path, name: str) -> None:
    (folder / name).unlink()


def another(folder: Path) -> None:
    replace_model(folder, model(seed=9)[1])


def narrow(folder: Path) -> None:
    fitted = IsolationForest(n_estimators=2).fit(np.random.default_rng(1).normal(size=(50, 4)))
    replace_model(folder, skops_io.dumps(fitted))


def no_forest(folder: Path) -> None:
    fitted = RandomForestRegressor(n_estimators=2).fit(np.zeros((5, len(FEATURES))), np.arange(5))
    replace_model(folder, skops_io.dumps(fitted))


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut short": (cut, "cut short"),
    "corrupt": (flip, "checksum differs"),
    "without its file": (lambda folder: without(folder, package.MODEL), "cannot be read"),
    "without its manifest": (lambda folder: without(folder, package.MANIFEST), "manifest cannot be read"),
    "a manifest that is no JSON": (
        lambda folder: (folder / package.MANIFEST).write_text("{") and None,
        "manifest is damaged",
    ),
    "a manifest of bytes": (
        lambda folder: (folder / package.MANIFEST).write_bytes(b"\xff\xfe\x00") and None,
        "manifest cannot be read",
    ),
    "a manifest without a field": (lambda folder: rewrite(folder, metrics=None), "manifest is damaged: metrics"),
    "of the future": (lambda folder: rewrite(folder, format_version=99, surprise=1), "comes from a newer engine"),
    "of other features": (lambda folder: rewrite(folder, features=["voltage"]), "fitted on other features"),
    "of features in another order": (
        lambda folder: rewrite(folder, features=list(FEATURES[::-1])),
        "their order",
    ),
    "of another scikit-learn": (
        lambda folder: rewrite(folder, libraries={"scikit-learn": "9.9.9"}),
        "fitted with scikit-learn 9.9.9",
    ),
    "of an unknown kind": (lambda folder: rewrite(folder, kind="oracle"), "manifest is damaged: kind"),
    "not the one of the manifest": (another, "no longer gives the scores"),
    "a forest of four features": (narrow, "4 features instead of 13"),
    "no forest": (no_forest, "RandomForestRegressor, no Isolation Forest"),
    "no skops file": (lambda folder: replace_model(folder, b"PK\x03\x04 not really"), "cannot be opened"),
    "a pickle": (lambda folder: replace_model(folder, b"\x80\x04]\x94."), "cannot be opened"),
    "something foreign inside": (lambda folder: replace_model(folder, skops_io.dumps(Stranger())), "no need of"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_model_that_is_wrong_is_refused_with_the_reason(folder: Path, name: str) -> None:
    spoil, reason = WRONG[name]
    spoil(folder)
    with pytest.raises(ModelRefused, match=reason):
        package.load(folder)


def test_a_tree_that_points_beyond_itself_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "_sound", lambda _tree: False)
    with pytest.raises(ModelRefused, match="point beyond themselves"):
        package.load(folder)


class Tree:
    def __init__(self, left: list[int], right: list[int], feature: list[int]) -> None:
        self.children_left, self.children_right, self.feature = left, right, feature


@pytest.mark.parametrize(
    ("tree", "sound"),
    [
        (Tree([1, -1, -1], [2, -1, -1], [0, -2, -2]), True),
        (Tree([1, -1, -1], [3, -1, -1], [0, -2, -2]), False),
        (Tree([1, 0, -1], [2, 0, -1], [0, 0, -2]), False),
        (Tree([1, -1, -1], [2, -1, -1], [13, -2, -2]), False),
        (Tree([1, -1, -1], [2, 1, -1], [0, -2, -2]), False),
    ],
    ids=["whole", "beyond the end", "in a circle", "an unknown feature", "half a leaf"],
)
def test_trees_are_followed_only_where_every_step_leads_somewhere(tree: Tree, sound: bool) -> None:
    assert package._sound(tree) is sound
