"""Faust as most people write it: one event per reading, tables for state, one upsert per row."""

import sys

import faust
import forest
import job
import psycopg
import redis.asyncio as aioredis
import store

where = store.settings()
app = faust.App(
    where["group"], broker=f"kafka://{where['kafka']}", store="memory://", topic_partitions=8,
    topic_replication_factor=1, web_enabled=False, consumer_auto_offset_reset="earliest", topic_disable_leader=True,
)  # fmt: skip
raw = app.topic(where["topic"], key_serializer="raw", value_serializer="raw")
alerts = app.topic(store.ALERTS, key_serializer="raw", value_serializer="raw")
rejected = app.topic(store.REJECTED, key_serializer="raw", value_serializer="raw")
profiles = app.Table("profiles", default=dict, partitions=8)
windows: dict[tuple[int, int], job.Window] = {}
registry = store.registry(where["database"])
scorer = forest.load()

_UPSERT = """
INSERT INTO meter_readings (meter_id, reading_time, consumption_kwh, demand_kw, voltage, current_amps, power_factor,
    quality_flag, anomaly_score, source_partition, source_offset, arrived_at)
VALUES (%s, to_timestamp(%s), %s, %s, %s, %s, %s, %s::quality_flag, %s, %s, %s, to_timestamp(%s))
ON CONFLICT (meter_id, reading_time) DO NOTHING
"""


@app.agent(raw)
async def readings(stream):  # type: ignore[no-untyped-def]
    """Take one event after another."""
    database = await psycopg.AsyncConnection.connect(where["database"], autocommit=True)
    latest = aioredis.Redis.from_url(where["redis"])
    async for event in stream.events():
        message = event.message
        arrived_us = round(message.timestamp * 1e6)
        for original in job.decode(event.value):
            found = job.check(original, message.partition, message.offset, arrived_us)
            if isinstance(found, str):
                key, value = job.reject(original, found)
                await rejected.send(key=key.encode(), value=value)
                continue
            await one(found, database, latest)


async def one(found: job.Reading, database: psycopg.AsyncConnection, latest: aioredis.Redis) -> None:
    """Do the job for one reading."""
    meter_id, box = registry[found.meter]
    own, other = job.slots_of(found.time_us)
    known = profiles[found.meter]
    verdict = job.judge(
        found,
        job.Base(*known.get("base", ())),
        job.Slot(*known.get(str(own), ())),
        job.Slot(*known.get(str(other), ())),
    )
    profiles[found.meter] = {**known, "base": list(verdict.base), str(own): list(verdict.slot)}
    (score,) = scorer.score([verdict.features], [verdict.score])
    scored = None if score != score else score  # noqa: PLR0124 - NaN
    window = box, job.window_start(found.time_us)
    windows[window] = job.add(windows.get(window, job.Window()), found)
    async with database.transaction():
        await database.execute(
            _UPSERT, (meter_id, found.time_us / 1e6, *found[2:7], verdict.flag, scored, *found[7:9], found[9] / 1e6)
        )
        await database.execute(store._WINDOWS, store._columns({window: windows[window]}))
    key = f"meterstream:latest:meter:{found.meter}"
    fields = {"time_us": found.time_us, "quality_flag": verdict.flag, "anomaly_score": score, "reading": str(found)}
    await latest.hset(key, mapping=fields)
    await latest.expire(key, store.EXPIRY_S)
    if verdict.flag == job.ANOMALY:
        element, value = job.alert(found, verdict)
        await alerts.send(key=element.encode(), value=value)


if __name__ == "__main__":
    sys.argv = [sys.argv[0], "worker", "-l", "warn", "--without-web"]
    app.main()
