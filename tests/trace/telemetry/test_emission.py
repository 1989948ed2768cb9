"""Spans and events of runs, as an application's own OpenTelemetry set-up gets them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from threading import Thread
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import StatusCode

from coreact.testing import record_into, sample_trajectory
from coreact.trace import InMemoryTraceStore, Recorder, RunEnd, RunRecord, StepRecord, Trajectory, new_id
from coreact.trace.telemetry import Telemetry, emission


class World(NamedTuple):
    """An application with OpenTelemetry set up."""

    tracers: TracerProvider
    loggers: LoggerProvider
    collected: InMemorySpanExporter
    logged: InMemoryLogRecordExporter

    def telemetry(self, **options: Any) -> Telemetry:
        return Telemetry(tracer_provider=self.tracers, logger_provider=self.loggers, **options)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.collected.get_finished_spans())

    @property
    def events(self) -> list[Any]:
        return [one.log_record for one in self.logged.get_finished_logs()]

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def world() -> World:
    made = World(
        TracerProvider(shutdown_on_exit=False),
        LoggerProvider(shutdown_on_exit=False),
        InMemorySpanExporter(),
        InMemoryLogRecordExporter(),
    )
    made.tracers.add_span_processor(SimpleSpanProcessor(made.collected))
    made.loggers.add_log_record_processor(SimpleLogRecordProcessor(made.logged))
    return made


def live(run_id: str | None = None, **changed: Any) -> Trajectory:
    """The sample as a run of its own: under no span of an application."""
    whole = sample_trajectory(run_id or new_id())
    steps = tuple(step.model_copy(update={"trace_id": None, "span_id": None}) for step in whole.steps)
    return whole.model_copy(update={"steps": steps, **changed})


def listen(telemetry: Telemetry, trajectory: Trajectory) -> None:
    record_into(Recorder(InMemoryTraceStore(), listeners=[telemetry]), trajectory)  # type: ignore[arg-type]


def stored(telemetry: Telemetry, trajectory: Trajectory) -> None:
    telemetry.trajectory(trajectory)


WAYS = pytest.mark.parametrize("tell", [listen, stored])


def ids(span: ReadableSpan) -> tuple[int, int]:
    assert span.context is not None
    return span.context.trace_id, span.context.span_id


@WAYS
def test_a_run_is_one_trace_with_its_id(world: World, tell: Callable[..., None]) -> None:
    whole = live()
    tell(world.telemetry(), whole)
    (agent,) = world.named("invoke_agent searcher")
    assert agent.parent is None
    assert {ids(span)[0] for span in world.spans} == {UUID(whole.run.id).int}
    others = [span for span in world.spans if span is not agent]
    assert {span.parent.span_id for span in others if span.parent} == {ids(agent)[1]}
    assert sorted(span.name for span in others) == ["evaluate_step"] * 3 + ["execute_tool search"] * 4
    assert len({ids(span)[1] for span in world.spans}) == 8
    assert whole.end is not None
    assert (agent.start_time, agent.end_time) == (whole.run.started_ns, whole.end.ended_ns)
    for span, step in zip(world.named("evaluate_step"), whole.steps, strict=True):
        assert (span.start_time, span.end_time) == (step.at_ns - 1_500_000_000, step.at_ns)
    for span, seen in zip(world.named("execute_tool search"), whole.observations, strict=True):
        assert (span.start_time, span.end_time) == (seen.at_ns - 250_000_000, seen.at_ns)


@WAYS
def test_live_and_stored_runs_are_told_alike(world: World, tell: Callable[..., None]) -> None:
    whole = live("01a0a0a0-0000-7000-8000-000000000001")
    tell(world.telemetry(), whole)
    spans = sorted((span.name, ids(span), dict(span.attributes or {})) for span in world.spans)  # type: ignore[type-var]
    assert [name for name, *_ in spans][-1] == "invoke_agent searcher"
    assert [context[1] for name, context, _ in spans if name == "evaluate_step"] == sorted(
        emission.span_id_of(whole.run.id, "step", index) for index in range(3)
    )


@WAYS
def test_one_event_a_verdict_under_the_decision_it_judges(world: World, tell: Callable[..., None]) -> None:
    whole = live()
    tell(world.telemetry(), whole)
    steps = {
        (span.attributes or {})["coreact.step.index"]: ids(span) for span in world.named("evaluate_step")
    }
    verdicts = [
        (step.index, attempt.selected, verdict)
        for step in whole.steps
        for attempt in step.attempts
        for one in (*attempt.judgements, *attempt.own_judgements)
        for verdict in one.verdicts
    ]
    run_events = [event for event in world.events if "coreact.judgement.id" not in event.attributes]
    assert {event.event_name for event in world.events} == {"gen_ai.evaluation.result"}
    assert len(run_events) == len(verdicts) == 16
    for event, (index, selected, verdict) in zip(run_events, verdicts, strict=True):
        told = event.attributes
        assert (event.trace_id, event.span_id) == steps[index]
        assert event.timestamp == whole.steps[index].at_ns
        assert told["gen_ai.evaluation.name"] == verdict.criterion
        assert told["gen_ai.evaluation.score.label"] == verdict.status
        credit = {"met": 1.0, "partial": 0.5, "unmet": 0.0}
        assert told.get("gen_ai.evaluation.score.value") == credit.get(verdict.status)
        assert told["coreact.candidate.selected"] is selected is False
        assert told.get("error.type") == ("rate_limit" if verdict.fault == "instrument" else None)
        assert "gen_ai.evaluation.explanation" not in told
    first = dict(run_events[0].attributes)
    assert first["coreact.criterion.weight"] == 0.4
    assert first["coreact.evaluator.type"] == "deterministic"
    assert first["coreact.rubric.sha256"] == whole.steps[0].attempts[0].judgements[0].rubric.split(":")[1]
    assert [event.attributes.get("coreact.rubric.own") for event in run_events][-1] is True


@WAYS
def test_later_judgements_are_told_where_they_belong(world: World, tell: Callable[..., None]) -> None:
    whole = live()
    tell(world.telemetry(), whole)
    (agent,) = world.named("invoke_agent searcher")
    later = [event for event in world.events if "coreact.judgement.id" in event.attributes]
    assert [event.span_id for event in later] == [
        ids(world.named("evaluate_step")[0])[1],
        ids(world.named("evaluate_step")[0])[1],
        ids(agent)[1],
    ]
    assert {event.trace_id for event in later} == {ids(agent)[0]}
    assert later[0].attributes["coreact.evaluator.version"] == whole.judgements[0].evaluator.version
    assert later[1].attributes["coreact.judgement.supersedes"] == whole.judgements[0].id


def test_a_judgement_from_another_process_finds_the_span(world: World) -> None:
    whole = live()
    listen(world.telemetry(), whole)
    there = ids(world.named("evaluate_step")[0])
    world.logged.clear()
    another = world.telemetry()
    another(whole.judgements[0])
    assert [(event.trace_id, event.span_id) for event in world.events] == [there]


def test_official_names_only_under_the_official_prefix(world: World) -> None:
    """Names as published; whatever else is told is ours or OpenInference's."""
    official = {
        "gen_ai.operation.name", "gen_ai.agent.name", "gen_ai.agent.version", "gen_ai.conversation.id",
        "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.tool.name", "gen_ai.tool.call.id",
        "gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.input.messages",
        "gen_ai.output.messages", "gen_ai.evaluation.name", "gen_ai.evaluation.score.value",
        "gen_ai.evaluation.score.label", "gen_ai.evaluation.explanation", "error.type",
        "openinference.span.kind",
    }  # fmt: skip
    stored(world.telemetry(content=True), live())
    names = {name for span in world.spans for name in span.attributes or {}}
    names |= {name for event in world.events for name in event.attributes}
    assert names >= official
    assert all(name.startswith("coreact.") for name in names - official)
    assert [(span.attributes or {})["openinference.span.kind"] for span in world.spans] == [
        "EVALUATOR", "TOOL", "TOOL", "EVALUATOR", "TOOL", "TOOL", "EVALUATOR", "AGENT",
    ]  # fmt: skip


