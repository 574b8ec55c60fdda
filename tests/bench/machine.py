"""What the bench ran on: hardware, kernel, and the versions of everything that took part."""

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_OURS = ("numpy", "pyarrow", "faust-streaming", "aiokafka", "psycopg", "scikit-learn", "orjson", "confluent-kafka")
_THEIRS = {"peers": ("faust-streaming", "quixstreams", "bytewax"), "flink": ("apache-flink",)}


def machine() -> dict[str, str]:
    """Return the machine in words."""
    text = Path("/proc/cpuinfo").read_text()
    models = {line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")}
    memory = next(line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemT"))
    return {
        "processor": ", ".join(sorted(models)),
        "cores": str(os.cpu_count()),
        "memory": f"{int(memory) / 2**20:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def versions(environments: Path) -> dict[str, str]:
    """Return versions of libraries here, and of the peers where they are installed."""
    found = {}
    for name in _OURS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    for environment, names in _THEIRS.items():
        python = environments / environment / "bin" / "python"
        for name in names:
            found[f"{name} ({environment})"] = _asked(python, name)
    return found


def _asked(python: Path, name: str) -> str:
    if not python.exists():
        return "not installed"
    script = f"from importlib.metadata import version; print(version({name!r}))"
    done = subprocess.run([str(python), "-c", script], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "not installed"


def commit() -> str:
    """Return the commit that was measured, with a mark where files differ from it."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def load() -> float:
    """Return how many processes wanted a processor over the last minute: others' work shows here."""
    return os.getloadavg()[0]


def command() -> str:
    """Return the command line."""
    return " ".join(["python", "-m", "tests.bench", *sys.argv[1:]])
