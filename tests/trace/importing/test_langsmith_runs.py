"""LangSmith's run trees: message forms, odd trees, feedback."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from coreact.errors import TraceFileError
from coreact.trace.importing import read_traces


def run(ident: str, kind: str, start: int, parent: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "id": ident,
        "name": f"{kind} {ident}",
        "run_type": kind,
        "start_time": f"2026-05-01T10:00:{start:02}.000000",
        "end_time": f"2026-05-01T10:00:{start + 1:02}.000000",
        "trace_id": "t",
        "parent_run_id": parent,
        **more,
    }


def wrapped(conversation: list[Any], search_schema: Any) -> list[dict[str, Any]]:
    """As `wrap_openai` and `@traceable` record a loop of one's own."""
    usage = {"prompt_tokens": 10, "completion_tokens": 4}
    last = {"input_tokens": 1, "output_tokens": 1}
    about = {"metadata": {"session_id": "s-1", "revision_id": "abc"}}
    return [
        run("t", "chain", 0, name="my_agent", extra=about),
        run(
            "a", "llm", 1, "t",
            inputs={"model": "m", "messages": conversation[:2], "tools": [search_schema]},
            outputs={"choices": [{"index": 0, "message": conversation[2]}], "usage": usage},
            total_cost="0.125",
        ),
        run("b", "tool", 3, "t", name="search", inputs={"query": "Elbe"}, outputs={"output": "About Elbe"}),
        run(
            "c", "llm", 5, "t",
            inputs={"model": "m", "messages": conversation[:4]},
            outputs={"role": "assistant", "content": "There.", "usage_metadata": last},
        ),
    ]  # fmt: skip


def test_openais_forms(conversation: Any, search_schema: Any, write: Any, load: Any) -> None:
    (found,), imported = load(write(*wrapped(conversation, search_schema)))
    assert imported.left_out == []
    assert (found.run.agent, found.run.agent_version, found.run.thread_id) == ("my_agent", "abc", "s-1")
    assert [len(found.prompt(step)) for step in (0, 1)] == [2, 4]
    assert (found.steps[0].cost.tokens, found.steps[0].cost.usd, found.steps[1].cost.tokens) == (14, 0.125, 2)
    assert [tool.name for tool in found.tools(1)] == ["search"]
    (seen,) = found.observations
    assert (seen.tool, seen.seconds) == ("search", 1.0)
    assert seen.text.startswith("About Elbe: "), "what the model was shown, not what the tool returned"


def test_messages_to_dict_and_plain_dumps(plain: Any, write: Any, load: Any) -> None:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, messages_to_dict

    messages = [SystemMessage("s", id="1"), HumanMessage("Q", id="2")]
    reply = AIMessage("A", id="3", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3})
    forms = [
        messages_to_dict(messages),
        [one.model_dump() for one in messages],
        [["system", "s"], ["human", "Q"]],
    ]
    for number, form in enumerate(forms):
        for output in ({"message": reply.model_dump()}, {"messages": messages_to_dict([*messages, reply])}):
            one = run(f"r{number}", "llm", 1, inputs={"messages": form}, outputs=output)
            (found,), imported = load(write(one))
            assert imported.left_out == []
            assert (found.run.question, found.end.answer) == ("Q", "A")
            assert found.steps[0].cost.tokens == 3


def test_a_class_that_a_file_names_is_not_loaded(write: Any, load: Any) -> None:
    evil = {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"content": "touch /tmp/x"}}
    one = run("r", "llm", 1, inputs={"messages": [[evil]]}, outputs={"role": "assistant", "content": "A"})
    runs, imported = load(write(one))
    assert runs == []
    assert "Message 0 cannot be read" in imported.left_out[0].why


def test_a_text_completion_is_said(write: Any, load: Any) -> None:
    one = run("r", "llm", 1, inputs={"prompts": ["Human: Q"]}, outputs={"generations": [[{"text": "A"}]]})
    runs, imported = load(write(one))
    assert runs == []
    assert "text completion" in imported.left_out[0].why


def test_parents_from_the_dotted_order(conversation: Any, search_schema: Any, write: Any, load: Any) -> None:
    runs = wrapped(conversation, search_schema)
    for one in runs:
        own = f"20260501T10000{runs.index(one)}000000Z{one['id']}"
        one["dotted_order"] = own if one["id"] == "t" else f"20260501T100000000000Zt.{own}"
        del one["trace_id"], one["parent_run_id"]
    (found,), _ = load(write(*runs))
    assert (len(found.steps), found.run.agent) == (2, "my_agent")


