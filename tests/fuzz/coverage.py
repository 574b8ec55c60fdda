"""Coverage-guided fuzzing of the codecs with Atheris: inputs that reach new lines of ours are changed further.

`python -m tests.fuzz.coverage -runs=100000 [any option of libFuzzer]`
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["schemas"]):
    from schemas.readings import ReadingBatch
    from schemas.ticks import TickBatch
    from tests.fuzz.mutations import TOKENS, seeds
    from tests.fuzz.neighbours import KINDS, hold


def one_input(data: bytes) -> None:
    """Hold one payload between two good ones; its first byte chooses content type and kind of batch."""
    if not data:
        return
    into = TickBatch if data[0] & 0x80 else ReadingBatch
    hold([data[1:]], [KINDS[data[0] % len(KINDS)]], into)


def main() -> None:
    """Fuzz with a fresh corpus of everything that the tests know."""
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(seeds()):
            for first in (0, 3, 0x80):
                Path(folder, f"{number}-{first}").write_bytes(bytes([first]) + data)
        words = Path(folder, "words.dict")
        words.write_text("".join(f'"{_escaped(token)}"\n' for token in TOKENS))
        options = [f"-dict={words}", "-max_len=8192", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, *sys.argv[1:], folder], one_input)
        atheris.Fuzz()


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token)


if __name__ == "__main__":
    main()
