"""Java programs: the runtime on the machine, and jars that Maven resolves once into a shared cache."""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from stream.stack.errors import MissingProgramError, StackError
from stream.stack.layout import alone
from stream.stack.process import Launch, run
from stream.stack.server import Report

#: A clean stop may include writing the class archive, on a busy machine [s].
STOP_TIMEOUT_S = 45.0
#: Apache Kafka 4 does not run on less.
OLDEST_JAVA = 17
INFRA = Path(__file__).resolve().parents[2] / "infra"

_INSTALL_JAVA = (
    "Install a Java runtime, 17 or newer (Debian, Ubuntu: `apt-get install openjdk-17-jre-headless`; "
    "macOS: `brew install openjdk@17`), or point JAVA_HOME to one."
)
_INSTALL_MAVEN = (
    "Install Maven, which fetches the jars once (Debian, Ubuntu: `apt-get install maven`; macOS: `brew install maven`)."
)
_POM = "{http://maven.apache.org/POM/4.0.0}"


def parse_version(banner: str) -> int | None:
    """Return the major version in the output of `java -version`, None where there is none."""
    match = re.search(r'version "(?:1\.)?(\d+)', banner)
    return int(match.group(1)) if match else None


@dataclass(frozen=True)
class Java:
    """A Java runtime.

    Attributes:
        program: the full path of `java`.
        banner: what `java -version` says.
    """

    program: str
    banner: str

    def command(self, jars: Path, *main: str, options: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return the command line that runs a main class, with its arguments, from a folder of jars."""
        return (self.program, *options, "-cp", f"{jars}/*", *main)

    def server(self, jars: Path, *main: str, heap: str, scratch: Path, options: tuple[str, ...]) -> tuple[str, ...]:
        """Return the command line of a long-running program; it unpacks native libraries into `scratch`."""
        common = (f"-Xmx{heap}", "-XX:+ExitOnOutOfMemoryError", f"-Djava.io.tmpdir={scratch}", self.class_archive(jars))
        return self.command(jars, *main, options=(*common, *options))

    def class_archive(self, jars: Path) -> str:
        """Return the option that halves the start: the classes of an earlier run, parsed and verified.

        Where there is no archive yet, the program writes one when it stops cleanly (some seconds, once). The Java
        runtime writes the header last, ignores an archive that does not fit, and carries on without.
        """
        digest = hashlib.sha256(self.banner.encode()).hexdigest()[:8]
        archive = jars.with_name(f"{jars.name}-{digest}.jsa")
        if _is_whole(archive):
            return f"-XX:SharedArchiveFile={archive}"
        return f"-XX:ArchiveClassesAtExit={archive}"


def _is_whole(archive: Path) -> bool:
    """Tell whether the header of a class archive, which is written last, is there."""
    if not archive.exists():
        return False
    with archive.open("rb") as file:
        return any(file.read(4))


def find_java() -> Java:
    """Return the Java of JAVA_HOME, else of PATH.

    Raises:
        MissingProgramError: there is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if found is None:
        raise MissingProgramError("java", f"not in {home}/bin (JAVA_HOME)" if home else "not on PATH", _INSTALL_JAVA)
    asked = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)  # noqa: S603 (a found program)
    version = parse_version(asked.stderr)
    if version is None:
        raise MissingProgramError("java", f"{found} does not run", _INSTALL_JAVA)
    if version < OLDEST_JAVA:
        raise MissingProgramError("java", f"{found} is version {version}", _INSTALL_JAVA)
    return Java(found, asked.stderr)


def pom_version(pom: Path) -> str:
    """Return the version of the program that a pom under infra/ names."""
    version = ET.parse(pom).getroot().findtext(f"{_POM}version")  # noqa: S314 (our own file)
    if version is None:
        raise StackError(f"{pom} has no <version>")
    return version


def jars_folder(pom: Path, cache: Path | None) -> Path:
    """Return where the jars of a pom are cached; the name changes with the pom's content."""
    base = cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meterstream"
    digest = hashlib.sha256(pom.read_bytes()).hexdigest()[:8]
    return base / f"{pom.parent.name}-{pom_version(pom)}-{digest}"


def check_java(pom: Path, cache: Path | None) -> None:
    """Make sure that the program of a pom can run here.

    Raises:
        MissingProgramError: Java, or Maven while its work is still to be done, is missing.
    """
    find_java()
    if not jars_folder(pom, cache).exists() and shutil.which("mvn") is None:
        raise MissingProgramError("mvn", "not on PATH", _INSTALL_MAVEN)


def resolve_jars(pom: Path, cache: Path | None, report: Report) -> Path:
    """Return the folder with a program's jars, resolving them with Maven at the first call ever.

    Raises:
        MissingProgramError: Maven is missing.
        StackError: Maven failed.
    """
    folder = jars_folder(pom, cache)
    if folder.exists():
        return folder
    report("waiting for another download")
    # Neither our cache nor Maven's own repository bears two writers.
    with alone(folder.parent / "maven.lock"):
        if not folder.exists():
            report(f"fetching {pom.parent.name} {pom_version(pom)} with Maven, once")
            _run_maven(pom, folder)
    return folder


def _run_maven(pom: Path, folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingProgramError("mvn", "not on PATH", _INSTALL_MAVEN)
    beside = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    argv = [maven, "--quiet", "--batch-mode", "--file", str(pom), "dependency:copy-dependencies"]
    argv += ["-DincludeScope=runtime", f"-DoutputDirectory={beside}"]
    # Its own log, so that the first error in it is this run's; the advice that follows it explains nothing.
    log = folder.with_name(f"{folder.name}.log")
    log.unlink(missing_ok=True)
    status = run(Launch(argv=tuple(argv), directory=folder.parent), log)
    if status != 0 or not beside.exists():
        errors = [line for line in log.read_text(errors="replace").splitlines() if "[ERROR]" in line]
        raise StackError(
            f"Maven could not fetch {pom.parent.name} (exit code {status}): {''.join(errors[:1])} "
            f"Is the network up? Its log: {log}. Try by hand: {shlex.join(argv)}"
        )
    beside.rename(folder)
