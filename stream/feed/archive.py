"""What has been fetched from each place, and what of it has been published: kept on disk, so that a restart goes on.

A folder per place holds the file as it came, under its own name, and `place.json` with its version. Both are written
beside their name and then moved there: whatever is found is whole. The edition that was published last stands in
`published.arrow`.
"""

import hashlib
import io
import json
import shutil
import zipfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from schemas.errors import MeterstreamError
from schemas.ticks import TickBatch
from simulators.feeds.edition import Edition
from stream.feed.sources import name_of
from stream.feed.web import MAX_BODY_BYTES, Answer

_ZIP = b"PK\x03\x04"
_REVISION = "published_revision"


class NotAnArchive(MeterstreamError):
    """A packed file cannot be unpacked."""


@dataclass(frozen=True)
class Version:
    """What is known of a place.

    Attributes:
        place: path or URL.
        etag: as its publisher calls the version that we have.
        modified: the time of it.
        digest: of its bytes; empty before the first.
        done: digest of the bytes that were dealt with last: published, or found unreadable.
    """

    place: str
    etag: str | None = None
    modified: str | None = None
    digest: str = ""
    done: str = ""

    @property
    def is_news(self) -> bool:
        """Say whether the bytes we have are still to be dealt with."""
        return self.digest != self.done


class Archive:
    """The versions of all places below one folder.

    Args:
        folder: made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def version(self, place: str) -> Version:
        """Return what is known of a place; one that cannot be read is forgotten, and fetched again."""
        try:
            return Version(**json.loads((self._of(place) / "place.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return Version(place)

    def keep(self, place: str, answer: Answer) -> Version:
        """Keep what a publisher answered, and return the version that this is."""
        before, digest = self.version(place), hashlib.sha256(answer.body).hexdigest()
        self._of(place).mkdir(parents=True, exist_ok=True)
        if digest != before.digest:
            _write(self._body(place), answer.body)
        return self._note(replace(before, etag=answer.etag, modified=answer.modified, digest=digest))

    def done(self, version: Version, edition: Edition | None = None) -> None:
        """Note that a version has been dealt with: published as an edition, or not readable."""
        if edition is not None:
            table = edition.batch.records.append_column(_REVISION, pa.array(edition.revision))
            sink = pa.BufferOutputStream()
            with pa.ipc.new_file(sink, table.schema) as file:
                file.write_batch(table)
            _write(self._of(version.place) / "published.arrow", bytes(sink.getvalue()))
        self._note(replace(version, done=version.digest))

    def edition(self, place: str) -> Edition:
        """Return what was published last, nothing where that is not known."""
        try:
            with pa.ipc.open_file((self._of(place) / "published.arrow").read_bytes()) as file:
                table = file.read_all().combine_chunks()
        except (OSError, pa.ArrowInvalid):
            return Edition.none()
        columns = {name: table[name].combine_chunks() for name in TickBatch.layout.schema.names}
        return Edition(TickBatch.from_columns(**columns), np.asarray(table[_REVISION], dtype=np.int64))

    def files(self, place: str) -> list[Path]:
        """Return the files of a place: the one that was fetched, or what was packed in it.

        Raises:
            NotAnArchive: it is packed and damaged, or unpacks to more than anything honest.
        """
        body = self._body(place)
        with body.open("rb") as file:
            packed = file.read(len(_ZIP)) == _ZIP
        return _unpack(body) if packed else [body]

    def _of(self, place: str) -> Path:
        return self._folder / hashlib.sha256(place.encode()).hexdigest()[:16]

    def _body(self, place: str) -> Path:
        return self._of(place) / "body" / name_of(place)

    def _note(self, version: Version) -> Version:
        folder = self._of(version.place)
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / "place.json", json.dumps(asdict(version), indent=1).encode())
        return version


def _unpack(path: Path) -> list[Path]:
    folder = path.parent.with_name("unpacked")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as packed:
            members = [member for member in packed.infolist() if not member.is_dir()]
            if sum(member.file_size for member in members) > MAX_BODY_BYTES:
                raise NotAnArchive(f"{path.name} unpacks to more than {MAX_BODY_BYTES} bytes")
            found = list[Path]()
            for member in members:
                # A member's own folders mean nothing here, least of all `..`.
                found.append(folder / Path(member.filename).name)
                found[-1].write_bytes(packed.read(member))
            return found
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise NotAnArchive(f"{path.name} cannot be unpacked: {error}") from error


def _write(path: Path, data: bytes) -> None:
    """Write a file that is either there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(data)
    beside.replace(path)
