"""Spans and events of judged runs, through OpenTelemetry: a listener of the recorder.

A run is an `invoke_agent` span; each decision an evaluator span under it; each tool call an `execute_tool`
span; each criterion's verdict one `gen_ai.evaluation.result` event (a log record: span events are on their
way out) under the decision that it judges, for rejected attempts too. Spans are made from records, with the
times in them, so a stored run is told exactly as a live one. Without OpenTelemetry's SDK nothing happens.
Where spans go is the application's affair, or that of `otlp`. Model calls are not told here: whoever wants
them instruments LangChain.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, Final

from opentelemetry import _logs, trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, Status, StatusCode, TraceFlags

from coreact import __version__
from coreact.trace.records import (
    CallRecord,
    JudgementRecord,
    ObservationRecord,
    RunEnd,
    RunRecord,
    StepRecord,
    Trajectory,
)
from coreact.trace.store import TraceRecord
from coreact.trace.telemetry import conventions as c
from coreact.trace.telemetry.attributes import (
    Evaluated,
    encodable,
    error_type,
    messages,
    of_later_verdicts,
    of_observation,
    of_run,
    of_step,
    of_step_verdicts,
    with_encodable_text,
)
from coreact.trace.telemetry.identity import WantedIds, span_id_of, trace_id_of

_RUNS: Final = 256
_SECOND: Final = 1_000_000_000
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


@dataclass
class _Run:
    """What is remembered of a run, so that its parts find their places."""

    root: SpanContext
    """The run's first span, whether it was made here or elsewhere."""
    span: Span | None = None
    """The span of the run as far as it goes on; None where it ended."""
    steps: dict[int, SpanContext] = field(default_factory=dict)
    takes: dict[int, int] = field(default_factory=dict)
    """How often each step was decided, where more than once."""
    calls: dict[str, str] = field(default_factory=dict)
    """Arguments of the last decision's calls by id, where content is told."""
    input_tokens: int = 0
    output_tokens: int = 0
    is_off: bool = False


