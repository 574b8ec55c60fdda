"""The rooms: imports point one way, and arithmetic knows neither the clock nor the outside world."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("schemas", "processors", "models", "sinks", "simulators", "stream", "panels")
PURE = ("schemas", "processors")
#: Modules that tell the time, ask for chance, or reach beyond the process.
OUTSIDE = {
    "asyncio", "getpass", "http", "logging", "multiprocessing", "os", "platform", "random", "secrets", "select",
    "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib",
    "uuid",
}  # fmt: skip
#: Calls that read the clock or chance without importing any of these.
IMPURE_CALLS = {"now", "today", "utcnow", "time_ns", "default_rng", "rand", "randint", "input"}


def modules(rooms: tuple[str, ...] = ROOMS) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


#: It opens nothing, whatever its package does.
ARITHMETIC_OF_TEXT = {"urllib.parse"}


def test_imports_point_one_way() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", modules(PURE), ids=named)
def test_arithmetic_and_shapes_import_nothing_from_outside(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not {name.partition(".")[0] for name in names if name not in ARITHMETIC_OF_TEXT} & OUTSIDE, (
            f"{named(path)}:{node.lineno}"
        )


@pytest.mark.parametrize("path", modules(PURE), ids=named)
def test_arithmetic_and_shapes_read_no_clock_and_no_chance(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            assert name not in IMPURE_CALLS, f"{named(path)}:{node.lineno}: {name}()"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_its_rule_in_one_sentence_and_exports_nothing(room: str) -> None:
    tree = ast.parse((ROOT / room / "__init__.py").read_text())
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


@pytest.mark.parametrize("path", [path for path in modules() if path.name != "__init__.py"], ids=named)
def test_a_module_opens_with_its_role_and_stays_short(path: Path) -> None:
    text = path.read_text()
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring
    assert len(text.splitlines()) <= 300, "split it"


def test_importing_the_arithmetic_pulls_in_no_client_of_anything() -> None:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in modules(PURE)]
    heavy = ["faust", "psycopg", "redis", "paho", "aiokafka", "confluent_kafka", "structlog"]
    script = f"import sys\nfor name in {names}: __import__(name)\nprint([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
