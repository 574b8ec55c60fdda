"""The machine: Python, the programs that the local stack needs, and room on the disk."""

import platform
import shutil
import sys
from pathlib import Path

from rich.filesize import decimal

from stream.doctor.findings import Finding, fail, ok, warn
from stream.stack import hivemq, kafka, mosquitto
from stream.stack.errors import MissingProgramError
from stream.stack.java import find_java, jars_folder
from stream.stack.settings import StackSettings

_OLDEST_PYTHON = (3, 11)
#: A day of 100 thousand meters every 15 minutes takes about 3 GB [bytes].
_LITTLE_ROOM, _NO_ROOM = 5_000_000_000, 500_000_000


def python() -> Finding:
    """Look at the Python that runs this."""
    version = platform.python_version()
    if sys.version_info < _OLDEST_PYTHON:
        return fail("python", version, "install Python 3.11 or newer and make the environment anew")
    return ok("python", f"{version} in {sys.prefix}")


def java(*, needed: bool) -> Finding:
    """Look for a Java runtime.

    Args:
        needed: the local stack shall run Kafka.
    """
    try:
        found = find_java()
    except MissingProgramError as error:
        return _missing("java", error, needed=needed)
    return ok("java", f"{found.banner.partition(chr(10))[0]} ({found.program})")


def maven(settings: StackSettings, *, needed: bool) -> Finding:
    """Look for Maven, or for the jars that it has fetched already."""
    absent = [pom.parent.name for pom in _poms(settings) if not jars_folder(pom, settings.cache).exists()]
    program = shutil.which("mvn")
    if program is None and absent:
        error = MissingProgramError("mvn", "not on PATH", "install Maven, which fetches the jars once")
        return _missing("maven", error, needed=needed)
    if program is None:
        return ok("maven", "not here, and not needed: the jars are cached")
    fetched = "the jars are cached" if not absent else f"jars still to be fetched, once: {', '.join(absent)}"
    return ok("maven", f"{program}; {fetched}")


def mqtt_broker(settings: StackSettings, *, needed: bool) -> Finding:
    """Look which MQTT broker the local stack would run."""
    found = mosquitto.find()
    if settings.mqtt == "mosquitto" and found is None:
        error = MissingProgramError("mosquitto", "not installed", "install it, or unset METERSTREAM_STACK_MQTT")
        return _missing("mqtt broker", error, needed=needed)
    if found is not None and settings.mqtt != "hivemq":
        return ok("mqtt broker", f"Mosquitto ({found})")
    return ok("mqtt broker", "HiveMQ Community Edition, on Java (Mosquitto is not installed)")


def disk(local_dir: Path) -> Finding:
    """Look how much room is left where the local stack keeps its data."""
    there = next(folder for folder in (local_dir.resolve(), *local_dir.resolve().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    detail = f"{decimal(free)} free for {local_dir}"
    if free < _NO_ROOM:
        return fail("disk", detail, "make room: Kafka and PostgreSQL stop when the disk is full")
    if free < _LITTLE_ROOM:
        return warn("disk", detail, "make room, or set METERSTREAM_LOCAL_DIR to a larger disk")
    return ok("disk", detail)


def _poms(settings: StackSettings) -> list[Path]:
    embedded = settings.mqtt == "hivemq" or mosquitto.find() is None
    return [kafka.POM, hivemq.POM] if embedded else [kafka.POM]


def _missing(name: str, error: MissingProgramError, *, needed: bool) -> Finding:
    if needed:
        return fail(name, error.found, error.remedy)
    return warn(name, f"{error.found}; only the local stack needs it", error.remedy)