def test_a_nested_tree_without_parent_ids(
    conversation: Any, search_schema: Any, write: Any, load: Any
) -> None:
    root, *children = wrapped(conversation, search_schema)
    for one in (root, *children):
        del one["parent_run_id"], one["trace_id"]
    (found,), _ = load(write({"runs": [{**root, "child_runs": children}]}, name="tree.json"))
    assert len(found.steps) == 2


def test_an_interrupt_is_no_failure_and_an_error_is_one(
    conversation: Any, search_schema: Any, write: Any, load: Any
) -> None:
    runs = wrapped(conversation, search_schema)[:2]
    for error, status in (("GraphInterrupt((Interrupt(…),))", "interrupted"), ("ValueError('x')", "failed")):
        runs[0]["error"] = error
        (found,), _ = load(write(*runs))
        assert found.end.status == status


def test_feedback_becomes_judgements(conversation: Any, search_schema: Any, write: Any, load: Any) -> None:
    runs = wrapped(conversation, search_schema)
    runs[0]["feedback_stats"] = {"correct": {"n": 2, "avg": 0.5}}
    runs[3]["feedback"] = [
        {"id": "f1", "key": "grounded", "score": 1, "comment": "yes", "feedback_source": {"type": "model"}}
    ]
    later = [
        {
            "id": "f2",
            "run_id": "t",
            "key": "liked",
            "score": None,
            "value": False,
            "feedback_source": {"type": "app"},
        },
        {"id": "f3", "run_id": "b", "key": "tool ok", "score": 1, "feedback_source": {"type": "api"}},
        {"id": "f4", "run_id": "nowhere", "key": "lost", "score": 1, "feedback_source": {"type": "api"}},
        {"id": "f5", "run_id": "t", "key": "stars", "score": 5, "feedback_source": {"type": "app"}},
    ]
    (found,), imported = load(write(*runs, *later))
    judged = {one.rubric.criteria[0].id: one for one in found.judgements}
    assert set(judged) == {"grounded", "liked"}
    assert (judged["grounded"].place, judged["grounded"].evaluator.kind) == ((1, 0, 0), "model")
    assert judged["grounded"].judgement.verdicts[0].reason == "yes"
    assert (judged["liked"].place, judged["liked"].judgement.passed) == ((None, None, None), False)
    assert judged["liked"].evaluator.kind == "human"
    assert sorted(left.why.split(":")[0] for left in imported.left_out) == [
        "feedback_stats 'correct'", "score 'lost'", "score 'stars'", "score 'tool ok'",
    ]  # fmt: skip


def test_two_runs_of_one_id_and_circles(conversation: Any, search_schema: Any, write: Any, load: Any) -> None:
    runs = wrapped(conversation, search_schema)
    assert len(load(write(*runs, copy.deepcopy(runs[1])))[0]) == 1
    for changed in ({"name": "another"}, {"outputs": {}}):
        imported = read_traces(write(*runs, {**runs[1], **changed}))
        assert list(imported.trajectories) == []
        assert "two different runs have the id a" in imported.left_out[0].why
    runs[0]["parent_run_id"] = "a"
    imported = read_traces(write(*runs))
    assert list(imported.trajectories) == []
    assert "circle" in imported.left_out[0].why


def test_a_tree_deeper_than_the_stack(write: Any, load: Any) -> None:
    text = json.dumps(
        run(
            "leaf",
            "llm",
            1,
            inputs={"messages": [["user", "Q"]]},
            outputs={"message": {"role": "assistant", "content": "A"}},
        )
    )
    for number in range(300):
        text = json.dumps(run(f"n{number}", "chain", 0))[:-1] + f', "child_runs": [{text}]}}'
    (found,), _ = load(
        write(text.replace('"parent_run_id": null, ', "").replace('"parent_run_id": null', '"x": 1'))
    )
    assert found.end.answer == "A"


def test_a_line_that_is_no_run(conversation: Any, search_schema: Any, write: Any) -> None:
    runs = wrapped(conversation, search_schema)
    with pytest.raises(TraceFileError, match="line 5: no LangSmith run"):
        list(read_traces(write(*runs, {"spam": 1})).trajectories)
    imported = read_traces(write(*runs, {"spam": 1}), skip_broken=True)
    assert len(list(imported.trajectories)) == 1
    assert imported.left_out == [("line 5", "no LangSmith run")]
