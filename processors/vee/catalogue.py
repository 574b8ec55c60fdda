"""All rules, in the order of their bits."""

from processors.vee import history_rules, identity_rules, power_rules, range_rules, register_rules, time_rules
from processors.vee.rule import Rule

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (
            rule
            for module in (identity_rules, time_rules, range_rules, history_rules, register_rules, power_rules)
            for rule in module.RULES
        ),
        key=lambda rule: rule.bit,
    )
)
BY_ID = {rule.id: rule for rule in RULES}
