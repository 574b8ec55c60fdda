"""Spans of what a worker does, for an OpenTelemetry collector where one is named; without one nothing is made or kept.

A span is opened per portion that is taken, per step of its delivery and per checkpoint, never per reading.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

#: Opens a span: its name, and facts about it as keywords.
Spans = Callable[..., AbstractContextManager[object]]

_MISSING = "traces need OpenTelemetry, which is not installed: pip install 'meterstream[traces]'"


def no_spans(_name: str, **_facts: int | str) -> AbstractContextManager[object]:
    """Open nothing."""
    return nullcontext()


def spans_of(provider: "TracerProvider") -> Spans:
    """Return what opens spans of a provider; one within another is its child, in threads and tasks too."""
    tracer = provider.get_tracer("meterstream")

    def span(name: str, **facts: int | str) -> AbstractContextManager[object]:
        return tracer.start_as_current_span(name, attributes=facts)

    return span


def spans_to(endpoint: str, share: float, service: str, instance: str) -> Spans:
    """Return what opens spans that go to a collector; one that is away holds nothing up, its spans are dropped.

    Args:
        endpoint: OTLP over HTTP, such as `http://localhost:4318/v1/traces`; empty for no traces.
        share: of the portions that are traced, 0 to 1.
        service: `service.name` of the spans.
        instance: `service.instance.id` of the spans.

    Raises:
        ConfigurationError: OpenTelemetry is not installed.
    """
    if not endpoint:
        return no_spans
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - optional
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(_MISSING) from error
    provider = TracerProvider(
        resource=Resource.create({"service.name": service, "service.instance.id": instance}),
        sampler=ParentBased(TraceIdRatioBased(share)),
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return spans_of(provider)
