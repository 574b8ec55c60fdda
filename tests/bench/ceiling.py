"""The bare ceiling: the same rows into the same table, COPY and upsert, and nothing else."""

import time

import numpy as np
import psycopg
import pyarrow as pa

from processors.partition import partition_of
from sinks.copy_binary import CopyColumn, encode, instant, number, text
from tests.bench.engine import Run, servers
from tests.bench.feed import PARTITIONS
from tests.bench.figures import Span
from tests.bench.ground import Ground
from tests.bench.spec import Load
from tests.bench.watch import Watch

#: Rows per transaction: about what a delivery of a busy worker holds.
PER_COMMIT = 20_000
_COLUMNS = (
    "meter_id, reading_time, consumption_kwh, demand_kw, voltage, current_amps, power_factor, quality_flag, "
    "anomaly_score, source_partition, source_offset, arrived_at"
)
_STAGING = f"CREATE TEMP TABLE staged ON COMMIT DELETE ROWS AS SELECT {_COLUMNS} FROM meter_readings WITH NO DATA"
_INSERT = (
    f"INSERT INTO meter_readings ({_COLUMNS}) SELECT * FROM staged ON CONFLICT (meter_id, reading_time) DO UPDATE SET "
    "consumption_kwh = excluded.consumption_kwh"
)


def parts(load: Load, ids: dict[str, int]) -> list[tuple[int, bytes]]:
    """Return the rows of a load as binary COPY streams of PER_COMMIT rows, in the order that a worker meets them.

    A worker takes a few partitions at a time, each some intervals deep.
    """
    names = load.names.to_pylist()
    meter_id = np.array([ids[name] for name in names])
    order = np.argsort(partition_of(load.names, PARTITIONS), kind="stable")
    found: list[tuple[int, bytes]] = []
    waiting: list[list[CopyColumn]] = []
    for tick in load.ticks():
        rows = order[tick.good[order]]
        flag = pa.array(["normal"]).take(pa.array(np.zeros(len(rows), dtype=np.int64)))
        waiting.append(
            [
                number(meter_id[rows], ">i8"),
                instant(np.full(len(rows), tick.time_s * 1_000_000)),
                *(
                    number(values[rows], ">f8")
                    for values in (tick.energy_kwh, tick.demand_kw, tick.voltage, tick.current_amps, tick.power_factor)
                ),
                text(flag),
                number(np.full(len(rows), 0.5, dtype=np.float32), ">f4"),
                number(np.zeros(len(rows), dtype=np.int64), ">i4"),
                number(np.zeros(len(rows), dtype=np.int64), ">i8"),
                instant(np.full(len(rows), tick.time_s * 1_000_000)),
            ]
        )
        if sum(len(columns[0].length) for columns in waiting) >= PER_COMMIT:
            found.append(_together(waiting))
            waiting = []
    return [*found, *([_together(waiting)] if waiting else [])]


def _together(waiting: list[list[CopyColumn]]) -> tuple[int, bytes]:
    columns = [
        CopyColumn(
            np.concatenate([part.values for part in same]),
            np.concatenate([part.length for part in same]),
            same[0].kind,
        )
        for same in zip(*waiting, strict=True)
    ]
    return len(columns[0].length), encode(columns)


def bare(ground: Ground, load: Load, *, direct: bool = False) -> Run:
    """Write the rows of a load from prepared bytes, and return what it came to.

    Args:
        ground: the servers.
        load: whose rows.
        direct: COPY straight into the table, which no duplicate survives.
    """
    ground.empty()
    with psycopg.connect(ground.endpoints.database_url, autocommit=True) as connection:
        ids = dict(connection.execute("SELECT meter_number, meter_id FROM smart_meters").fetchall())
        prepared = parts(load, ids)
        connection.execute(_STAGING)
        into = f"meter_readings ({_COLUMNS})" if direct else "staged"
        with Watch(servers(ground)) as watch:
            began = time.time()
            for _, data in prepared:
                with connection.transaction(), connection.cursor() as cursor:
                    with cursor.copy(f"COPY {into} FROM STDIN (FORMAT BINARY)".encode()) as copy:
                        copy.write(data)
                    if not direct:
                        cursor.execute(_INSERT.encode())
            ended = time.time()
    rows = sum(count for count, _ in prepared)
    wrong = [] if ground.rows() == rows else [f"{ground.rows():,} rows instead of {rows:,}"]
    name = "bare COPY" if direct else "bare COPY + upsert"
    return Run(name, rows, Span(began, ended, rows), watch.spent(began, ended), wrong)
