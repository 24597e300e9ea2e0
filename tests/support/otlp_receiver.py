"""An OpenTelemetry collector for traces, which decodes protobuf over HTTP; and one that never answers."""

import contextlib
import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """One received span. Ids are hexadecimal; `parent` is empty for a root. `process` is that of the resource."""

    name: str
    trace: str
    id: str
    parent: str
    kind: int
    failed: bool
    attributes: dict[str, object]
    events: tuple[str, ...]
    process: object


@dataclass
class Collector:
    """Stores what it receives and lets tests wait for it."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, path: str, body: bytes) -> None:
        """Decodes one export."""
        assert path == "/v1/traces"
        request = ExportTraceServiceRequest.FromString(body)
        with self.changed:
            self.raw.append(body)
            for part in request.resource_spans:
                process = _values(part.resource.attributes).get("bedesten.process")
                for scope in part.scope_spans:
                    self.spans += [_span(one, process) for one in scope.spans]
            self.changed.notify_all()

    def wait_for(self, wanted: Callable[[Span], bool], patience: float = 60.0) -> Span:
        """Waits for the first span that matches, and returns it."""
        with self.changed:
            assert self.changed.wait_for(lambda: any(map(wanted, self.spans)), patience), [s.name for s in self.spans]
            return next(filter(wanted, self.spans))

    def below(self, span: Span) -> list[Span]:
        """The child spans of this span."""
        return [one for one in self.spans if (one.trace, one.parent) == (span.trace, span.id)]


def _span(found: Any, process: object) -> Span:
    return Span(
        found.name,
        found.trace_id.hex(),
        found.span_id.hex(),
        found.parent_span_id.hex(),
        found.kind,
        found.status.code == 2,
        _values(found.attributes),
        tuple(event.name for event in found.events),
        process,
    )


def _values(attributes: Any) -> dict[str, object]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: Any) -> object:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """Runs a collector on a free port for the block."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            zipped = self.headers.get("Content-Encoding") == "gzip"
            collector.take(self.path, gzip.decompress(body) if zipped else body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def silent_collector() -> Iterator[tuple[str, threading.Event]]:
    """Runs a collector that never answers. Yields its address, and an event that the first connection sets."""
    connected, kept = threading.Event(), list[socket.socket]()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(listener.accept()[0])
                    connected.set()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", connected
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for one in kept:
                one.close()
