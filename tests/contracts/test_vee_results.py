"""What the rules said, in the database: beside each row, counted by hour, and under the version that said it."""

from dataclasses import replace

import numpy as np
import psycopg
import pytest

from processors.vee.catalogue import BY_ID, RULES
from processors.vee.rule_set import parse
from schemas.errors import ConfigurationError, ServiceUnavailable
from schemas.quality import nem12_code
from sinks.rule_ledger import keep_rule_set
from sinks.timescale import TimescaleStore
from stream.vee.rule_book import load_rules
from tests.builders import HOUR_US, MINUTE_US, START_US, batch
from tests.contracts.backings import unique
from tests.contracts.test_any_store import Feed

pytestmark = pytest.mark.integration

GAP, SPIKE = (1 << BY_ID[name].bit for name in ("gap", "spike"))


async def test_results_stand_beside_each_row_and_are_counted_per_rule_meter_and_hour(database_url: str) -> None:
    keep_rule_set(database_url, load_rules(None))
    feed = Feed(TimescaleStore(database_url, lateness_s=60.0), unique("topic"), unique("m"))
    await feed.start()
    times = [START_US, START_US + MINUTE_US, START_US + HOUR_US]
    found = await feed.rows(batch(feed.meter(), times, consumption_kwh=1.0))
    masks = {"failed": [GAP | SPIKE, GAP, 0], "warned": [0, SPIKE, 1 << 62]}
    changed = {name: np.array(values, dtype=np.int64) for name, values in masks.items()}
    nem12 = np.array([nem12_code(text) for text in ("A", "S14", "F17")], dtype=np.int16)
    await feed.store.write(
        feed.delivery(replace(found, **changed, nem12=nem12, rule_set=np.array([1, 2, 3], dtype=np.int32))), _nothing
    )
    await feed.store.close()
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT failed_rules, warned_rules, rule_set, nem12_quality, espi_quality FROM meter_readings "
            "JOIN smart_meters USING (meter_id) WHERE meter_number = %s ORDER BY reading_time",
            (feed.meter(),),
        ).fetchall()
        counts = connection.execute(
            "SELECT rule, extract(epoch FROM hour)::bigint * 1000000, failed, warned FROM vee_counts "
            "JOIN smart_meters USING (meter_id) WHERE meter_number = %s ORDER BY rule",
            (feed.meter(),),
        ).fetchall()
    assert rows == [(GAP | SPIKE, 0, 1, "A", 1), (GAP, SPIKE, 2, "S14", 1), (0, 1 << 62, 3, "F17", 1)]
    assert counts == [("gap", START_US, 2, 0), ("spike", START_US, 1, 1)]


async def _nothing(_: object) -> None:
    pass


def test_a_version_never_changes_what_it_says(database_url: str) -> None:
    keep_rule_set(database_url, parse("version = 900"))
    keep_rule_set(database_url, parse("version = 900"))
    with pytest.raises(ConfigurationError, match="version 900 of the rule set has been used with other content"):
        keep_rule_set(database_url, parse("version = 900\nname = 'other'"))
    with psycopg.connect(database_url) as connection:
        kept = connection.execute("SELECT content FROM vee_rule_sets WHERE version = 900").fetchall()
        rules = connection.execute("SELECT bit, rule FROM vee_rules ORDER BY bit").fetchall()
    assert kept == [("version = 900",)]
    assert rules == [(rule.bit, rule.id) for rule in RULES]


def test_a_database_that_is_not_there_is_waited_for() -> None:
    with pytest.raises(ServiceUnavailable):
        keep_rule_set("postgresql://nobody@127.0.0.1:1/nothing", parse("version = 1"))


def test_rows_from_before_have_seen_no_rule(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        defaults = connection.execute(
            "SELECT column_name, column_default FROM information_schema.columns WHERE table_schema = current_schema() "
            "AND table_name = 'meter_readings' AND column_name IN ('failed_rules', 'warned_rules', 'rule_set') "
        ).fetchall()
    assert {(name, value) for name, value in defaults} == {
        (name, "0") for name in ("failed_rules", "warned_rules", "rule_set")
    }
