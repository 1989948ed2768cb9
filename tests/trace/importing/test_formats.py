"""The same small run, as five tools record it, is the same trajectory; a store gives its states back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import set_span_in_context

from coreact.trace import Trajectory
from coreact.trace.importing import read_traces

RECORDED = Path(__file__).parent / "recorded"
SEEN = "About Elbe: it rises in the Giant Mountains."


def told(trajectory: Trajectory) -> dict[str, Any]:
    """What must be the same whoever recorded it."""
    return {
        "question": trajectory.run.question,
        "prompts": [len(trajectory.prompt(step.index)) for step in trajectory.steps],
        "growth": [(step.prompt_kept, len(step.prompt_added)) for step in trajectory.steps],
        "actions": [str(action) for step in trajectory.steps for action in step.attempts[0].actions],
        "dispositions": [step.dispositions for step in trajectory.steps],
        "observed": [(one.step, one.tool, one.text, one.failed) for one in trajectory.observations],
        "end": None if trajectory.end is None else (trajectory.end.status, trajectory.end.answer),
    }


EXPECTED = {
    "question": "Where does the Elbe rise?",
    "prompts": [2, 4],
    "growth": [(0, 2), (2, 2)],
    "actions": ["search(query='Elbe')", "answer: There."],
    "dispositions": [("run",), ("answered",)],
    "observed": [(0, "search", SEEN, False)],
    "end": ("done", "There."),
}


def test_chat(conversation: Any, search_schema: Any, write: Any, load: Any) -> None:
    line = {"id": "c-7", "messages": conversation, "tools": [search_schema]}
    (run,), imported = load(write(line))
    assert told(run) == EXPECTED
    assert imported.left_out == []
    assert (run.run.origin, run.run.thread_id) == ("chat", "c-7")
    assert [tool.name for tool in run.tools(1)] == ["search"]
    assert run.steps[0].tools is not None
    assert run.steps[1].tools is None


def test_atif(search_schema: Any, write: Any, load: Any) -> None:
    document = {
        "schema_version": "ATIF-v1.7",
        "session_id": "s-1",
        "agent": {
            "name": "searcher", "version": "2.1", "model_name": "m", "tool_definitions": [search_schema],
        },
        "steps": [
            {"step_id": 1, "source": "system", "message": "Be brief."},
            {
                "step_id": 2, "source": "user", "message": "Where does the Elbe rise?",
                "timestamp": "2026-05-01T10:00:00Z",
            },
            {
                "step_id": 3, "source": "agent", "message": "", "timestamp": "2026-05-01T10:00:01.5Z",
                "reasoning_content": "I should search.",
                "tool_calls": [
                    {"tool_call_id": "c1", "function_name": "search", "arguments": {"query": "Elbe"}},
                ],
                "observation": {"results": [{"source_call_id": "c1", "content": SEEN}]},
                "metrics": {"prompt_tokens": 10, "completion_tokens": 3, "cost_usd": 0.25},
            },
            {"step_id": 4, "source": "agent", "message": "There.", "timestamp": "2026-05-01T10:00:03Z"},
        ],
    }  # fmt: skip
    (run,), imported = load(write(document))
    assert told(run) == EXPECTED
    assert imported.left_out == []
    assert (run.run.agent, run.run.agent_version, run.run.thread_id) == ("searcher", "2.1", "s-1")
    assert run.run.started_ns == 1_777_629_600_000_000_000
    assert run.end is not None
    assert run.end.ended_ns == 1_777_629_603_000_000_000
    assert (run.steps[0].cost.tokens, run.steps[0].cost.usd) == (13, 0.25)
    message = run.steps[0].attempts[0].message["data"]
    assert message["additional_kwargs"]["reasoning_content"] == "I should search."


def test_langsmith(langsmith_tree: Any, write: Any, load: Any) -> None:
    (run,), imported = load(write(langsmith_tree))
    assert told(run) == EXPECTED
    assert imported.left_out == []
    assert (run.run.origin, run.run.thread_id) == ("langsmith", "thread-1")
    assert [step.node for step in run.steps] == ["model", "model"]
    assert run.steps[1].cost.tokens == 7
    assert run.observations[0].seconds > 0
    assert run.steps[0].trace_id is None, "its ids are none of OpenTelemetry's"


def test_langsmith_flat(langsmith_tree: Any, write: Any, load: Any) -> None:
    """An export has one run a line, in any order."""
    runs = []
    waiting = [langsmith_tree]
    while waiting:
        run = waiting.pop()
        waiting.extend(run.pop("child_runs"))
        runs.append(run)
    nested, flat = write(langsmith_tree, name="one.json"), write(*runs)
    assert len(runs) > 5
    (run,), _ = load(flat)
    assert told(run) == EXPECTED
    assert nested.exists()


@pytest.mark.parametrize("name", ["openinference_otlp.jsonl", "openinference_dump.json"])
def test_openinference(name: str, load: Any) -> None:
    (run,), imported = load(RECORDED / name)
    assert told(run) == EXPECTED
    assert imported.left_out == []
    assert (run.run.origin, run.run.agent, run.run.thread_id) == ("openinference", "searcher", "thread-1")
    assert run.steps[1].cost.tokens == 7
    spans = {step.span_id for step in run.steps}
    assert len(spans) == 2
    assert all(len(span or "") == 16 for span in spans)
    assert {len(step.trace_id or "") for step in run.steps} == {32}


def test_the_two_forms_of_the_same_spans_are_one_run() -> None:
    (one,) = read_traces(RECORDED / "openinference_otlp.jsonl").trajectories
    (other,) = read_traces(RECORDED / "openinference_dump.json").trajectories
    assert one.run.id == other.run.id


def genai_spans(tracer: Any, search_schema: Any, style: str) -> None:
    """An agent's spans by the conventions, in one of their spellings."""
    question, seen = "Where does the Elbe rise?", SEEN
    first = [("system", "Be brief."), ("user", question)]
    with tracer.start_as_current_span("invoke_agent searcher") as agent:
        agent.set_attributes(
            {
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": "searcher",
                "gen_ai.agent.version": "2.1",
                "gen_ai.conversation.id": "thread-1",
            }
        )
        around = set_span_in_context(agent)
        for turn in range(2):
            with tracer.start_as_current_span("chat m", context=around) as span:
                span.set_attributes(
                    {
                        "gen_ai.operation.name": "chat",
                        "gen_ai.provider.name": "openai",
                        "gen_ai.request.model": "m",
                        "gen_ai.usage.input_tokens": 5,
                        "gen_ai.usage.output_tokens": 2,
                        "gen_ai.tool.definitions": json.dumps([search_schema]),
                    }
                )
                if style == "structured":
                    span.set_attributes(structured(first, turn))
                elif style == "numbered":
                    span.set_attributes(by_number(first, turn))
                else:
                    for name, body in events(first, turn):
                        span.add_event(name, body)
            if turn == 0:
                with tracer.start_as_current_span("execute_tool search", context=around) as span:
                    span.set_attributes(
                        {
                            "gen_ai.operation.name": "execute_tool",
                            "gen_ai.tool.name": "search",
                            "gen_ai.tool.call.id": "c1",
                            "gen_ai.tool.call.arguments": '{"query": "Elbe"}',
                            "gen_ai.tool.call.result": json.dumps(seen),
                        }
                    )


