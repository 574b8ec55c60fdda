"""The engine's peers as the bench runs them: their environments, their processes, and the same judgement for all."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from stream.topics import bootstrap_servers
from tests.bench.engine import Run, emptied, judged, servers, wait_for_rows
from tests.bench.ground import Ground
from tests.bench.spec import Outcome
from tests.bench.watch import Watch

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PEERS = HERE / "peers"
_STOP_S = 3.0


@dataclass(frozen=True)
class Peer:
    """One peer.

    Attributes:
        name: what it is called.
        script: its program below `peers/`.
        environment: `engine`, `peers` or `flink`: which Python it runs in.
        share: how much of the full load it is given.
        once: one round is enough, since it is not close to the engine.
        quick: whether a quick run has it.
    """

    name: str
    script: str
    environment: str
    share: float
    once: bool = False
    quick: bool = True


PEERS_OF = (
    Peer("plain loop", "plain.py", "engine", 1.0),
    Peer("Bytewax", "bytewax_flow.py", "peers", 1.0),
    # It takes half a minute to start.
    Peer("PyFlink", "flink_flow.py", "flink", 0.1, once=True, quick=False),
    Peer("Quix Streams", "quix.py", "peers", 0.25, once=True),
    Peer("naive Faust", "naive_faust.py", "peers", 0.01, once=True),
)


class Unavailable(RuntimeError):
    """A peer cannot be installed or run here; says why."""


@dataclass(frozen=True)
class Environments:
    """Where the peers' Pythons and jars are.

    Attributes:
        directory: below it, one virtual environment per name.
    """

    directory: Path

    def python(self, name: str) -> Path:
        """Return the Python of an environment, made at its first use.

        Raises:
            Unavailable: it cannot be made.
        """
        if name == "engine":
            return Path(sys.executable)
        folder = self.directory / name
        requirements = PEERS / f"{name}.requirements.txt"
        wanted, mark = requirements.read_text(), folder / ".installed"
        if not mark.exists() or mark.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            self._run([sys.executable, "-m", "venv", str(folder)])
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            if name == "flink":
                # A dependency of a dependency still builds with what setuptools has dropped since.
                self._run([*pip, "setuptools<80", "wheel"])
                pip.append("--no-build-isolation")
            self._run([*pip, "-r", str(requirements)])
            mark.write_text(wanted)
        return folder / "bin" / "python"

    def flink_jars(self) -> str:
        """Return the URLs of Flink's Kafka connector, fetched with Maven at its first use.

        Raises:
            Unavailable: it cannot be fetched.
        """
        folder = self.directory / "flink-jars"
        if not folder.exists():
            pom = PEERS / "flink.pom.xml"
            beside = folder.with_name("flink-jars.new")
            shutil.rmtree(beside, ignore_errors=True)
            self._run(
                ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={beside}"]
            )
            beside.rename(folder)
        return ";".join(jar.as_uri() for jar in sorted(folder.glob("*.jar")))

    @staticmethod
    def _run(argv: list[str]) -> None:
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
        except OSError as error:
            raise Unavailable(f"{argv[0]}: {error}") from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise Unavailable(f"{' '.join(argv[:4])} ... ended with {done.returncode}: {' | '.join(said[-3:])}")


@dataclass(frozen=True)
class Arena:
    """What peers run in.

    Attributes:
        ground: the servers.
        environments: their Pythons.
        scratch: for logs and state.
        forest: the trained forest as a file for them, None without.
    """

    ground: Ground
    environments: Environments
    scratch: Path
    forest: Path | None = None

    def run(self, peer: Peer, topic: str, wanted: Outcome, records: int, timeout_s: float) -> Run:
        """Let a peer take a whole topic, so many records at once, and return what came of it.

        Raises:
            Unavailable: it cannot be installed.
            RuntimeError: it failed, or did not come to an end in time.
        """
        python = self.environments.python(peer.environment)
        before = emptied(self.ground)
        log = self.scratch / f"{peer.script.removesuffix('.py')}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(python), str(PEERS / peer.script)],
                cwd=self.scratch,
                env=self._environment(peer, python, topic, records),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            with Watch({"worker": [process.pid], **servers(self.ground)}) as watch:
                wait_for_rows(self.ground, before.inserted, wanted.rows, lambda: _ended(process, log), timeout_s)
            return judged(peer.name, self.ground, wanted, before, watch, peak_mb=watch.peak_bytes["worker"] // 2**20)
        finally:
            _stop(process)

    def _environment(self, peer: Peer, python: Path, topic: str, records: int) -> dict[str, str]:
        where = self.ground.endpoints
        told = {
            **os.environ,
            "BENCH_KAFKA": bootstrap_servers(where.kafka_url),
            "BENCH_DATABASE": where.database_url,
            "BENCH_REDIS": where.redis_url,
            "BENCH_TOPIC": topic,
            "BENCH_GROUP": f"peer-{time.time_ns()}",
            "BENCH_RECORDS": str(records),
            "PYTHONPATH": str(ROOT),
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        }
        if self.forest is not None:
            told["BENCH_FOREST"] = str(self.forest)
        if peer.environment == "flink":
            told["BENCH_FLINK_JARS"] = self.environments.flink_jars()
            told["PYTHONPATH"] = str(PEERS)
        return told


def _ended(process: subprocess.Popen[bytes], log: Path) -> str | None:
    """Return the end of a log where its process has failed; one that came to its end in order has not."""
    return log.read_text(errors="replace")[-2000:] if process.poll() not in {None, 0} else None


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a peer with everything that it started: it leads a session of its own."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + _STOP_S
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
    process.wait()