class Telemetry:
    """Tells OpenTelemetry what is recorded. Safe to use from several threads.

    As a listener (`Recorder(store, listeners=[Telemetry()])`) it tells runs while they happen; `trajectory`
    tells a stored one. A run's trace id is its run id, unless a span was current when the run began: then the
    run is part of that trace. Of the newest 256 runs it remembers where they are.
    """

    def __init__(
        self,
        *,
        content: bool = False,
        tracer_provider: Any = None,
        logger_provider: Any = None,
    ) -> None:
        """Use OpenTelemetry's global providers unless others are given.

        Args:
            content: tell also what was asked, answered, called with and observed, and the reasons of
                verdicts. Never for runs of capture `off`.
            tracer_provider: OpenTelemetry `TracerProvider`.
            logger_provider: OpenTelemetry `LoggerProvider`.
        """
        self._content = content
        self._providers = (tracer_provider, logger_provider)
        self._made: tuple[Any, Any, WantedIds | None] | None = None
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        self._lock = RLock()

    def __call__(self, record: TraceRecord) -> None:
        """Tell one record, as it happens."""
        with self._lock:
            if isinstance(record, RunRecord):
                self._start(record)
            elif isinstance(record, StepRecord):
                self._step(record)
            elif isinstance(record, ObservationRecord):
                self._observation(record)
            elif isinstance(record, JudgementRecord):
                self._judgement(record)
            elif isinstance(record, CallRecord):
                return
            else:
                self._end(record)

    def trajectory(self, trajectory: Trajectory) -> None:
        """Tell a whole stored run, with the times at which it happened."""
        with self._lock:
            first = next((step for step in trajectory.steps if step.trace_id and step.span_id), None)
            self._runs.pop(trajectory.run.id, None)
            self._start(trajectory.run, parent=Context() if first is None else _under(_recorded(first)))
            for step in trajectory.steps:
                self._step(step)
                for seen in trajectory.observed(step.index):
                    self._observation(seen)
            if trajectory.end is not None:
                self._end(trajectory.end)
            for judgement in trajectory.judgements:
                self._judgement(judgement)
            self._leave(self._runs[trajectory.run.id])

    def close(self) -> None:
        """End the spans of runs that go on, with status `running`: another process may go on with them."""
        with self._lock:
            for run in self._runs.values():
                self._leave(run)

    # --- one record -----------------------------------------------------------------------------

    def _start(self, run: RunRecord, *, parent: Context | None = None) -> None:
        known = self._runs.get(run.id)
        if known is not None:
            self._resume(run.id, known, run.started_ns)
            return
        if parent is None:
            now = trace.get_current_span().get_span_context()
            parent = _under(now) if now.is_valid else Context()
        name = f"{c.INVOKE_AGENT} {run.agent}".rstrip()
        attributes = of_run(run)
        is_off = run.capture == "off"
        if self._content and not is_off and (asked := messages("user", run.question)):
            attributes[c.INPUT_MESSAGES] = asked
        span = self._span(name, parent, attributes, start=run.started_ns, run=run.id)
        known = _Run(root=span.get_span_context(), span=span, is_off=is_off)
        self._remember(run.id, known)

    def _step(self, step: StepRecord) -> None:
        run = self._of(step.run, at_ns=_start_of(step.at_ns, step.cost.seconds), parent=_recorded(step))
        take = run.takes[step.index] = run.takes.get(step.index, -1) + 1
        attributes = of_step(step)
        judged = attributes[c.KIND] == c.EVALUATOR
        span = self._span(
            "evaluate_step" if judged else "decide_step",
            _under(self._parent(run)),
            attributes,
            start=_start_of(step.at_ns, step.cost.seconds),
            run=step.run,
            about=("step", step.index, *([take] if take else [])),
        )
        span.end(step.at_ns)
        context = run.steps[step.index] = span.get_span_context()
        run.input_tokens += step.cost.input_tokens
        run.output_tokens += step.cost.output_tokens
        if self._content and not run.is_off and step.chosen is not None:
            called = (action.call for action in step.chosen.actions)
            run.calls = {
                call.id: json.dumps(call.arguments, ensure_ascii=False, default=str)
                for call in called
                if call is not None and call.arguments
            }
        for evaluated in of_step_verdicts(step):
            self._event(evaluated, context, step.at_ns, run)

    def _observation(self, seen: ObservationRecord) -> None:
        begun = _start_of(seen.at_ns, seen.seconds)
        run = self._of(seen.run, at_ns=begun)
        attributes = of_observation(seen)
        if self._content and not run.is_off:
            if seen.call_id in run.calls:
                attributes[c.TOOL_ARGUMENTS] = run.calls[seen.call_id]
            if seen.text:
                attributes[c.TOOL_RESULT] = seen.text
        span = self._span(
            f"{c.EXECUTE_TOOL} {seen.tool}".rstrip(),
            _under(self._parent(run)),
            attributes,
            start=begun,
            run=seen.run,
            about=("tool", seen.step, seen.call_id, seen.at_ns),
        )
        if c.ERROR_TYPE in attributes:
            span.set_status(Status(StatusCode.ERROR))
        span.end(seen.at_ns)

    def _judgement(self, later: JudgementRecord) -> None:
        run = self._runs.get(later.run)
        if run is None:
            root = _context(trace_id_of(later.run), span_id_of(later.run))
            run = _Run(root=root)
        judged = run.root
        if later.step is not None:
            there = span_id_of(later.run, "step", later.step)
            judged = run.steps.get(later.step) or _context(run.root.trace_id, there)
        for evaluated in of_later_verdicts(later):
            self._event(evaluated, judged, later.at_ns, run)

    def _end(self, end: RunEnd) -> None:
        known = self._runs.get(end.run)
        if known is not None and known.span is None:
            return  # it ended already
        run = self._of(end.run, at_ns=end.ended_ns)
        assert run.span is not None  # noqa: S101 - for the type checker: a run that goes on has one
        run.span.set_attribute(c.RUN_STATUS, end.status)
        if end.score is not None:
            run.span.set_attribute(c.RUN_SCORE, end.score)
        if end.status == "failed":  # an interrupted run is none
            run.span.set_attribute(c.ERROR_TYPE, error_type(end.error) or c.OTHER)
            run.span.set_status(Status(StatusCode.ERROR))
        if self._content and not run.is_off and (answered := messages("assistant", end.answer)):
            run.span.set_attribute(c.OUTPUT_MESSAGES, encodable(answered))
        self._finish(run, at_ns=end.ended_ns)

    # --- the spans of a run ---------------------------------------------------------------------

    def _of(self, run_id: str, *, at_ns: int, parent: SpanContext | None = None) -> _Run:
        """The run, gone on with where it had ended or began in another process."""
        run = self._runs.get(run_id)
        if run is None:
            now = trace.get_current_span().get_span_context()
            here = now if now.is_valid else None
            if parent is not None and here is not None:  # a record does not say if its span was sampled
                parent = SpanContext(parent.trace_id, parent.span_id, True, here.trace_flags)
            nested = parent or here
            run = _Run(root=nested or _context(trace_id_of(run_id), span_id_of(run_id)))
            self._remember(run_id, run)
            self._resume(run_id, run, at_ns)
            if nested is not None:  # where the run began nobody knows here: it goes on from this span
                run.root = self._parent(run)
        self._resume(run_id, run, at_ns)
        self._runs.move_to_end(run_id)
        return run

    def _resume(self, run_id: str, run: _Run, at_ns: int) -> None:
        if run.span is not None:
            return
        attributes = {c.OPERATION: c.INVOKE_AGENT, c.KIND: c.AGENT, c.RUN: run_id, c.RUN_RESUMED: True}
        run.input_tokens = run.output_tokens = 0
        run.span = self._span(
            c.INVOKE_AGENT, _under(run.root), attributes, start=at_ns, run=run_id, about=("resumed", at_ns)
        )

    def _parent(self, run: _Run) -> SpanContext:
        return run.root if run.span is None else run.span.get_span_context()

    def _finish(self, run: _Run, *, at_ns: int | None = None) -> None:
        if run.span is None:
            return
        if run.input_tokens or run.output_tokens:
            run.span.set_attribute(c.INPUT_TOKENS, run.input_tokens)
            run.span.set_attribute(c.OUTPUT_TOKENS, run.output_tokens)
        run.span.end(at_ns)
        run.span = None

    def _leave(self, run: _Run) -> None:
        if run.span is not None:
            run.span.set_attribute(c.RUN_STATUS, "running")
            self._finish(run)

    def _remember(self, run_id: str, run: _Run) -> None:
        self._runs[run_id] = run
        while len(self._runs) > _RUNS:
            self._leave(self._runs.popitem(last=False)[1])

    # --- OpenTelemetry --------------------------------------------------------------------------

    def _span(
        self,
        name: str,
        parent: Context,
        attributes: dict[str, Any],
        *,
        start: int,
        run: str,
        about: tuple[object, ...] = (),
    ) -> Span:
        tracer, _, ids = self._instruments()
        name, attributes = encodable(name), with_encodable_text(attributes)
        if ids is None:
            return tracer.start_span(name, parent, attributes=attributes, start_time=start)  # type: ignore[no-any-return]
        with ids.wanting(trace=trace_id_of(run), span=span_id_of(run, *about)):
            return tracer.start_span(name, parent, attributes=attributes, start_time=start)  # type: ignore[no-any-return]

    def _event(self, evaluated: Evaluated, judged: SpanContext, at_ns: int, run: _Run) -> None:
        attributes = evaluated.attributes
        if self._content and not run.is_off:
            attributes = attributes | evaluated.content
        self._instruments()[1].emit(
            _logs.LogRecord(
                timestamp=at_ns,
                context=_under(judged),
                severity_number=_logs.SeverityNumber.INFO,
                event_name=c.EVALUATION,
                attributes=with_encodable_text(attributes),
            )
        )

    def _instruments(self) -> tuple[Any, Any, WantedIds | None]:
        if self._made is None:
            tracers = self._providers[0] or trace.get_tracer_provider()
            loggers = self._providers[1] or _logs.get_logger_provider()
            tracer = tracers.get_tracer(c.SCOPE, __version__, schema_url=c.SCHEMA_URL)
            logger = loggers.get_logger(c.SCOPE, __version__, schema_url=c.SCHEMA_URL)
            ids = getattr(tracer, "id_generator", None)  # the SDK's has one; without the SDK there are no ids
            if ids is not None and not isinstance(ids, WantedIds):
                ids = WantedIds(ids)
                setattr(tracer, "id_generator", ids)  # noqa: B010 - the API's own type does not know it
            made = (tracer, logger, ids)
            if ids is None:
                return made  # the application may set up OpenTelemetry later
            self._made = made
        return self._made


def _context(trace_id: int, span_id: int) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=_SAMPLED)


def _recorded(step: StepRecord) -> SpanContext | None:
    """The span that was current when the step was recorded, where there was one."""
    if step.trace_id is None or step.span_id is None:
        return None
    try:
        found = _context(int(step.trace_id, 16), int(step.span_id, 16))
    except ValueError:
        return None
    return found if found.is_valid else None


def _under(parent: SpanContext | None) -> Context:
    return Context() if parent is None else trace.set_span_in_context(NonRecordingSpan(parent), Context())


def _start_of(end_ns: int, seconds: float) -> int:
    return max(0, end_ns - int(seconds * _SECOND))
