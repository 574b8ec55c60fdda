"""`make bench`: everything measured in one run, one section after another, with a report that says what holds.

A section's result is written as soon as it is there; `--resume` goes on where an earlier run broke off.
"""

import argparse
import json
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.bench import chart, contest, goals, learned, machine
from tests.bench.ground import ground
from tests.bench.sections import FULL, QUICK, SECTIONS, Bench

_OUT = Path(".local") / "bench"


def main() -> int:
    """Run what was asked for; exit code 1 where a section failed or a result was wrong."""
    asked = _arguments()
    out = Path(asked.out)
    out.mkdir(parents=True, exist_ok=True)
    file = out / ("quick.json" if asked.quick else "full.json")
    report: dict[str, Any] = json.loads(file.read_text()) if asked.resume and file.exists() else {}
    report |= {
        "command": machine.command(),
        "commit": machine.commit(),
        "machine": machine.machine(),
        "began_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    seconds = 2 if asked.quick else 1
    names = asked.only.split(",") if asked.only else [name for name, section in SECTIONS.items() if section[seconds]]
    todo = [name for name in names if not (asked.resume and name in report and "failed" not in report[name])]
    failed = _run(asked, todo, report, file)
    report["versions"] = machine.versions(out / "environments")
    file.write_text(json.dumps(report, indent=1) + "\n")
    _charts(report, out)
    found = goals.goals(report)
    _say(f"\n{goals.table(found)}\n\nreport: {file}")
    wrong = [name for name in names if _wrong(report.get(name))]
    for name in wrong:
        _say(f"WRONG RESULTS in {name}: see `wrong` in the report")
    return 1 if failed or wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=...", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small run of what matters most, once")
    parser.add_argument("--only", default="", help=f"sections, with commas: {','.join(SECTIONS)}")
    parser.add_argument("--rounds", type=int, help=f"of everything that is compared (default: {FULL.rounds})")
    parser.add_argument("--resume", action="store_true", help="leave out sections that the last report has")
    parser.add_argument("--out", default=str(_OUT), help="folder of the report (default: %(default)s)")
    asked = parser.parse_args()
    unknown = [name for name in asked.only.split(",") if name not in SECTIONS] if asked.only else []
    if unknown:
        parser.error(f"there is no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    return asked


def _run(asked: argparse.Namespace, todo: list[str], report: dict[str, Any], file: Path) -> list[str]:
    """Run sections, each into the report; return those that failed."""
    failed: list[str] = []
    if not todo:
        return failed
    environments = contest.Environments((file.parent / "environments").resolve())
    if "peers" in todo:
        _prepare(environments)
    with tempfile.TemporaryDirectory(prefix="meterstream-bench-") as scratch:
        _say("starting the servers")
        with ground(Path(scratch) / "stack") as servers:
            scorer = learned.trained(servers.directory / "models")
            learned.hand_out(scorer, Path(scratch) / "forest.joblib")
            size = QUICK if asked.quick else FULL
            size = replace(size, rounds=asked.rounds or size.rounds)
            bench = Bench(servers, environments, Path(scratch), size, scorer, _say)
            left = {name: float(SECTIONS[name][2 if asked.quick else 1]) for name in todo}
            for name in todo:
                _say(f"\n== {name}: {SECTIONS[name][0].__doc__} (about {sum(left.values()) / 60:.1f} min to go)")
                began = time.monotonic()
                try:
                    found = SECTIONS[name][0](bench)
                except Exception as error:  # noqa: BLE001 - one section must not cost the others their results
                    traceback.print_exc()
                    found = {"failed": str(error)}
                    failed.append(name)
                    _say(f"  FAILED: {error}")
                del left[name]
                report[name] = found | {"took_s": time.monotonic() - began, "load_average": machine.load()}
                file.write_text(json.dumps(report, indent=1) + "\n")
    return failed


def _prepare(environments: contest.Environments) -> None:
    """Install the peers before anything is timed; one that cannot be is reported when its turn comes."""
    for name in sorted({peer.environment for peer in contest.PEERS_OF} - {"engine"}):
        try:
            _say(f"peers: environment {name}")
            environments.python(name)
            if name == "flink":
                environments.flink_jars()
        except contest.Unavailable as reason:
            _say(f"  {reason}")


def _wrong(found: Any) -> bool:
    """Say whether any run of a section did not do the job."""
    if isinstance(found, dict):
        return bool(found.get("wrong")) or any(_wrong(part) for part in found.values())
    return isinstance(found, list) and any(_wrong(part) for part in found)


def _charts(report: dict[str, Any], out: Path) -> None:
    """Draw the peers."""
    for shape, name in ((goals.ARRAYS, "arrays"), ("single json", "single")):
        found = report.get("peers", {}).get(shape)
        if not found or not found.get("medians"):
            continue
        ranked = sorted(found["medians"].items(), key=lambda item: -item[1])
        drawn = [
            chart.Bar(label, rate, "" if label not in found["ratios"] else f"  (1/{found['ratios'][label]:.1f})",
                      ours=label == "meterstream")
            for label, rate in ranked
        ]  # fmt: skip
        text = chart.bars("The same job, the same broker and database", f"readings/s to committed rows, {shape}", drawn)
        (out / f"peers-{name}.svg").write_text(text)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
