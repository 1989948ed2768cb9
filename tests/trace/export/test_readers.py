"""Formats whose readers cannot be installed beside the rest: against published types and written schemas."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam
from pydantic import TypeAdapter

from coreact.trace import ObservationRecord, Trajectory
from coreact.trace.export import ExportSettings, Row, export, rows_of

Rows = Callable[[Path], list[Mapping[str, Any]]]

# --- OpenAI ---------------------------------------------------------------------------------

_MESSAGES: TypeAdapter[list[Any]] = TypeAdapter(list[ChatCompletionMessageParam])
_TOOLS: TypeAdapter[list[Any]] = TypeAdapter(list[ChatCompletionFunctionToolParam])


def check_openai(messages: list[Any]) -> None:
    """The messages are what the `openai` package declares, and calls and results pair up."""
    for message in _MESSAGES.validate_python(messages):
        for call in message.get("tool_calls", ()):  # validated when it is gone through
            json.loads(call["function"]["arguments"])
    asked: set[str] = set()
    for message in messages:
        asked |= {call["id"] for call in message.get("tool_calls", ())}
        assert message["role"] != "tool" or message["tool_call_id"] in asked


def test_openai_rows_are_what_the_package_declares(made: Any, tmp_path: Path, read_rows: Rows) -> None:
    export(made.stored(made.golden()), tmp_path / "out", ExportSettings(format="openai"))
    (row,) = read_rows(tmp_path / "out" / "train.jsonl")
    assert set(row) == {"messages", "tools", "parallel_tool_calls"}
    check_openai(row["messages"])
    _TOOLS.validate_python(row["tools"])
    assert {message["role"] for message in row["messages"] if "weight" in message} == {"assistant"}
    assert all(message["weight"] in (0, 1) for message in row["messages"] if "weight" in message)
    assert row["messages"][-1]["role"] == "assistant"


def test_openai_preferences_are_what_the_package_declares(made: Any, tmp_path: Path, read_rows: Rows) -> None:
    settings = ExportSettings(format="openai-preference", rubric="stripped")
    export(made.stored(made.golden()), tmp_path / "out", settings)
    for row in read_rows(tmp_path / "out" / "train.jsonl"):
        assert set(row) == {"input", "preferred_output", "non_preferred_output"}
        check_openai(row["input"]["messages"])
        assert row["input"]["messages"][-1]["role"] != "assistant"
        _TOOLS.validate_python(row["input"]["tools"])
        for side in ("preferred_output", "non_preferred_output"):
            assert [message["role"] for message in row[side]] == ["assistant"]
            _MESSAGES.validate_python(row[side])


# --- verl -----------------------------------------------------------------------------------


def test_verl_rows_have_the_documented_columns(made: Any, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra `export` is not installed")
    other = made.golden(run_id="run-2", question="Where does the Oder rise?")
    settings = ExportSettings(format="verl", split=(("train", 0.5), ("test", 0.5)))
    export(made.stored(made.golden(), other), tmp_path / "out", settings)
    seen: set[int] = set()
    for file in (tmp_path / "out").glob("*.parquet"):
        for row in parquet.read_table(file).to_pylist():
            assert set(row) == {"data_source", "prompt", "ability", "reward_model", "extra_info"}
            assert set(row["reward_model"]) == {"style", "ground_truth"}
            assert all({"role", "content"} <= set(message) for message in row["prompt"])
            assert row["extra_info"]["split"] == file.stem
            assert row["extra_info"]["index"] not in seen
            assert row["extra_info"]["need_tools_kwargs"] is False
            seen.add(row["extra_info"]["index"])
    assert len(seen) == 6


# --- ATIF -----------------------------------------------------------------------------------


def closed(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


TEXT, FREE, NUMBER = {"type": "string"}, {"type": "object"}, {"type": "number"}
CONTENT = {"type": ["string", "array"]}
RESULT = closed({"source_call_id": {"type": ["string", "null"]}, "content": CONTENT, "extra": FREE})
STEP = closed(
    {
        "step_id": {"type": "integer", "minimum": 1},
        "timestamp": {"type": "string", "format": "date-time"},
        "source": {"enum": ["system", "user", "agent"]},
        "message": CONTENT,
        "model_name": TEXT,
        "reasoning_content": TEXT,
        "reasoning_effort": {"type": ["string", "number"]},
        "tool_calls": {
            "type": "array",
            "items": closed(
                {"tool_call_id": TEXT, "function_name": TEXT, "arguments": FREE, "extra": FREE},
                "tool_call_id",
                "function_name",
                "arguments",
            ),
        },
        "observation": closed({"results": {"type": "array", "items": RESULT}, "extra": FREE}, "results"),
        "metrics": closed(
            {
                "prompt_tokens": {"type": "integer"},
                "completion_tokens": {"type": "integer"},
                "cached_tokens": {"type": "integer"},
                "cost_usd": NUMBER,
                "extra": FREE,
            }
        ),
        "llm_call_count": {"type": "integer"},
        "is_copied_context": {"type": "boolean"},
        "extra": FREE,
    },
    "step_id",
    "source",
    "message",
)
ATIF = closed(
    {
        "schema_version": {"const": "ATIF-v1.7"},
        "session_id": TEXT,
        "trajectory_id": TEXT,
        "agent": closed(
            {
                "name": TEXT,
                "version": TEXT,
                "model_name": TEXT,
                "tool_definitions": {"type": "array"},
                "extra": FREE,
            },
            "name",
            "version",
        ),
        "steps": {"type": "array", "minItems": 1, "items": STEP},
        "notes": TEXT,
        "final_metrics": closed(
            {
                "total_prompt_tokens": {"type": "integer"},
                "total_completion_tokens": {"type": "integer"},
                "total_cached_tokens": {"type": "integer"},
                "total_cost_usd": NUMBER,
                "total_steps": {"type": "integer"},
                "extra": FREE,
            }
        ),
        "continued_trajectory_ref": TEXT,
        "subagent_trajectories": {"type": "array"},
        "extra": FREE,
    },
    "schema_version",
    "agent",
    "steps",
)
"""ATIF v1.7, written down from its description; Harbor's own validator is on no package index."""


