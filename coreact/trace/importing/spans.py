"""Spans as files have them, made one form: OTLP/JSON, and dumps of single spans (Phoenix, the SDK's console).

OTLP/JSON is what the Collector's file exporter writes, one `TracesData` or `LogsData` a line. Ids may be hex,
as the protocol says, or base64, as naive protobuf-to-JSON code writes them. What the attributes mean is
not asked here: that is a convention's affair.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from coreact.trace.importing.flat import flattened

_MOST = 2**63 - 1
_MOST_TOKENS = 2**53 - 1


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened at one time: a span event, or a log record that belongs to a span."""

    name: str
    attributes: dict[str, Any]
    at_ns: int = 0
    trace: str = ""
    span: str = ""
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class Span:
    """One span of any tool."""

    trace: str
    id: str
    parent: str = ""
    """Empty where it is a root."""
    name: str = ""
    start_ns: int = 0
    end_ns: int = 0
    attributes: dict[str, Any] = field(default_factory=dict)
    """Flat, with dots in their names. OTLP's own lists and objects stay what they are."""
    resource: dict[str, Any] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    links: tuple[str, ...] = ()
    """Ids of the spans that it points at."""
    error: str | None = None
    """Why it failed, where it did."""
    where: str = ""


def speaks_otlp(value: Any) -> bool:
    """Whether a document is OTLP/JSON of traces or logs."""
    return isinstance(value, Mapping) and any(
        key in value for key in ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs")
    )


def speaks_dump(value: Any) -> bool:
    """Whether a document is a dumped span, or a page of Phoenix's list of spans."""
    if not isinstance(value, Mapping):
        return False
    page = value.get("data")
    if isinstance(page, list) and page and "messages" not in value:
        return speaks_dump(page[0])
    context = value.get("context")
    return (isinstance(context, Mapping) and "trace_id" in context) or "context.trace_id" in value


def spans_of(value: Any, where: str) -> Iterator[Span | Event]:
    """The spans and the log records of a document.

    Raises:
        ValueError: it is not what it looks like.
    """
    if speaks_otlp(value):
        yield from _otlp(value, where)
    elif not speaks_dump(value):
        raise ValueError("neither OTLP/JSON nor dumped spans")
    elif isinstance(value.get("data"), list):
        for number, one in enumerate(value["data"], start=1):
            yield _dumped(one, f"{where}, span {number}")
    else:
        yield _dumped(value, where)


# --- OTLP/JSON ------------------------------------------------------------------------------


def _otlp(value: Mapping[str, Any], where: str) -> Iterator[Span | Event]:
    for whole in _list(value, "resourceSpans", "resource_spans"):
        resource = _attributes(_object(whole.get("resource")).get("attributes"))
        for scope in _list(whole, "scopeSpans", "scope_spans", "instrumentationLibrarySpans"):
            for span in _list(scope, "spans"):
                yield _otlp_span(span, resource, where)
    for whole in _list(value, "resourceLogs", "resource_logs"):
        for scope in _list(whole, "scopeLogs", "scope_logs"):
            for log in _list(scope, "logRecords", "log_records"):
                yield Event(
                    name=str(_get(log, "eventName", "event_name") or ""),
                    attributes=_attributes(log.get("attributes")) | _body(log.get("body")),
                    at_ns=nanoseconds(_get(log, "timeUnixNano", "time_unix_nano")),
                    trace=_id(_get(log, "traceId", "trace_id"), 16),
                    span=_id(_get(log, "spanId", "span_id"), 8),
                    where=where,
                )


def _otlp_span(span: Mapping[str, Any], resource: dict[str, Any], where: str) -> Span:
    status = _object(span.get("status"))
    failed = status.get("code") in (2, "STATUS_CODE_ERROR")
    return Span(
        trace=_id(_get(span, "traceId", "trace_id"), 16),
        id=_id(_get(span, "spanId", "span_id"), 8),
        parent=_id(_get(span, "parentSpanId", "parent_span_id"), 8),
        name=str(span.get("name") or ""),
        start_ns=nanoseconds(_get(span, "startTimeUnixNano", "start_time_unix_nano")),
        end_ns=nanoseconds(_get(span, "endTimeUnixNano", "end_time_unix_nano")),
        attributes=_attributes(span.get("attributes")),
        resource=resource,
        events=tuple(
            Event(
                name=str(event.get("name") or ""),
                attributes=_attributes(event.get("attributes")),
                at_ns=nanoseconds(_get(event, "timeUnixNano", "time_unix_nano")),
            )
            for event in _list(span, "events")
        ),
        links=tuple(_id(_get(link, "spanId", "span_id"), 8) for link in _list(span, "links")),
        error=str(status.get("message") or "failed") if failed else None,
        where=where,
    )