def structured(first: Any, turn: int) -> dict[str, Any]:
    asked: list[Any] = [{"role": "user", "parts": [{"type": "text", "content": first[1][1]}]}]
    call = {"type": "tool_call", "id": "c1", "name": "search", "arguments": {"query": "Elbe"}}
    said = [{"role": "assistant", "parts": [call], "finish_reason": "tool_call"}]
    if turn:
        asked += [
            {"role": "assistant", "parts": [call]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": SEEN}]},
        ]
        said = [
            {"role": "assistant", "parts": [{"type": "text", "content": "There."}], "finish_reason": "stop"}
        ]
    return {
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": first[0][1]}]),
        "gen_ai.input.messages": json.dumps(asked),
        "gen_ai.output.messages": json.dumps(said),
    }


def by_number(first: Any, turn: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, (role, content) in enumerate(first):
        found |= {f"gen_ai.prompt.{number}.role": role, f"gen_ai.prompt.{number}.content": content}
    call = {"id": "c1", "name": "search", "arguments": '{"query": "Elbe"}'}
    if turn:
        found["gen_ai.prompt.2.role"] = "assistant"
        found |= {f"gen_ai.prompt.2.tool_calls.0.{key}": value for key, value in call.items()}
        found |= {
            "gen_ai.prompt.3.role": "tool",
            "gen_ai.prompt.3.content": SEEN,
            "gen_ai.prompt.3.tool_call_id": "c1",
        }
        found |= {"gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "There."}
    else:
        found |= {f"gen_ai.completion.0.tool_calls.0.{key}": value for key, value in call.items()}
    return {"gen_ai.system": "openai", **found}


def events(first: Any, turn: int) -> list[tuple[str, dict[str, Any]]]:
    found = [(f"gen_ai.{role}.message", {"content": content}) for role, content in first]
    calls = json.dumps(
        [{"id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"query": "Elbe"}'}}]
    )
    if turn:
        found.append(("gen_ai.assistant.message", {"tool_calls": calls}))
        found.append(("gen_ai.tool.message", {"id": "c1", "content": SEEN}))
        found.append(("gen_ai.choice", {"index": 0, "message": json.dumps({"content": "There."})}))
    else:
        found.append(
            ("gen_ai.choice", {"index": 0, "message": json.dumps({"tool_calls": json.loads(calls)})})
        )
    return found


@pytest.mark.parametrize("style", ["structured", "numbered", "events"])
def test_genai(style: str, tracing: Any, search_schema: Any, write: Any, load: Any) -> None:
    tracer, written = tracing
    genai_spans(tracer, search_schema, style)
    (run,), imported = load(write(*written()))
    assert told(run) == EXPECTED
    assert imported.left_out == []
    assert (run.run.origin, run.run.agent, run.run.agent_version) == ("otlp", "searcher", "2.1")
    assert run.run.thread_id == "thread-1"
    assert [tool.name for tool in run.tools(0)] == ["search"]
    assert run.steps[0].cost.tokens == 7
    assert run.observations[0].seconds > 0


def test_genai_as_one_document(tracing: Any, search_schema: Any, write: Any, load: Any) -> None:
    tracer, written = tracing
    genai_spans(tracer, search_schema, "structured")
    whole = {"resourceSpans": [one for document in written() for one in document["resourceSpans"]]}
    (run,), _ = load(write(json.dumps(whole, indent=2), name="whole.json"))
    assert told(run) == EXPECTED