def atif(run: Trajectory) -> dict[str, Any]:
    """The document of a run, after it was checked as far as a schema can, and beyond."""
    (row,) = [one for one in rows_of(run, ExportSettings(format="atif")) if isinstance(one, Row)]
    document: dict[str, Any] = json.loads(json.dumps(row.data))
    jsonschema.validate(document, ATIF, format_checker=jsonschema.FormatChecker())
    assert [step["step_id"] for step in document["steps"]] == list(range(1, len(document["steps"]) + 1))
    for step in document["steps"]:
        calls = {call["tool_call_id"] for call in step.get("tool_calls", ())}
        results = step.get("observation", {"results": ()})["results"]
        assert {one["source_call_id"] for one in results} <= calls | {None}
        if step["source"] != "agent":
            assert not {"tool_calls", "reasoning_content", "metrics"} & set(step)
    assert document["final_metrics"]["total_steps"] == len(document["steps"])
    return document


def test_atif_tells_the_conversation_once(made: Any) -> None:
    document = atif(made.golden())
    told = [(step["source"], step["message"], len(step.get("tool_calls", ()))) for step in document["steps"]]
    assert told == [
        ("user", "Where does the Elbe rise?", 0),
        ("agent", "", 1),
        ("agent", "", 1),
        ("agent", "In the Giant Mountains.", 0),
    ]
    first = document["steps"][1]
    assert first["observation"]["results"] == [
        {"source_call_id": "call-0-0", "content": "About Elbe: the Elbe rises in the Giant Mountains."}
    ]


def test_atif_keeps_rubric_candidates_and_judgements(made: Any) -> None:
    document = atif(made.golden(later=[made.later("muu", 0, 0)]))
    ours = document["steps"][1]["extra"]["coreact"]
    assert ours["rubric_sha"] == made.rubric.lock
    assert [candidate["selected"] for candidate in ours["candidates"]] == [True, False]
    assert ours["candidates"][1]["rejected_by"] == "check"
    statuses = [verdict["status"] for verdict in ours["candidates"][1]["judgements"][0]["verdicts"]]
    assert statuses == ["met", "met", "unmet"]
    assert document["extra"]["coreact"]["judgements"][0]["evaluator"]["name"] == "judge-b"


def test_atif_marks_what_a_fork_took_over_and_earlier_turns(made: Any) -> None:
    forked = made.golden(parent="run-0", forked_at=1)
    assert [step.get("is_copied_context", False) for step in atif(forked)["steps"]] == [
        True,
        True,
        False,
        False,
    ]
    run = made.golden()
    earlier = (
        {"type": "human", "data": {"content": "Hello"}},
        {"type": "ai", "data": {"content": "", "tool_calls": [{"name": "now", "args": {}, "id": "t"}]}},
        {"type": "tool", "data": {"content": "noon", "tool_call_id": "t"}},
    )
    first = run.steps[0].model_copy(update={"prompt_added": (*earlier, *run.steps[0].prompt_added)})
    second = run.steps[1].model_copy(update={"prompt_kept": 4})
    third = run.steps[2].model_copy(update={"prompt_kept": 6})
    document = atif(run.model_copy(update={"steps": (first, second, third)}))
    assert [step["source"] for step in document["steps"]][:3] == ["user", "agent", "user"]
    assert document["steps"][1]["is_copied_context"] is True
    assert document["steps"][1]["observation"]["results"] == [{"source_call_id": "t", "content": "noon"}]
    assert len(document["steps"]) == 6


def test_atif_of_a_call_that_gave_nothing_and_an_observation_of_no_call(made: Any) -> None:
    run = made.golden()
    stray = ObservationRecord(run="run-1", step=0, call_id="other", tool="search", text="stray")
    document = atif(run.model_copy(update={"observations": (stray,)}))
    results = document["steps"][1]["observation"]["results"]
    assert results[0] == {"source_call_id": None, "content": "stray"}
    assert results[1]["source_call_id"] == "call-0-0"  # from the prompt of the step after


def test_atif_of_the_sample_is_valid() -> None:
    from coreact.testing import sample_trajectory

    assert atif(sample_trajectory())["extra"]["coreact"]["forked_at"] == 4


# --- openevals ------------------------------------------------------------------------------


def test_feedback_rows_have_the_fields_of_an_evaluator_result(made: Any) -> None:
    fields = {"key": str, "score": float, "comment": str, "metadata": dict, "source_run_id": str}
    for one in rows_of(made.golden(), ExportSettings(format="feedback")):
        assert isinstance(one, Row)
        assert {name: type(value) for name, value in one.data.items()} == fields