def _attributes(written: Any) -> dict[str, Any]:
    found = {}
    for pair in written if isinstance(written, list) else []:
        if not isinstance(pair, Mapping) or not isinstance(pair.get("key"), str):
            raise ValueError("an attribute has no key")
        found[pair["key"]] = _any_value(pair.get("value"))
    return found


def _any_value(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    for key, inner in value.items():
        kind = key.replace("_value", "Value")
        if kind == "intValue":  # a string in JSON, as all 64-bit integers
            return int(inner)
        if kind in ("stringValue", "boolValue", "doubleValue", "bytesValue"):
            return inner
        if kind == "arrayValue":
            return [_any_value(one) for one in _list(_object(inner), "values")]
        if kind == "kvlistValue":
            return _attributes(_object(inner).get("values"))
    return None


def _body(written: Any) -> dict[str, Any]:
    body = _any_value(written)
    return body if isinstance(body, dict) else {}


def _id(written: Any, size: int) -> str:
    """An id as hex, of `size` bytes; empty where there is none."""
    text = str(written or "").removeprefix("0x")
    if len(text) == 2 * size:
        text = text.lower()
    else:
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        text = raw.hex() if len(raw) == size else text
    return "" if not text.strip("0") else text


# --- dumps of single spans ------------------------------------------------------------------


def _dumped(written: Any, where: str) -> Span:
    if not isinstance(written, Mapping):
        raise ValueError("a span is no object")
    attributes: dict[str, Any] = {}
    given = written.get("attributes")
    if isinstance(given, Mapping):
        attributes.update(given)
    for key, value in written.items():  # Phoenix's data frame: a column an attribute
        if key.startswith("attributes.") and value is not None:
            attributes[key.removeprefix("attributes.")] = value
    context = _object(written.get("context"))
    status = _object(written.get("status"))
    code = written.get("status_code") or status.get("status_code")
    message = written.get("status_message") or status.get("description")
    resource = _object(_object(written.get("resource")).get("attributes"))
    attributes = flattened(attributes)
    kind = written.get("span_kind")
    if isinstance(kind, str) and "openinference.span.kind" not in attributes:
        attributes["openinference.span.kind"] = kind
    return Span(
        trace=_id(context.get("trace_id") or written.get("context.trace_id"), 16),
        id=_id(context.get("span_id") or written.get("context.span_id"), 8),
        parent=_id(written.get("parent_id"), 8),
        name=str(written.get("name") or ""),
        start_ns=nanoseconds(written.get("start_time")),
        end_ns=nanoseconds(written.get("end_time")),
        attributes=attributes,
        resource=dict(resource),
        events=tuple(
            Event(
                name=str(event.get("name") or ""),
                attributes=dict(_object(event.get("attributes"))),
                at_ns=nanoseconds(event.get("timestamp")),
            )
            for event in _list(written, "events")
        ),
        links=tuple(_id(_object(one.get("context")).get("span_id"), 8) for one in _list(written, "links")),
        error=str(message or "failed") if code == "ERROR" else None,
        where=where,
    )


# --- small readings -------------------------------------------------------------------------


def nanoseconds(written: Any) -> int:
    """A time as nanoseconds since 1970: from a number of them, or from ISO 8601; 0 where it is neither."""
    try:
        if isinstance(written, str) and not written.lstrip("-").isdigit():
            moment = datetime.fromisoformat(written)
            moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
            since = moment - datetime(1970, 1, 1, tzinfo=UTC)
            found = ((since.days * 86_400 + since.seconds) * 10**6 + since.microseconds) * 1000
        else:
            found = int(written)
    except (TypeError, ValueError, OverflowError):
        return 0
    return found if 0 <= found <= _MOST else 0


def count(written: Any) -> int:
    """A number of tokens; 0 where it is none that can be."""
    try:
        found = int(written)
    except (TypeError, ValueError, OverflowError):
        return 0
    return found if 0 <= found <= _MOST_TOKENS else 0


def amount(written: Any) -> float | None:
    """A sum of money, from a number or its text; None where it is none that can be."""
    try:
        found = float(written)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and found >= 0 else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Mapping[str, Any], *keys: str) -> list[Mapping[str, Any]]:
    found = _get(value, *keys)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise ValueError(f"{keys[0]} is no list of objects")
    return found


def _get(value: Mapping[str, Any], *keys: str) -> Any:
    return next((value[key] for key in keys if value.get(key) is not None), None)
