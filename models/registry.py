"""The registry: a folder per model with a folder per version, and a pointer that says which one serves."""

import re
import uuid
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models import package
from models.manifest import Manifest
from models.refused import ModelRefused
from models.scorer import Scorer
from models.tick_scorer import TickScorer
from schemas.errors import ConfigurationError

_POINTER = "serving.json"
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")


class Serving(BaseModel):
    """Which versions of a model are in use.

    Attributes:
        champion: the version whose scores count; None before the first.
        before: champions before it, the newest last.
        shadow: a candidate that scores beside the champion; its scores are stored and do nothing. None without one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    champion: str | None = None
    before: list[str] = Field(default_factory=list)
    shadow: str | None = None


class Registry:
    """Versions of models in a folder.

    Everything that changes is written beside its place and moved there, so that a reader never finds half of it.

    Args:
        folder: holds a folder per model.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Return the names of models, in order."""
        return sorted(path.name for path in self._folder.glob("*") if path.is_dir())

    def versions(self, name: str) -> list[str]:
        """Return the versions of a model, in order; those that cannot be read are among them."""
        return sorted(path.name for path in self._model(name).glob("*") if path.is_dir() and _NAME.match(path.name))

    def add(self, manifest: Manifest, model: bytes) -> None:
        """Store a new version.

        Raises:
            ConfigurationError: there is one of that name already.
        """
        place = self._version(manifest.name, manifest.version)
        if place.exists():
            raise ConfigurationError(f"model {manifest.name} has a version {manifest.version} already")
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.parent / f".{manifest.version}-{uuid.uuid4().hex}"
        package.write(draft, manifest, model)
        draft.rename(place)

    def manifest(self, name: str, version: str) -> Manifest:
        """Read what is written down about a version.

        Raises:
            ModelRefused: there is none, or it cannot be read.
        """
        return package.read_manifest(self._version(name, version))

    def load_ticks(self, name: str, version: str) -> TickScorer:
        """Load a version of a model of the market.

        Raises:
            ModelRefused: it cannot be used, with the reason.
        """
        return package.load_ticks(self._version(name, version))

    def load(self, name: str, version: str) -> Scorer:
        """Load a version of a model of readings.

        Raises:
            ModelRefused: it cannot be used, with the reason.
        """
        return package.load(self._version(name, version))

    def serving(self, name: str) -> Serving:
        """Return which versions of a model are in use.

        Raises:
            ModelRefused: the pointer is damaged.
        """
        try:
            return Serving.model_validate_json((self._model(name) / _POINTER).read_text())
        except FileNotFoundError:
            return Serving()
        except (OSError, ValidationError, UnicodeDecodeError) as error:
            raise ModelRefused(name, f"which version serves cannot be read: {error}") from None

    def promote(self, name: str, version: str) -> None:
        """Make a version the champion; it is loaded first, so that a broken one never serves.

        Raises:
            ModelRefused: it cannot be used; the champion stays.
        """
        package.opened(self._version(name, version))
        now = self.serving(name)
        if now.champion != version:
            before = now.before if now.champion is None else [*now.before, now.champion]
            shadow = None if now.shadow == version else now.shadow
            self._point(name, now.model_copy(update={"champion": version, "before": before, "shadow": shadow}))

    def shadow(self, name: str, version: str | None) -> None:
        """Let a version score beside the champion; None ends that.

        Raises:
            ConfigurationError: it is the champion itself.
            ModelRefused: it cannot be used; what was in the shadow stays there.
        """
        now = self.serving(name)
        if version is not None:
            if version == now.champion:
                raise ConfigurationError(f"{name}/{version} is the champion: there is nothing to compare it with")
            package.opened(self._version(name, version))
        self._point(name, now.model_copy(update={"shadow": version}))

    def rollback(self, name: str) -> str:
        """Make the champion before this one the champion again, and return it.

        Raises:
            ConfigurationError: there was none.
            ModelRefused: it cannot be used any more; the champion stays.
        """
        now = self.serving(name)
        if not now.before:
            raise ConfigurationError(f"model {name} had no champion before {now.champion}")
        version = now.before[-1]
        package.opened(self._version(name, version))
        self._point(name, now.model_copy(update={"champion": version, "before": now.before[:-1]}))
        return version

    def _point(self, name: str, serving: Serving) -> None:
        place = self._model(name) / _POINTER
        draft = place.with_name(f".{_POINTER}-{uuid.uuid4().hex}")
        draft.write_text(serving.model_dump_json(indent=2) + "\n")
        draft.replace(place)

    def _model(self, name: str) -> Path:
        if not _NAME.match(name):
            raise ConfigurationError(f"{name!r} is no name of a model: letters, digits, dots, dashes, underscores")
        return self._folder / name

    def _version(self, name: str, version: str) -> Path:
        if not _NAME.match(version):
            raise ConfigurationError(f"{version!r} is no version: letters, digits, dots, dashes and underscores")
        return self._model(name) / version
