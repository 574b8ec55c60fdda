"""The table of goals says what was measured, and of what was not that it was not."""

from tests.bench.chart import Bar, bars
from tests.bench.goals import goals, table

REPORT = {
    "backlog": {"medians": {"meterstream": 120_000.0}, "ratios": {"bare COPY + upsert": 0.65}},
    "peers": {
        "json array": {"ratios": {"naive Faust": 300.0}, "missing": {"PyFlink": "no Java"}},
        "single json": {"ratios": {"naive Faust": 12.34}},
    },
    "burst": {"burst": {"readings": 10, "stored": 9, "stored_s": 61.0}, "recovery": {"1200000": {"seconds": 31.0}}},
}


def test_an_empty_report_holds_nothing() -> None:
    assert {goal.verdict for goal in goals({})} == {"not measured"}


def test_goals_are_read_from_the_report() -> None:
    verdicts = {goal.name: goal.verdict for goal in goals(REPORT)}
    assert verdicts["batched backlog to committed rows"] == "holds"
    assert verdicts["of the bare COPY + upsert"] == "falls short"
    assert verdicts["times naive Faust"] == "holds"
    assert verdicts["1.2 M meters recovered"] == "falls short"


def test_a_peer_that_did_not_run_says_why() -> None:
    (flink,) = [goal for goal in goals(REPORT) if goal.name == "times PyFlink"]
    assert flink.verdict == "not measured"
    assert "no Java" in flink.note


def test_a_burst_that_is_not_complete_was_not_stored_in_time() -> None:
    (stored,) = [goal for goal in goals(REPORT) if goal.name.startswith("1.2 M readings")]
    assert stored.measured is None


def test_the_table_has_a_line_per_goal() -> None:
    found = goals(REPORT)
    lines = table(found).splitlines()
    assert len(lines) == len(found) + 2
    assert "| batched backlog to committed rows | >= 100,000 /s | 120,000 /s | holds |  |" in lines
    assert any("12.3 x on single JSON" in line for line in lines)


def test_the_longest_bar_is_the_highest_value_and_labels_are_text() -> None:
    drawn = bars("A & B", "of <three>", [Bar("one", 50_000.0, ours=True), Bar("two", 25_000.0)])
    widths = [float(part.split('width="')[1].split('"')[0]) for part in drawn.splitlines() if 'rx="2"' in part]
    assert widths[0] == 2 * widths[1]
    assert "A &amp; B" in drawn
    assert "of &lt;three&gt;" in drawn
