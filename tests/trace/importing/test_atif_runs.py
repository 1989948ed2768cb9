"""ATIF: all versions, copied context, subagents, and what our own export wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coreact.errors import TraceFileError
from coreact.guide import CoReActMiddleware
from coreact.trace import InMemoryTraceStore, Recorder, Trajectory
from coreact.trace.importing import read_traces


def atif(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    numbered = [{"step_id": number, **step} for number, step in enumerate(steps, start=1)]
    return {
        "schema_version": "ATIF-v1.7",
        "session_id": "s",
        "agent": {"name": "a", "version": "1"},
        "steps": numbered,
        **more,
    }


USER = {"source": "user", "message": "Q"}
CALL = {
    "source": "agent",
    "message": "",
    "tool_calls": [{"tool_call_id": "c1", "function_name": "f", "arguments": {"n": 1}}],
    "observation": {"results": [{"source_call_id": "c1", "content": "R"}]},
}
ANSWER = {"source": "agent", "message": "A"}


@pytest.mark.parametrize("minor", range(8))
def test_every_version(minor: int, write: Any, load: Any) -> None:
    document = atif(USER, CALL, ANSWER, schema_version=f"ATIF-v1.{minor}")
    (run,), imported = load(write(json.dumps(document, indent=1), name="t.json"))
    assert (run.run.question, run.end.answer, len(run.steps)) == ("Q", "A", 2)
    assert imported.left_out == []


@pytest.mark.parametrize("version", ["ATIF-v1.8", "ATIF-v2.0", "ATIF-v1"])
def test_versions_that_are_not_known(version: str, write: Any) -> None:
    with pytest.raises(TraceFileError, match="which is not known"):
        list(read_traces(write(atif(USER, ANSWER, schema_version=version))).trajectories)


def test_copied_context_is_prompt_and_no_decision(write: Any, load: Any) -> None:
    (run,), _ = load(write(atif(USER, {**CALL, "is_copied_context": True}, ANSWER)))
    assert len(run.steps) == 1
    assert len(run.prompt(0)) == 3


def test_an_observation_of_no_call_is_no_question(write: Any, load: Any) -> None:
    screen = {"source": "agent", "message": "ls\n", "observation": {"results": [{"content": "file.txt"}]}}
    (run,), imported = load(write(atif(USER, screen, ANSWER)))
    assert imported.left_out == []
    assert (run.run.question, len(run.steps), len(run.prompt(1))) == ("Q", 2, 3)
    assert run.prompt(1)[2]["data"]["content"] == "file.txt"


def test_parts_and_results_without_call_ids(write: Any, load: Any) -> None:
    image = [
        {"type": "text", "text": "Look"},
        {"type": "image", "source": {"media_type": "image/png", "path": "a.png"}},
    ]
    unpaired = {**CALL, "observation": {"results": [{"content": [{"type": "text", "text": "R"}]}]}}
    (run,), _ = load(write(atif({"source": "user", "message": image}, unpaired, ANSWER)))
    assert run.run.question == "Look"
    assert [(one.call_id, one.text) for one in run.observations] == [("c1", "R")]


def test_subagents_are_runs_of_their_own(write: Any, load: Any) -> None:
    inner = atif(
        {"source": "user", "message": "Sub"},
        ANSWER,
        trajectory_id="sub-1",
        agent={"name": "b", "version": "1"},
    )
    runs, _ = load(write(atif(USER, ANSWER, subagent_trajectories=[inner, {"steps": 3}])))
    assert [(run.run.agent, run.run.question) for run in runs] == [("a", "Q"), ("b", "Sub")]


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ({"source": "oracle", "message": ""}, "oracle"),
        ({"source": "agent", "tool_calls": [{}]}, "function_name"),
        ({"message": "x"}, "source"),
    ],
)
def test_steps_that_cannot_be_read_are_said(step: Any, why: str, write: Any, load: Any) -> None:
    runs, imported = load(write(atif(USER, step), atif(USER, ANSWER)))
    assert len(runs) == 1
    assert imported.left_out[0].where == "line 1"
    assert why in imported.left_out[0].why


def test_what_is_no_trajectory_refuses_the_file(write: Any) -> None:
    for broken in ({"schema_version": "ATIF-v1.7"}, {"spam": 1}, 3):
        with pytest.raises(TraceFileError, match="line 2"):
            list(read_traces(write(atif(USER, ANSWER), broken)).trajectories)


# --- our own export -------------------------------------------------------------------------


@pytest.fixture
def guided() -> Trajectory:
    """A guided run with a rejected attempt and a later judgement."""
    from langchain.agents import create_agent
    from langchain_core.messages import AIMessage
    from langchain_core.tools import tool

    from coreact.generate.contracts import ContractGenerator
    from coreact.testing.scripted import ScriptedModel, call

    @tool
    def search(query: str) -> str:
        """Find passages."""
        return f"About {query}: the Elbe rises in the Giant Mountains."

    search.metadata = {"role": "search", "read_only": True}
    script = [
        call("search", id="c1", query="Elbe"),
        call("search", id="c2", query="Elbe"),
        call("search", id="c3", query="Giant Mountains"),
        AIMessage("There."),
    ]
    store = InMemoryTraceStore()
    middleware = CoReActMiddleware(
        generator=ContractGenerator(plan_length=3), recorder=Recorder(store), retries=1, agent="searcher"
    )
    agent = create_agent(
        ScriptedModel(script=script), [search], system_prompt="Be brief.", middleware=[middleware]
    )
    agent.invoke({"messages": [("user", "Where does the Elbe rise?")]})
    store.flush()
    return store.trajectory(store.runs()[0].id)


def exported(tmp_path: Path, trajectory: Trajectory) -> Path:
    from typer.testing import CliRunner

    from coreact.cli.trace import trace_app
    from coreact.trace import SQLiteTraceStore
    from coreact.trace.recording import record_trajectory

    store = SQLiteTraceStore(tmp_path / "own.db")
    record_trajectory(store, trajectory)
    store.close()
    out = tmp_path / "out"
    result = CliRunner().invoke(
        trace_app, ["export", "--format", "atif", "--store", str(tmp_path / "own.db"), "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    (path,) = [one for one in out.rglob("*.jsonl") if one.stat().st_size]
    return path


def test_our_own_export_comes_back(guided: Trajectory, tmp_path: Path, load: Any) -> None:
    path = exported(tmp_path, guided)
    (back,), imported = load(path)
    assert imported.left_out == []
    assert back.run.id == guided.run.id
    assert len(back.steps) == len(guided.steps)
    rejected = 0
    for old, new in zip(guided.steps, back.steps, strict=True):
        assert new.rubric == old.rubric
        assert (new.generator, new.phase, new.rung, new.dispositions) == (
            old.generator, old.phase, old.rung, old.dispositions,
        )  # fmt: skip
        assert [one.judgements for one in new.attempts] == [one.judgements for one in old.attempts]
        assert [one.actions for one in new.attempts] == [one.actions for one in old.attempts]
        assert [(one.selected, one.source) for one in new.attempts] == [
            (one.selected, one.source) for one in old.attempts
        ]
        rejected += sum(not one.selected for one in new.attempts)
    assert rejected == 1
    assert back.end is not None
    assert guided.end is not None
    assert (back.end.status, back.end.answer, back.end.score) == (
        guided.end.status,
        guided.end.answer,
        guided.end.score,
    )
    assert [one.text for one in back.observations] == [one.text for one in guided.observations]


def test_a_forged_rubric_is_not_believed(guided: Trajectory, tmp_path: Path, load: Any) -> None:
    path = exported(tmp_path, guided)
    document = json.loads(path.read_text())
    for step in document["steps"]:
        if "coreact" in step.get("extra", {}):
            step["extra"]["coreact"]["rubric"]["criteria"][0]["text"] = "Always pass"
    path.write_text(json.dumps(document) + "\n")
    (back,), imported = load(path)
    assert all(step.rubric is None for step in back.steps)
    assert len(imported.left_out) == len(back.steps)
    assert "not what its lock says" in imported.left_out[0].why
