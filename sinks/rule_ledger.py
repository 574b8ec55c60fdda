"""Rule sets in the database: every version that has said anything, as it was.

Guarantee: a version never changes what it says; the same one may be written any number of times.
"""

import hashlib

import psycopg

from processors.vee.catalogue import RULES
from processors.vee.rule_set import RuleSet
from schemas.errors import ConfigurationError, ServiceUnavailable

_KEEP = """
INSERT INTO vee_rule_sets (version, name, checksum, content) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_KEPT = "SELECT checksum FROM vee_rule_sets WHERE version = %s"
_DESCRIBE = """
INSERT INTO vee_rules (bit, rule, version, reason, about, unit)
SELECT * FROM unnest(%s::smallint[], %s::text[], %s::int[], %s::text[], %s::text[], %s::text[])
ON CONFLICT (bit) DO UPDATE SET rule = excluded.rule, version = excluded.version, reason = excluded.reason,
    about = excluded.about, unit = excluded.unit
"""


def keep_rule_set(database_url: str, rules: RuleSet) -> None:
    """Write down a rule set before it says anything.

    Raises:
        ServiceUnavailable: the database does not answer.
        ConfigurationError: the database knows other rules under this version.
    """
    checksum = hashlib.sha256(rules.text.encode()).hexdigest()
    columns = [[getattr(rule, name) for rule in RULES] for name in ("bit", "id", "version", "reason", "about", "unit")]
    try:
        with psycopg.connect(database_url, connect_timeout=10) as connection:
            connection.execute(_DESCRIBE, columns)
            connection.execute(_KEEP, (rules.version, rules.name, checksum, rules.text))
            kept = connection.execute(_KEPT, (rules.version,)).fetchone()
            if kept is None or kept[0] != checksum:
                raise ConfigurationError(
                    f"version {rules.version} of the rule set has been used with other content: raise the version"
                )
    except psycopg.OperationalError as error:
        raise ServiceUnavailable("database", error) from error
