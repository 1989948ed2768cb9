"""A receiver for OTLP over HTTP on loopback, for tests: it keeps what it is sent, decoded.

It takes what a collector takes (protobuf, plain or gzip, `/v1/traces` and `/v1/logs`), and can misbehave on
request. It checks nothing; tests do.
"""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self


class Received(NamedTuple):
    """One span or log record, with what it was sent under."""

    item: Any
    """The protobuf message: `Span` or `LogRecord`."""
    attributes: dict[str, Any]
    """Its attributes as plain values."""
    resource: dict[str, Any]
    """The resource's attributes."""
    scope: str
    """Name of the instrumentation scope."""
    schema_url: str


class OtlpReceiver:
    """A server on a free port of 127.0.0.1, as a context manager. Needs `opentelemetry-proto`."""

    def __init__(self) -> None:
        self.spans: list[Received] = []
        self.logs: list[Received] = []
        self.requests: list[str] = []
        """Paths that were asked for, in order."""
        self.status: dict[str, int] = {}
        """Answer these paths with these HTTP statuses."""
        self.release = threading.Event()
        """Set: answer at once (the default). Cleared: hold every answer until it is set."""
        self.release.set()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                owner.requests.append(self.path)
                owner.release.wait(60)
                status = owner.status.get(self.path, 200)
                if status == 200:
                    status = owner._take(self.path, body)
                try:
                    self.send_response(status)
                    self.send_header("content-type", "application/x-protobuf")
                    self.send_header("content-length", "0")
                    self.end_headers()
                except OSError:  # the client is gone
                    return

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def endpoint(self) -> str:
        """The root that an exporter is given."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, path: str, body: bytes) -> int:
        if path == "/v1/traces":
            from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in group.scope_spans:
                    self.spans += [_received(span, group, scope) for span in scope.spans]
        elif path == "/v1/logs":
            from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

            for group in ExportLogsServiceRequest.FromString(body).resource_logs:
                for scope in group.scope_logs:
                    self.logs += [_received(record, group, scope) for record in scope.log_records]
        else:
            return 404
        return 200


def _received(item: Any, group: Any, scope: Any) -> Received:
    return Received(
        item, _plain(item.attributes), _plain(group.resource.attributes), scope.scope.name, scope.schema_url
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
