"""OpenTelemetry traces over OTLP/HTTP, if the environment names a collector (`OTEL_EXPORTER_OTLP_ENDPOINT`).

The SDK is imported only then. It reads every other `OTEL_…` variable itself: sampling, headers, queue and batch sizes.
A thread exports spans from a bounded queue; when it is full, spans are dropped, so an unreachable collector costs only
spans. A span never holds a credential, a body, a stock code, an e-mail address or the value of a parameter.

A process has one `Tracing`, as OpenTelemetry has one provider. It is a global here, since workers do not pass it along.
"""

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import structlog

log = structlog.get_logger("bedesten.telemetry")

STOP_S = 2.0
"""Longest wait for the collector when a process stops."""
MAX_TRACE_PARENT = 128
"""Longest `traceparent` read, in characters (version 00: 55). The library logs a longer one, which anyone may send."""
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})

Attributes = Mapping[str, str | int]
Headers = list[tuple[bytes, bytes]]


class Tracing:
    """The tracer of one process. Create it after the last fork, which its thread would not survive."""

    def __init__(self, process: str) -> None:
        """Raises `ImportError` without the extra `otel`."""
        from opentelemetry import context, trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._context, self._trace = context, trace
        self._exporter = OTLPSpanExporter()
        resource = Resource.create({"bedesten.process": process})
        if "service.name" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "") and not os.environ.get(
            "OTEL_SERVICE_NAME"
        ):
            resource = resource.merge(Resource({SERVICE_NAME: "bedesten"}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("bedesten")
        self._propagator = TraceContextTextMapPropagator()

    def start_server(self, method: str, headers: Headers) -> Any:
        """Starts the span of an incoming request, a child of the span that its `traceparent` names."""
        known = method if method in _METHODS else "_OTHER"
        context = self._propagator.extract(_trace_headers(headers), context=self._context.Context())
        attributes = {"http.request.method": known}
        return self._tracer.start_span(known, context, kind=self._trace.SpanKind.SERVER, attributes=attributes)

    def start_child(self, name: str, parent: Any, attributes: Attributes) -> Any:
        """Starts the span of a call as a child of `parent`, also in a thread without a current span."""
        kind = self._trace.SpanKind.CLIENT
        return self._tracer.start_span(
            name, self._trace.set_span_in_context(parent), kind=kind, attributes=dict(attributes)
        )

    def start_root(self, name: str, attributes: Attributes) -> Any:
        """Starts the span of a call that a worker makes."""
        kind = self._trace.SpanKind.CLIENT
        return self._tracer.start_span(name, self._context.Context(), kind=kind, attributes=dict(attributes))

    def current(self) -> Any | None:
        """The span of the request that this task serves, if it is recorded."""
        span = self._trace.get_current_span()
        return span if span.is_recording() else None

    @contextlib.contextmanager
    def serving(self, span: Any) -> Iterator[None]:
        """Makes a span the current one of this task."""
        token = self._context.attach(self._trace.set_span_in_context(span))
        try:
            yield
        finally:
            self._context.detach(token)

    def failed(self, span: Any, kind: str) -> None:
        """Marks a span as failed. `kind` is the name of an error, never its text."""
        span.set_attribute("error.type", kind)
        span.set_status(self._trace.Status(self._trace.StatusCode.ERROR))

    def stop(self) -> None:
        """Exports the remaining spans, for at most `STOP_S`."""
        stopping = threading.Thread(target=self._provider.shutdown, name="traces-stop", daemon=True)
        stopping.start()
        stopping.join(STOP_S)
        if stopping.is_alive():
            self._exporter.shutdown()


_active: Tracing | None = None


def start(process: str) -> Tracing | None:
    """Starts the tracing of this process; None if the environment asks for none. Call once, in the process itself."""
    global _active
    _active = _open(process)
    return _active


def stop() -> None:
    """Stops the tracing of this process, within `STOP_S`."""
    global _active
    ending, _active = _active, None
    if ending is not None:
        ending.stop()


@contextlib.contextmanager
def calling(name: str, attributes: Attributes) -> Iterator[Any]:
    """The span of a call to another party's server; None without tracing."""
    tracing = _active
    if tracing is None:
        yield None
        return
    span = tracing.start_root(name, attributes)
    try:
        yield span
    except BaseException as problem:
        tracing.failed(span, type(problem).__name__)
        raise
    finally:
        span.end()


def note_result(span: Any, error: str, status: int | None = None) -> None:
    """Records the result of a call in its span. `error` is empty for a success."""
    if span is None:
        return
    if status is not None:
        span.set_attribute("http.response.status_code", status)
    if error and _active is not None:
        _active.failed(span, error)


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """Whether the environment names a collector, and disables neither the SDK nor the export of traces."""
    off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() or "otlp"
    return not off and exporter == "otlp" and any(environment.get(name, "").strip() for name in _ENDPOINTS)


def _open(process: str) -> Tracing | None:
    if not is_asked_for(os.environ):
        return None
    try:
        return Tracing(process)
    except ImportError:
        log.warning("traces-off", cause="OpenTelemetry is not installed: install bedesten[otel]")
    except Exception as problem:
        log.warning("traces-off", cause=f"an OTEL_ variable has no usable value: {type(problem).__name__}")
    return None


def _trace_headers(headers: Headers) -> dict[str, str]:
    """The `traceparent` of a request, unless it is missing, repeated or too long.

    `tracestate` is ignored: only the caller's own tracing uses it, and the library logs what it cannot parse.
    """
    parents = [value for name, value in headers if name == b"traceparent"]
    if len(parents) != 1 or len(parents[0]) > MAX_TRACE_PARENT:
        return {}
    return {"traceparent": parents[0].decode("latin-1")}
