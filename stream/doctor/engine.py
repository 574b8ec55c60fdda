"""The engine's own processes, and how far they are behind."""

from schemas.errors import MeterstreamError
from schemas.topics import METERS_RAW
from stream.backlog import backlog
from stream.doctor.findings import Finding, fail, ok, warn
from stream.processes import Process
from stream.stack.endpoints import Endpoints


def processes(found: list[Process]) -> list[Finding]:
    """Look at every bridge and worker that left a note."""
    findings = [_process(process) for process in found]
    for component in ("bridge", "worker"):
        if not any(process.component == component and process.alive for process in found):
            remedy = f"start one: `meterstream run {component}`, or everything: `meterstream up`"
            findings.append(warn(component, "none runs below this local directory", remedy))
    return findings


def _process(process: Process) -> Finding:
    name = f"{process.component} {process.pid}"
    if not process.alive:
        return warn(name, "it is gone and left its note behind (killed?)", f"remove {process.note}")
    health = process.health()
    if health is None:
        return fail(name, f"it lives, but /health on port {process.port} does not answer", "see its log; restart it")
    facts = ", ".join(f"{key} {value}" for key, value in health.items() if key not in {"live", "ready"} and value)
    if not health["live"]:
        return fail(name, f"it does not work any more: {facts}", "stop it and start it again; its log says why")
    if not health["ready"]:
        return warn(name, f"it is not ready: {facts}", "it may be starting, or wait for a service that is away")
    return ok(name, f"ready, /metrics on port {process.port}{': ' if facts else ''}{facts}")


def lag(endpoints: Endpoints, group: str, *, worker_runs: bool) -> list[Finding]:
    """Compare what Kafka holds with what the database has.

    Args:
        endpoints: where they are.
        group: consumer group of the workers.
        worker_runs: somebody is there to catch up.
    """
    try:
        waiting = backlog(endpoints, group)
    except MeterstreamError as error:
        return [warn("lag", f"not known: {error}", "see the other findings")]
    detail = f"{waiting.records:,} records of {METERS_RAW.name}, {waiting.rejects:,} rejects wait for a worker"
    findings = [ok("lag", detail)]
    if waiting.records and not worker_runs:
        findings = [warn("lag", detail, "start a worker: `meterstream run worker`")]
    if waiting.lost_records:
        remedy = "lengthen the retention of meters.raw, or keep workers running; `meterstream reconcile` shows where"
        detail = f"{waiting.lost_records:,} records were gone from Kafka before they were stored"
        findings.append(fail("lost", detail, remedy))
    return findings
