"""What Grafana makes of a panel's query before the database sees it: its variables, then its macros."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

from panels.board import Dashboard, Panel, Variable
from panels.catalogue import ANNOTATION, DASHBOARDS

#: A macro's arguments end at the first bracket: Grafana does not count brackets, so none may be within.
MACRO = re.compile(r"\$(__\w+)\(([^)]*)\)")
NAMED = re.compile(r"\$(?!__)(\w+)")
#: What stands for a variable: one, several, or None for all.
Choice = str | Sequence[str] | None
#: Values of every variable as one would choose them first.
FIRST: dict[str, str | Sequence[str]] = {
    "class": "all",
    "meter": "",
    "element": "",
    "market": "aemo_nem",
    "symbol": "NSW1",
    "kind": "settlement",
}


def sql_panels() -> list[tuple[Dashboard, Panel]]:
    return [(board, panel) for board in DASHBOARDS for panel in board.panels if panel.sql]


def queries() -> dict[str, str]:
    """Every query there is: of panels, of variables, and that of annotations."""
    found = {f"{board.name}: {panel.title}": panel.sql for board, panel in sql_panels()}
    for board in DASHBOARDS:
        found |= {f"{board.name}: ${variable.name}": variable.sql for variable in board.variables if variable.sql}
    return found | {"annotations": ANNOTATION}


def first_choice(variable: Variable) -> Choice:
    """What a dashboard shows before anybody has chosen: all, the first choice, or what a test gives."""
    if variable.many:
        return None
    return variable.choices[0][0] if variable.choices else FIRST[variable.name]


def first_choices(board: Dashboard) -> dict[str, Choice]:
    return {variable.name: first_choice(variable) for variable in board.variables}


def with_choices(sql: str, choices: Mapping[str, Choice]) -> str:
    """Write what was chosen into a query: None is all; of several each is quoted; one has its quotes doubled."""

    def value(match: re.Match[str]) -> str:
        chosen = choices[match.group(1)]
        if chosen is None:
            return "'*'"
        if isinstance(chosen, str):
            return chosen.replace("'", "''")
        return ",".join("'" + one.replace("'", "''") + "'" for one in chosen)

    return NAMED.sub(value, sql)


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).strftime("'%Y-%m-%dT%H:%M:%SZ'")


def with_macros(sql: str, since: datetime, until: datetime, *, timescale: bool, interval: str = "15m") -> str:
    """Write Grafana's macros out as its PostgreSQL plugin does.

    Raises:
        KeyError: a macro that it does not have, or that no panel should need.
    """
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

    def bucket(column: str, length: str) -> str:
        length_s = int(length.strip(" '")[:-1]) * seconds[length.strip(" '")[-1]]
        if timescale:
            return f"time_bucket('{length_s}.000s',{column})"
        return f"floor(extract(epoch from {column})/{length_s})*{length_s}"

    macros: dict[str, Callable[[str], str]] = {
        "__timeFilter": lambda column: f"{column} BETWEEN {_rfc3339(since)} AND {_rfc3339(until)}",
        "__timeFrom": lambda _: _rfc3339(since),
        "__timeTo": lambda _: _rfc3339(until),
        "__timeGroup": lambda arguments: bucket(*arguments.split(",")),
    }
    sql = sql.replace("$__interval", interval)
    return MACRO.sub(lambda match: macros[match.group(1)](match.group(2)), sql)


def become(connection: psycopg.Connection[Any], role: str) -> bool:
    """Ask from here on as a role whose transactions only read, like Grafana's login; False where there is no such."""
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
        return False
    connection.execute(f"GRANT {role} TO CURRENT_USER")
    connection.execute(f"SET ROLE {role}")
    connection.execute("SET default_transaction_read_only = on")
    return True
