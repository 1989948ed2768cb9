"""Files of spans to trajectories: gathers the spans of each trace, then lets their convention speak.

A trace is whole only when the file ends, since spans are written as they finish, and anywhere. So the
spans are kept until then; messages that a trace repeats are kept once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from coreact.errors import TraceFileError
from coreact.trace.importing import genai, openinference
from coreact.trace.importing.calls import Node, Traced, trajectories_of
from coreact.trace.importing.messages import Messages
from coreact.trace.importing.reading import Document, LeftOut
from coreact.trace.importing.spans import Event, Span, spans_of
from coreact.trace.records import Trajectory

_SHOWN_NAMES = 8


def read(
    found: Iterable[Document], left_out: list[LeftOut], path: Path, *, skip_broken: bool
) -> Iterator[Trajectory]:
    """The runs of all traces of a file, trace by trace in the order they began.

    Raises:
        TraceFileError: a document is no spans, or no span speaks a convention that is known.
    """
    traces: dict[str, dict[str, Span]] = {}
    doubtful: dict[str, str] = {}
    logs: dict[str, list[Event]] = {}
    names: Counter[str] = Counter()
    known = total = 0
    for document in found:
        try:
            spans = list(spans_of(document.value, document.where))
        except (ValueError, TypeError, AttributeError) as error:
            why = f"no spans: {error}"
            if not skip_broken:
                raise TraceFileError(
                    f"{path}, {document.where}: {why}.", path=path, line=document.line
                ) from error
            left_out.append(LeftOut(document.where, why))
            continue
        for span in spans:
            if isinstance(span, Event):
                logs.setdefault(span.span, []).append(span)
                continue
            total += 1
            names[span.name] += 1
            if not span.trace or not span.id:
                left_out.append(LeftOut(span.where, f"span {span.name!r} has no trace id or no span id"))
                continue
            known += openinference.speaks(span) or genai.speaks(span)
            before = traces.setdefault(span.trace, {}).setdefault(span.id, span)
            if before is not span and _content(before) != _content(span):
                doubtful[span.trace] = f"two different spans have the id {span.id}"
    if not known and total:
        raise TraceFileError(
            f"{path} has {total} spans and none speaks a convention that is known: {_shown(names)}.",
            path=path,
            remedy="The GenAI conventions of OpenTelemetry and OpenInference are read.",
        )
    for trace, spans_by_id in sorted(traces.items(), key=lambda pair: _began(pair[1].values())):
        if trace in doubtful:
            left_out.append(LeftOut(f"trace {trace}", doubtful[trace]))
            continue
        yield from _trace(trace, list(spans_by_id.values()), logs, left_out)
    everywhere = {span_id for spans_by_id in traces.values() for span_id in spans_by_id}
    for span_id, events in logs.items():
        scores = [one for event in events if (one := genai.scores_of(event, span_id)) is not None]
        if span_id not in everywhere:
            left_out.extend(
                LeftOut(one.where, f"score {one.name!r}: its span is not in the file") for one in scores
            )


def _trace(
    trace: str, spans: list[Span], logs: dict[str, list[Event]], left_out: list[LeftOut]
) -> Iterator[Trajectory]:
    speaking = [span for span in spans if openinference.speaks(span) or genai.speaks(span)]
    if not speaking:
        return  # a web request beside the agent's traces is no loss
    traced = Traced(id=trace, origin=genai.FORMAT)
    messages = Messages()
    service = ""
    for span in sorted(spans, key=lambda one: (one.start_ns, one.end_ns)):
        remarks: list[str] = []
        extra = logs.get(span.id, [])
        service = service or str(span.resource.get("service.name") or "")
        node, thread = Node(id=span.id, parent=span.parent, end_ns=span.end_ns), None
        inferred, by_genai = openinference.speaks(span), genai.speaks(span)
        if inferred:
            traced.scores.extend(openinference.scores_of(span))
            thread = openinference.session_of(span)
        # Some tools write both: what a span is, is said by the one that has more to say about it.
        if inferred and not (genai.operates(span) and not openinference.has_messages(span)):
            node = openinference.node_of(span, messages, remarks)
            if node.call is not None:
                traced.origin = openinference.FORMAT
        elif by_genai:
            node = genai.node_of(span, messages, extra, remarks)
        if by_genai:
            thread = thread or str(span.attributes.get("gen_ai.conversation.id") or "") or None
        traced.thread_id = traced.thread_id or thread
        traced.nodes[span.id] = node
        left_out.extend(LeftOut(f"trace {trace}, span {span.id}", remark) for remark in remarks)
        for event in (*span.events, *extra):
            score = genai.scores_of(event, span.id)
            if score is not None:
                traced.scores.append(score)
    fallback = "" if service.startswith("unknown_service") else service
    for node in traced.nodes.values():
        node.agent = node.agent or fallback
    yield from trajectories_of(traced, left_out)


def _began(spans: Iterable[Span]) -> int:
    return min(span.start_ns for span in spans)


def _content(span: Span) -> Span:
    return Span(
        trace=span.trace,
        id=span.id,
        parent=span.parent,
        name=span.name,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        attributes=span.attributes,
        events=span.events,
        error=span.error,
    )


def _shown(names: Counter[str]) -> str:
    shown = [repr(name[:60]) for name, _ in names.most_common(_SHOWN_NAMES)]
    return ", ".join(shown) + (", …" if len(names) > _SHOWN_NAMES else "")