# --- content --------------------------------------------------------------------------------------


def test_content_is_told_only_where_it_is_asked_for(world: World) -> None:
    whole = live()
    stored(world.telemetry(), whole)
    everything = repr([dict(span.attributes or {}) for span in world.spans])
    everything += repr([dict(event.attributes) for event in world.events])
    for said in ("Elbe", "Giant Mountains", "because of", "result 0", "again"):
        assert said not in everything
    world.collected.clear()
    world.logged.clear()
    stored(world.telemetry(content=True), whole)
    agent = dict(world.spans[-1].attributes or {})
    assert '"role": "user"' in str(agent["gen_ai.input.messages"])
    assert "Where does the Elbe begin?" in str(agent["gen_ai.input.messages"])
    assert "In the Giant Mountains." in str(agent["gen_ai.output.messages"])
    tool = dict(world.named("execute_tool search")[0].attributes or {})
    assert tool["gen_ai.tool.call.arguments"] == '{"query": "Elbe source 0", "top": 3}'
    assert str(tool["gen_ai.tool.call.result"]).startswith("result 0")
    assert world.events[1].attributes["gen_ai.evaluation.explanation"] == "because of partial"
    assert world.events[0].attributes["coreact.criterion.text"] == "Search before you answer"


def test_content_is_never_told_of_runs_without(world: World) -> None:
    whole = live()
    off = whole.model_copy(update={"run": whole.run.model_copy(update={"capture": "off"})})
    stored(world.telemetry(content=True), off)  # content that should not be there is not told either
    names = {name for span in world.spans for name in span.attributes or {}}
    names |= {name for event in world.events for name in event.attributes}
    assert not names & {
        "gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.output.messages",
        "gen_ai.input.messages", "gen_ai.evaluation.explanation", "coreact.criterion.text",
    }  # fmt: skip


