"""A worker that comes back after a crash is as quick as what it loads."""

import subprocess
import sys


def test_a_worker_starts_without_the_libraries_of_models() -> None:
    """They take longer to load than everything else together; the first model that serves brings them."""
    heavy = ["sklearn", "skops", "scipy", "numba"]
    script = f"import sys, stream.worker.run\nprint([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
