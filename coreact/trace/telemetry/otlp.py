"""Sends spans and events to an OTLP endpoint: what the command line uses, and scripts may.

What is told is collected and sent at `flush`, in the caller's thread: nothing is dropped silently, no agent
waits for a network, and a server that is down is one typed error within bounded time. An application that has
OpenTelemetry set up needs none of this: `Telemetry()` uses what is set up. Until `flush` everything is held
in memory, so a process that goes on for long must call it now and then.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from coreact import __version__
from coreact.errors import ConfigError, MissingExtraError, TelemetryError
from coreact.trace.telemetry.emission import Telemetry

_BATCH: Final = 512
_SIGNALS: Final = ("/v1/traces", "/v1/logs")


class OtlpTelemetry(Telemetry):
    """Telemetry with an OTLP/HTTP endpoint of its own. Not for use by two threads at once in `flush`.

    Further settings (headers with a key, certificates, compression) are OpenTelemetry's own environment
    variables, such as `OTEL_EXPORTER_OTLP_HEADERS`.
    """

    def __init__(self, endpoint: str, *, content: bool = False, timeout: float = 5.0) -> None:
        """Prepare to send; nothing is sent, and the server is not asked, before `flush`.

        Args:
            endpoint: root of the server, e.g. `http://127.0.0.1:4318`.
            content: see `Telemetry`.
            timeout: seconds to wait for a connection, and for each next part of an answer, of one request;
                after them nothing is tried again. A server that keeps sending, slowly, takes longer.

        Raises:
            ConfigError: the endpoint is no http address.
            MissingExtraError: OpenTelemetry's SDK or its exporter is not installed.
            TelemetryError: OpenTelemetry is switched off (`OTEL_SDK_DISABLED`), so nothing would be sent.
        """
        self.endpoint = _root(endpoint)
        try:
            from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk._logs import LoggerProvider
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.sampling import ALWAYS_ON
        except ImportError as error:
            raise MissingExtraError("Sending traces by OTLP", extra="otel") from error
        if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            raise TelemetryError(
                "OpenTelemetry is switched off by OTEL_SDK_DISABLED: nothing would be sent.",
                endpoint=self.endpoint,
                remedy="Unset OTEL_SDK_DISABLED.",
            )
        traces, logs = (self.endpoint + path for path in _SIGNALS)
        self._failures: list[str] = []
        session = _session(self._failures)
        self._spans = _Outbox("spans", OTLPSpanExporter(traces, timeout=timeout, session=session))
        self._events = _Outbox("evaluation events", OTLPLogExporter(logs, timeout=timeout, session=session))
        resource = Resource.create({"service.name": "coreact", "service.version": __version__})
        tracers = TracerProvider(resource=resource, sampler=ALWAYS_ON, shutdown_on_exit=False)
        tracers.add_span_processor(_span_processor(self._spans))
        loggers = LoggerProvider(resource=resource, shutdown_on_exit=False)
        loggers.add_log_record_processor(_log_processor(self._events))
        super().__init__(content=content, tracer_provider=tracers, logger_provider=loggers)

    def flush(self) -> tuple[int, int]:
        """Send what was told since the last time; what could not be sent is given up.

        Returns:
            How many spans and how many events were taken.

        Raises:
            TelemetryError: the server took none or not all of it; the error says how many.
        """
        problems: list[str] = []
        taken = [0, 0]
        self._failures.clear()
        with _quiet():
            for at, outbox in enumerate((self._spans, self._events)):
                if at and not taken[0] and problems:
                    problems.append(f"{outbox.give_up()} {outbox.what} were not tried")
                    break
                taken[at], lost = outbox.send()
                if lost:
                    problems.append(f"{lost} of {taken[at] + lost} {outbox.what} were not taken")
        if problems:
            why = f" ({self._failures[-1]})" if self._failures else ""
            raise TelemetryError(
                f"The OTLP endpoint {self.endpoint}: {'; '.join(problems)}{why}.",
                endpoint=self.endpoint,
                remedy="Check that an OTLP/HTTP receiver for traces and logs runs there.",
            )
        return taken[0], taken[1]


class _Outbox:
    """What waits to be sent by one exporter."""

    def __init__(self, what: str, exporter: Any) -> None:
        self.what = what
        self._exporter = exporter
        self._waiting: list[Any] = []

    def put(self, item: Any) -> None:
        self._waiting.append(item)

    def give_up(self) -> int:
        given, self._waiting = len(self._waiting), []
        return given

    def send(self) -> tuple[int, int]:
        """How many were taken, and how many were lost. After one refusal nothing more is tried."""
        waiting, self._waiting = self._waiting, []
        for at in range(0, len(waiting), _BATCH):
            if self._exporter.export(waiting[at : at + _BATCH]).name != "SUCCESS":
                return at, len(waiting) - at
        return len(waiting), 0


def _span_processor(outbox: _Outbox) -> Any:
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

    class Collecting(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            if span.context is not None and span.context.trace_flags.sampled:
                outbox.put(span)

    return Collecting()


def _log_processor(outbox: _Outbox) -> Any:
    from opentelemetry.sdk._logs import LogRecordProcessor

    class Collecting(LogRecordProcessor):
        def on_emit(self, log_record: Any) -> None:
            outbox.put(log_record)

        def shutdown(self) -> None:
            pass

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            return True

    return Collecting()


def _root(endpoint: str) -> str:
    root = endpoint.strip().rstrip("/")
    for path in _SIGNALS:
        root = root.removesuffix(path)
    try:
        parts = urlsplit(root)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            f"{endpoint!r} is no OTLP endpoint.", remedy="Give the root of one, e.g. http://127.0.0.1:4318."
        )
    return root


def _session(failures: list[str]) -> Any:
    """A session that writes down why requests fail; the exporters say only that they do."""
    import requests

    class Watching(requests.Session):
        def send(self, request: Any, **options: Any) -> Any:
            try:
                response = super().send(request, **options)
            except (requests.RequestException, OSError) as error:
                failures.append(_cause(error))
                raise
            if not response.ok:
                failures.append(f"HTTP {response.status_code} {response.reason}")
            return response

    return Watching()


def _cause(error: BaseException) -> str:
    """What is at the bottom of an error of the network, in a few words."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, OSError) and at.strerror:
            return at.strerror
        reason = getattr(at, "reason", None) or next(iter(at.args), None)
        at = at.__cause__ or at.__context__ or (reason if isinstance(reason, BaseException) else None)
    return type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what OpenTelemetry's exporters log of a failure from the terminal; the error says it."""
    logger = logging.getLogger("opentelemetry")
    nowhere = logging.NullHandler()
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(nowhere)
    try:
        yield
    finally:
        logger.removeHandler(nowhere)
        logger.propagate = propagates