# --- where a run stands ---------------------------------------------------------------------------


def test_a_run_under_a_span_of_the_application_is_part_of_its_trace(world: World) -> None:
    whole = live()
    telemetry = world.telemetry()
    with world.tracers.get_tracer("app").start_as_current_span("request") as request:
        listen(telemetry, whole)
    (agent,) = world.named("invoke_agent searcher")
    assert agent.parent is not None
    assert agent.parent.span_id == request.get_span_context().span_id
    assert {ids(span)[0] for span in world.spans} == {request.get_span_context().trace_id}
    assert {event.trace_id for event in world.events} == {request.get_span_context().trace_id}
    assert ids(world.named("request")[0])[1] not in {ids(span)[1] for span in world.spans[:-1]}


def test_a_stored_run_stands_where_it_was_recorded(world: World) -> None:
    whole = sample_trajectory(new_id())
    stored(world.telemetry(), whole)
    (agent,) = world.named("invoke_agent searcher")
    assert agent.parent is not None
    assert f"{agent.parent.span_id:016x}" == whole.steps[0].span_id
    assert {f"{ids(span)[0]:032x}" for span in world.spans} == {whole.steps[0].trace_id}


def test_the_applications_own_spans_keep_their_ids(world: World) -> None:
    tracer = world.tracers.get_tracer("app")
    stored(world.telemetry(), live())
    for _ in range(3):
        tracer.start_span("own").end()
    assert len({ids(span) for span in world.spans}) == 8 + 3
    assert len({ids(span)[0] for span in world.named("own")}) == 3


def test_interrupt_and_resume_in_one_process(world: World) -> None:
    whole = live()
    telemetry = world.telemetry()
    telemetry(whole.run)
    telemetry(whole.steps[0])
    telemetry(RunEnd(run=whole.run.id, status="interrupted", ended_ns=whole.steps[0].at_ns + 1))
    telemetry(whole.steps[1])
    assert whole.end is not None
    telemetry(whole.end)
    first, resumed = (span for span in world.spans if span.name.startswith("invoke_agent"))
    assert first.status.status_code is StatusCode.UNSET, "an interrupted run is no failed one"
    assert (first.attributes or {})["coreact.run.status"] == "interrupted"
    assert (resumed.attributes or {})["coreact.run.resumed"] is True
    assert resumed.parent is not None
    assert resumed.parent.span_id == ids(first)[1]
    assert {ids(span)[0] for span in world.spans} == {UUID(whole.run.id).int}


def test_resume_in_another_process_is_the_same_trace(world: World) -> None:
    whole = live()
    one, other = world.telemetry(), world.telemetry()
    one(whole.run)
    one(whole.steps[0])
    one.close()
    other(whole.observations[0])
    other(whole.steps[1])
    assert whole.end is not None
    other(whole.end)
    first, resumed = (span for span in world.spans if span.name.startswith("invoke_agent"))
    assert (first.attributes or {})["coreact.run.status"] == "running"
    assert {ids(span)[0] for span in world.spans} == {UUID(whole.run.id).int}
    assert resumed.parent is not None
    assert resumed.parent.span_id == ids(first)[1]
    assert world.spans[-2].parent is not None
    assert world.spans[-2].parent.span_id == ids(resumed)[1]


