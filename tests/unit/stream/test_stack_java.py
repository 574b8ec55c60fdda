"""Java and Maven: found, old enough, or an error that says what to install."""

from pathlib import Path

import pytest

from stream.stack import java
from stream.stack.errors import MissingProgramError, StackError
from stream.stack.kafka import POM

OPENJDK_17 = 'openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment'


def _program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An otherwise empty PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


@pytest.mark.parametrize(
    ("banner", "version"),
    [
        pytest.param(OPENJDK_17, 17, id="openjdk"),
        pytest.param('java version "1.8.0_412"', 8, id="before-9"),
        pytest.param('openjdk version "25" 2025-09-16', 25, id="no-minor"),
        pytest.param("No Java runtime present", None, id="macos-stub"),
    ],
)
def test_the_version_is_read_from_the_banner(banner: str, version: int | None) -> None:
    assert java.parse_version(banner) == version


def test_missing_java_says_what_to_install(path: Path) -> None:
    with pytest.raises(MissingProgramError, match=r"java: not on PATH.*openjdk-17-jre-headless"):
        java.find_java()


def test_old_java_says_what_was_found_and_what_to_install(path: Path) -> None:
    _program(path, "java", "echo 'openjdk version \"11.0.2\"' >&2")

    with pytest.raises(MissingProgramError, match=r"is version 11.*17 or newer"):
        java.find_java()


def test_java_home_comes_first(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(path, "java", "echo 'openjdk version \"11.0.2\"' >&2")
    newer = _program(tmp_path / "jdk" / "bin", "java", f"echo '{OPENJDK_17.splitlines()[0]}' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))

    assert java.find_java().program == str(newer)


def test_missing_maven_matters_only_while_the_jars_are_not_cached(path: Path, tmp_path: Path) -> None:
    _program(path, "java", "echo 'openjdk version \"17.0.1\"' >&2")
    cache = tmp_path / "cache"

    with pytest.raises(MissingProgramError, match=r"mvn: not on PATH.*apt-get install maven"):
        java.check_java(POM, cache)

    java.jars_folder(POM, cache).mkdir(parents=True)
    java.check_java(POM, cache)


def test_a_class_archive_is_written_once_and_not_believed_when_cut_off(tmp_path: Path) -> None:
    jars = tmp_path / "kafka-1"
    runtime = java.Java("java", "17")
    written = runtime.class_archive(jars)
    assert written.startswith("-XX:ArchiveClassesAtExit=")
    archive = Path(written.partition("=")[2])

    archive.write_bytes(bytes(100))
    assert runtime.class_archive(jars) == written

    archive.write_bytes(b"header" + bytes(100))
    assert runtime.class_archive(jars) == f"-XX:SharedArchiveFile={archive}"
    assert java.Java("java", "21").class_archive(jars) != runtime.class_archive(jars)


def test_a_changed_pom_is_resolved_anew(tmp_path: Path) -> None:
    pom = tmp_path / "kafka" / "pom.xml"
    pom.parent.mkdir()
    pom.write_bytes(POM.read_bytes())
    before = java.jars_folder(pom, tmp_path)

    pom.write_bytes(POM.read_bytes() + b"\n")

    assert before.name.startswith(f"kafka-{java.pom_version(POM)}-")
    assert java.jars_folder(pom, tmp_path) != before


def test_maven_runs_once_and_its_failure_names_the_reason(path: Path, tmp_path: Path) -> None:
    _program(path, "mvn", "echo '[ERROR] Unknown host'; exit 1")

    with pytest.raises(StackError, match=r"Unknown host.*Is the network up\?"):
        java.resolve_jars(POM, tmp_path / "cache", lambda _detail: None)

    _program(path, "mvn", 'for a in "$@"; do case $a in -DoutputDirectory=*) /bin/mkdir -p "${a#*=}";; esac; done')
    folder = java.resolve_jars(POM, tmp_path / "cache", lambda _detail: None)
    (path / "mvn").unlink()

    assert java.resolve_jars(POM, tmp_path / "cache", lambda _detail: None) == folder
