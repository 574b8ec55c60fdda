"""A model as a folder: a manifest that a person can read, and a file that cannot run anything when it is opened."""

import hashlib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from models.forest import Forest
from models.manifest import FORMAT_VERSION, FormatVersion, Manifest
from models.refused import ModelRefused
from models.scorer import Scorer
from models.tick_scorer import TickScorer
from processors.features import FEATURES
from processors.market.features import FEATURES as TICK_FEATURES

# scikit-learn and skops are loaded with the first model: a worker without one starts in half the time.
if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

MANIFEST, MODEL = "manifest.json", "forest.skops"
#: Beyond what scikit-learn itself is made of; anything else in a file is refused unseen.
_TRUSTED = ["sklearn.tree._tree.Tree"]
#: A forest of 1,000 trees has 30 MB.
_MOST_BYTES = 256 * 1024 * 1024


def pack(forest: Forest) -> bytes:
    """Return a forest as the bytes of its file.

    `skops` writes what an estimator consists of, and builds it again from a list of types that are trusted. A pickle
    would run whatever its author wrote into it.
    """
    from skops import io as skops_io  # noqa: PLC0415

    data: bytes = skops_io.dumps(forest.fitted)
    return data


def write(folder: Path, manifest: Manifest, model: bytes) -> None:
    """Write a model into a folder of its own, the manifest last: a folder without one is no model."""
    folder.mkdir(parents=True)
    (folder / MODEL).write_bytes(model)
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")


def read_manifest(folder: Path) -> Manifest:
    """Read what is written down about a model.

    Raises:
        ModelRefused: there is none, or it is damaged or of a future version.
    """
    try:
        text = (folder / MANIFEST).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelRefused(folder.name, f"its manifest cannot be read: {error}") from None
    try:
        version = FormatVersion.model_validate_json(text).format_version
        if version > FORMAT_VERSION:
            reason = f"it has format {version}, this engine knows {FORMAT_VERSION}: it comes from a newer engine"
            raise ModelRefused(folder.name, reason)
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the whole"
        raise ModelRefused(folder.name, f"its manifest is damaged: {where}: {problem['msg']}") from None


def load(folder: Path) -> Scorer:
    """Load a model of readings; see `opened`."""
    manifest = read_manifest(folder)
    _fitted_on(manifest, FEATURES)
    return Scorer(*opened(folder))


def load_ticks(folder: Path) -> TickScorer:
    """Load a model of the market; see `opened`."""
    manifest = read_manifest(folder)
    _fitted_on(manifest, TICK_FEATURES)
    return TickScorer(*opened(folder))


def _fitted_on(manifest: Manifest, features: Sequence[str]) -> None:
    """Refuse a model of other features than these."""
    if manifest.features != list(features):
        other = sorted(set(manifest.features) ^ set(features)) or "their order"
        name = f"{manifest.name}/{manifest.version}"
        raise ModelRefused(name, f"it was fitted on other features than this engine computes: {other}")


def opened(folder: Path) -> tuple[Manifest, Forest]:
    """Open a model of anything, after everything about it was found to be in order.

    Raises:
        ModelRefused: damaged, cut short, of other features, of a future version, of another scikit-learn, or not what
            its manifest says.
    """
    manifest = read_manifest(folder)
    name = f"{manifest.name}/{manifest.version}"
    if manifest.features != list(TICK_FEATURES):
        _fitted_on(manifest, FEATURES)
    _same_library(name, manifest)
    data = _read_model(folder / MODEL, name, manifest)
    fitted = _unpack(data, name)
    if fitted.n_features_in_ != len(FEATURES):
        raise ModelRefused(name, f"its forest has {fitted.n_features_in_} features instead of {len(FEATURES)}")
    forest = Forest(fitted, np.array(manifest.fill, dtype=np.float32))
    probe = np.array(manifest.probe.rows, dtype=np.float32).reshape(-1, len(FEATURES))
    if not np.array_equal(forest.score(probe), manifest.probe.scores):
        raise ModelRefused(name, "it no longer gives the scores that its manifest promises")
    return manifest, forest


def _same_library(name: str, manifest: Manifest) -> None:
    """Trees are stored as scikit-learn holds them, which may change between minor versions."""
    fitted_with = manifest.libraries.get("scikit-learn", "unknown")
    installed = metadata.version("scikit-learn")
    if fitted_with.split(".")[:2] != installed.split(".")[:2]:
        reason = f"it was fitted with scikit-learn {fitted_with}, this is {installed}: train it again"
        raise ModelRefused(name, reason)


def _read_model(path: Path, name: str, manifest: Manifest) -> bytes:
    try:
        size = path.stat().st_size
        if size != manifest.model_bytes or size > _MOST_BYTES:
            raise ModelRefused(name, f"its file has {size} bytes instead of {manifest.model_bytes}: it was cut short")
        data = path.read_bytes()
    except OSError as error:
        raise ModelRefused(name, f"its file cannot be read: {error}") from None
    if hashlib.sha256(data).hexdigest() != manifest.model_sha256:
        raise ModelRefused(name, "its file is not the one that its manifest describes: the checksum differs")
    return data


def _unpack(data: bytes, name: str) -> "IsolationForest":
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415
    from skops import io as skops_io  # noqa: PLC0415

    try:
        unknown = sorted(set(skops_io.get_untrusted_types(data=data)) - set(_TRUSTED))
        fitted = None if unknown else skops_io.loads(data, trusted=_TRUSTED)
    except Exception as error:  # noqa: BLE001 - a reader of foreign bytes fails in any way, and none may stop the stream
        raise ModelRefused(name, f"its file cannot be opened: {error!r}") from None
    if unknown:
        raise ModelRefused(name, f"its file holds what a forest has no need of: {unknown}")
    if not isinstance(fitted, IsolationForest):
        raise ModelRefused(name, f"its file holds {type(fitted).__name__}, no Isolation Forest")
    if not all(_sound(tree.tree_) for tree in fitted.estimators_):
        raise ModelRefused(name, "its trees point beyond themselves")
    return fitted


def _sound(tree: object) -> bool:
    """Say whether every step down a tree leads to a later node of it, and asks for a feature that there is.

    Compiled code follows these numbers without looking.
    """
    left, right, feature = (np.asarray(getattr(tree, name)) for name in ("children_left", "children_right", "feature"))
    inner = np.flatnonzero(left >= 0)
    ends = np.flatnonzero(left < 0)
    deeper = all(bool((side[inner] > inner).all() and (side[inner] < len(left)).all()) for side in (left, right))
    known = bool(((feature[inner] >= 0) & (feature[inner] < len(FEATURES))).all())
    return deeper and known and bool((right[ends] == left[ends]).all())