def test_a_failed_run_and_failed_tools_are_errors(world: World) -> None:
    whole = live()
    end = RunEnd(run=whole.run.id, status="failed", error="ModelCallError: it is gone")
    stored(world.telemetry(), whole.model_copy(update={"end": end}))
    (agent,) = world.named("invoke_agent searcher")
    assert agent.status.status_code is StatusCode.ERROR
    assert (agent.attributes or {})["error.type"] == "ModelCallError"
    assert "gone" not in repr(agent.attributes) + repr(agent.status)
    tools = [span.status.status_code is StatusCode.ERROR for span in world.named("execute_tool search")]
    assert tools == [seen.failed for seen in whole.observations]


def test_a_step_decided_again_has_a_span_of_its_own(world: World) -> None:
    whole = live()
    telemetry = world.telemetry()
    for record in (whole.run, whole.steps[0], whole.steps[0], whole.judgements[0]):
        telemetry(record)
    first, again = world.named("evaluate_step")
    assert ids(first)[1] != ids(again)[1]
    assert world.events[-1].span_id == ids(again)[1]


def test_a_run_id_that_is_no_uuid(world: World) -> None:
    stored(world.telemetry(), live("an import"))
    stored(world.telemetry(), live("another"))
    assert len({ids(span)[0] for span in world.spans}) == 2
    assert all(0 < trace_id < 2**128 for trace_id, _ in map(ids, world.spans))


# --- bounds and absences --------------------------------------------------------------------------


def test_open_runs_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emission, "_RUNS", 3)
    telemetry = world.telemetry()
    for number in range(10):
        telemetry(RunRecord(id=f"r{number}", question="q"))
    assert len(telemetry._runs) == 3
    assert len(world.spans) == 7
    assert {(span.attributes or {})["coreact.run.status"] for span in world.spans} == {"running"}


def test_what_is_not_sampled_is_not_told(world: World) -> None:
    quiet = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    quiet.add_span_processor(SimpleSpanProcessor(world.collected))
    stored(Telemetry(tracer_provider=quiet, logger_provider=world.loggers), live())
    assert world.spans == []


def test_a_second_end_is_not_told(world: World) -> None:
    whole = live()
    telemetry = world.telemetry()
    assert whole.end is not None
    for record in (whole.run, whole.steps[0], whole.end, whole.end):
        telemetry(record)
    assert [span.name for span in world.spans] == ["evaluate_step", "invoke_agent searcher"]


@pytest.mark.parametrize("trace_id", [None, "ab" * 16])
def test_a_run_resumed_under_an_unsampled_span_is_not_told(world: World, trace_id: str | None) -> None:
    quiet = TracerProvider(sampler=ParentBased(ALWAYS_OFF), shutdown_on_exit=False)
    quiet.add_span_processor(SimpleSpanProcessor(world.collected))
    telemetry = Telemetry(tracer_provider=quiet, logger_provider=world.loggers)
    whole = live()
    with quiet.get_tracer("app").start_as_current_span("request") as request:
        now = request.get_span_context()
        assert now.is_valid
        assert not now.trace_flags.sampled
        where = {"trace_id": trace_id or f"{now.trace_id:032x}", "span_id": f"{now.span_id:016x}"}
        telemetry(whole.steps[1].model_copy(update=where))
        assert whole.end is not None
        telemetry(whole.end)
    assert world.spans == []


def test_several_threads(world: World) -> None:
    telemetry = world.telemetry()
    wholes = [live() for _ in range(4)]
    threads = [Thread(target=listen, args=(telemetry, whole)) for whole in wholes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(world.spans) == 4 * 8
    for whole in wholes:
        mine = [span for span in world.spans if ids(span)[0] == UUID(whole.run.id).int]
        assert len(mine) == 8


def test_without_a_set_up_nothing_happens() -> None:
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
    listen(Telemetry(), live())
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_the_sdk_is_not_needed() -> None:
    program = (
        "import sys\n"
        "class Gone:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter')):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Gone())\n"
        "from coreact.errors import MissingExtraError\n"
        "from coreact.testing import sample_trajectory\n"
        "from coreact.trace.telemetry import OtlpTelemetry, Telemetry\n"
        "Telemetry(content=True).trajectory(sample_trajectory())\n"
        "try:\n"
        "    OtlpTelemetry('http://127.0.0.1:4318')\n"
        "except MissingExtraError as error:\n"
        "    print(error.extra)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "otel"


def test_a_step_without_a_judgement_is_a_decision_all_the_same(world: World) -> None:
    telemetry = world.telemetry()
    telemetry(RunRecord(id="r", question="q"))
    telemetry(StepRecord(run="r", index=0))
    (span,) = world.named("decide_step")
    assert (span.attributes or {})["openinference.span.kind"] == "CHAIN"
