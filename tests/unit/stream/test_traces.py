"""Traces are off unless a collector is named, and go to it where one is."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from schemas.errors import ConfigurationError
from stream.traces import no_spans, spans_to


@contextmanager
def collector() -> Iterator[tuple[str, Queue[bytes]]]:
    """A server that takes what is posted to it."""
    taken = Queue[bytes]()

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.put(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", taken
    finally:
        server.shutdown()
        server.server_close()


def test_without_a_collector_nothing_is_opened() -> None:
    span = spans_to("", 1.0, "worker", "w1")
    assert span is no_spans
    with span("take", records=3) as opened:
        assert opened is None


def test_spans_go_to_the_collector_with_who_sends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    with collector() as (url, taken):
        span = spans_to(url, 1.0, "meterstream-worker", "w1")
        with span("take", records=3), span("process", partition=0):
            pass
        sent = ExportTraceServiceRequest.FromString(taken.get(timeout=30))
    (resource,) = sent.resource_spans
    facts = {fact.key: fact.value.string_value for fact in resource.resource.attributes}
    assert (facts["service.name"], facts["service.instance.id"]) == ("meterstream-worker", "w1")
    spans = {span.name: span for scope in resource.scope_spans for span in scope.spans}
    assert spans["process"].parent_span_id == spans["take"].span_id
    assert [(fact.key, fact.value.int_value) for fact in spans["take"].attributes] == [("records", 3)]


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'meterstream\[traces\]'"):
        spans_to("http://127.0.0.1:4318/v1/traces", 1.0, "worker", "w1")
