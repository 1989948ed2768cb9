"""Traces of spans: which calls make a run, what is left out, what scores become."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from coreact.errors import TraceFileError
from coreact.trace.importing import read_traces

TRACE = "0af7651916cd43dd8448eb211c80319c"


def value(plain: Any) -> dict[str, Any]:
    if isinstance(plain, bool):
        return {"boolValue": plain}
    if isinstance(plain, int):
        return {"intValue": str(plain)}
    if isinstance(plain, float):
        return {"doubleValue": plain}
    if isinstance(plain, list):
        return {"arrayValue": {"values": [value(one) for one in plain]}}
    if isinstance(plain, dict):
        return {"kvlistValue": {"values": [{"key": key, "value": value(one)} for key, one in plain.items()]}}
    return {"stringValue": plain}


def attributes(**given: Any) -> list[dict[str, Any]]:
    return [{"key": key, "value": value(one)} for key, one in given.items()]


def span(
    number: int, parent: int | None, start: int, trace: str = TRACE, name: str = "", **given: Any
) -> dict[str, Any]:
    """A span as the Collector writes it; dots of attribute names are written `__`."""
    named = {key.replace("__", "."): one for key, one in given.items()}
    return {
        "traceId": trace,
        "spanId": f"{number:016x}",
        "parentSpanId": "" if parent is None else f"{parent:016x}",
        "name": name or f"span {number}",
        "startTimeUnixNano": str(1_700_000_000_000_000_000 + start),
        "endTimeUnixNano": str(1_700_000_000_000_000_000 + start + 5),
        "attributes": attributes(**named),
    }


def document(*spans: Any, service: str = "shop") -> dict[str, Any]:
    resource = {"attributes": attributes(**{"service.name": service})}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]}


def agent(number: int, parent: int | None, start: int, name: str, **more: Any) -> dict[str, Any]:
    return span(
        number, parent, start,
        gen_ai__operation__name="invoke_agent", gen_ai__agent__name=name, **more,
    )  # fmt: skip


def chat(
    number: int, parent: int | None, start: int, asked: list[Any], said: Any, **more: Any
) -> dict[str, Any]:
    """A model call; messages as structures, which a span may hold too."""
    said = {
        "role": "assistant",
        "parts": said if isinstance(said, list) else [{"type": "text", "content": said}],
    }
    return span(
        number, parent, start, gen_ai__operation__name="chat",
        gen_ai__input__messages=asked, gen_ai__output__messages=[said], **more,
    )  # fmt: skip


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"type": "text", "content": text}]}


def called(name: str, ident: str) -> dict[str, Any]:
    return {"type": "tool_call", "id": ident, "name": name, "arguments": {"n": 1}}


def answered(ident: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "parts": [{"type": "tool_call_response", "id": ident, "response": text}]}


def test_a_subagent_is_a_run_of_its_own(write: Any, load: Any) -> None:
    call = called("ask", "c1")
    spans = [
        agent(1, None, 0, "boss"),
        chat(2, 1, 10, [user("Q")], [call]),
        span(
            3, 1, 20, gen_ai__operation__name="execute_tool", gen_ai__tool__name="ask",
            gen_ai__tool__call__id="c1", gen_ai__tool__call__result="R",
        ),
        agent(4, 3, 21, "helper"),
        chat(5, 4, 22, [user("Sub")], "R"),
        chat(6, 1, 40, [user("Q"), {"role": "assistant", "parts": [call]}, answered("c1", "R")], "A"),
    ]  # fmt: skip
    runs, imported = load(write(*[document(one) for one in reversed(spans)]))
    assert [(run.run.agent, run.run.question, len(run.steps)) for run in runs] == [
        ("boss", "Q", 2), ("helper", "Sub", 1),
    ]  # fmt: skip
    assert imported.left_out == []
    assert runs[0].steps[0].span_id == f"{2:016x}"


def test_several_turns_in_a_trace_and_the_same_words_again(write: Any, load: Any) -> None:
    said = {"role": "assistant", "parts": [{"type": "text", "content": "a"}]}
    spans = [
        agent(1, None, 0, "x"),
        chat(2, 1, 10, [user("go on")], "a"),
        chat(3, 1, 20, [user("go on"), said, user("go on")], "b"),
        chat(4, 1, 30, [user("other")], "c"),
    ]
    runs, _ = load(write(document(*spans)))
    assert [(run.run.question, run.end.answer) for run in runs] == [
        ("go on", "a"),
        ("go on", "b"),
        ("other", "c"),
    ]


def test_spans_whose_parent_is_missing_stay_together(write: Any, load: Any) -> None:
    call = called("f", "c1")
    asked = [user("Q"), {"role": "assistant", "parts": [call]}, answered("c1", "R")]
    runs, _ = load(write(document(chat(2, 9, 10, [user("Q")], [call]), chat(3, 9, 20, asked, "A"))))
    assert [len(run.steps) for run in runs] == [2]
    assert runs[0].run.agent in ("", "shop")


def test_a_tool_span_tells_what_the_last_call_gave(write: Any, load: Any) -> None:
    """The agent was stopped after its tool: no later prompt shows the result."""
    failed = span(
        3, 1, 20, gen_ai__operation__name="execute_tool", gen_ai__tool__name="f", name="execute_tool f"
    )
    failed["status"] = {"code": 2, "message": "boom"}
    runs, _ = load(
        write(document(agent(1, None, 0, "x"), chat(2, 1, 10, [user("Q")], [called("f", "c1")]), failed))
    )
    (seen,) = runs[0].observations
    assert (seen.call_id, seen.tool, seen.text, seen.failed) == ("c1", "f", "boom", True)
    assert runs[0].end.status == "interrupted"


def test_a_model_call_that_failed_fails_the_run(write: Any, load: Any) -> None:
    broken = span(3, 1, 20, gen_ai__operation__name="chat", gen_ai__input__messages=[user("Q")])
    broken["status"] = {"code": "STATUS_CODE_ERROR", "message": "rate limit"}
    runs, imported = load(
        write(document(agent(1, None, 0, "x"), chat(2, 1, 10, [user("Q")], [called("f", "c")]), broken))
    )
    assert imported.left_out == []
    assert (runs[0].end.status, runs[0].end.error, len(runs[0].steps)) == ("failed", "rate limit", 1)


def test_unknown_conventions_are_said(write: Any) -> None:
    spans = [
        span(number, None, number, name=f"GET /{number % 3}", http__method="GET") for number in range(1, 13)
    ]
    with pytest.raises(TraceFileError, match=r"12 spans and none speaks a convention.*'GET /1'"):
        list(read_traces(write(document(*spans))).trajectories)


def test_spans_of_others_beside_the_agents_are_no_loss(write: Any, load: Any) -> None:
    other = span(1, None, 0, http__method="GET", trace="1" * 32)
    runs, imported = load(
        write(document(other, agent(1, 7, 0, "x"), span(7, None, 0), chat(2, 1, 1, [user("Q")], "A")))
    )
    assert len(runs) == 1
    assert imported.left_out == []


def test_calls_without_content_are_said(write: Any, load: Any) -> None:
    bare = span(2, 1, 10, gen_ai__operation__name="chat", gen_ai__request__model="m")
    runs, imported = load(write(document(agent(1, None, 0, "x"), bare)))
    assert runs == []
    assert [left.why for left in imported.left_out] == [
        "Its messages were not recorded (content capture was off).",
        "no call of a chat model with its messages is in it",
    ]


def test_a_circle_of_parents_leaves_the_trace_out(write: Any, load: Any) -> None:
    good = chat(9, None, 0, [user("Q")], "A", trace="1" * 32)
    runs, imported = load(
        write(document(agent(1, 4, 0, "x"), span(4, 1, 0), chat(2, 4, 1, [user("Q")], "A"), good))
    )
    assert len(runs) == 1
    (left,) = imported.left_out
    assert left.where == f"trace {TRACE}"
    assert "circle" in left.why


def test_the_same_span_twice_counts_once_and_two_of_one_id_never(write: Any, load: Any) -> None:
    one = chat(2, None, 1, [user("Q")], "A")
    runs, imported = load(write(document(one), document(one)))
    assert (len(runs), imported.left_out) == (1, [])
    other = copy.deepcopy(one) | {"name": "different"}
    imported = read_traces(write(document(one), document(other)))
    assert list(imported.trajectories) == []
    assert "two different spans" in imported.left_out[0].why


def test_messages_that_no_provider_would_accept(write: Any, load: Any) -> None:
    stray = [user("Q"), answered("c9", "R")]
    runs, imported = load(write(document(agent(1, None, 0, "x"), chat(2, 1, 1, stray, "A"))))
    assert runs == []
    assert "which no message made" in imported.left_out[0].why


@pytest.mark.parametrize(
    "broken",
    [
        {"resourceSpans": 3},
        {"resourceSpans": [{"scopeSpans": [{"spans": [1]}]}]},
        {"resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": [{}]}]}]}]},
        {
            "resourceSpans": [
                {"scopeSpans": [{"spans": [{"attributes": [{"key": "a", "value": {"intValue": "x"}}]}]}]}
            ]
        },
    ],
)
def test_otlp_that_is_broken_inside(broken: Any, write: Any) -> None:
    good = document(chat(2, None, 1, [user("Q")], "A"))
    with pytest.raises(TraceFileError, match="line 2: no spans"):
        list(read_traces(write(good, broken)).trajectories)
    imported = read_traces(write(good, broken), skip_broken=True)
    assert len(list(imported.trajectories)) == 1
    assert imported.left_out[0].where == "line 2"


def test_huge_numbers_are_not_believed(write: Any, load: Any) -> None:
    one = chat(
        2, None, 1, [user("Q")], "A", gen_ai__usage__input_tokens=10**30, gen_ai__usage__output_tokens=-1
    )
    one["endTimeUnixNano"] = str(10**40)
    runs, _ = load(write(document(one)))
    assert runs[0].steps[0].cost.tokens == 0


# --- scores ---------------------------------------------------------------------------------


def evaluation(number: int, **given: Any) -> dict[str, Any]:
    named = {f"gen_ai.evaluation.{key.replace('__', '.')}": one for key, one in given.items()}
    log = {
        "timeUnixNano": "1700000000000000050", "eventName": "gen_ai.evaluation.result",
        "traceId": TRACE, "spanId": f"{number:016x}", "attributes": attributes(**named),
    }  # fmt: skip
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]}


def test_evaluation_events_become_judgements(write: Any, load: Any) -> None:
    spans = document(agent(1, None, 0, "x"), chat(2, 1, 1, [user("Q")], "A"))
    scores = [
        evaluation(
            2,
            name="Correct",
            score__value=1.0,
            explanation="so",
            evaluator__type="llm_judge",
            evaluator__id="j",
        ),
        evaluation(1, name="Helpful", score__value=0.25, evaluator__type="human"),
        evaluation(2, name="Free scale", score__value=4.0, evaluator__type="human"),
        evaluation(2, name="Who?", score__value=1.0),
        evaluation(8, name="Elsewhere", score__value=1.0, evaluator__type="human"),
    ]
    runs, imported = load(write(*scores[:2], spans, *scores[2:]))
    judged = {one.rubric.criteria[0].id: one for one in runs[0].judgements}
    assert len(judged) == 2
    first, second = judged["Correct"], judged["Helpful"]
    assert (first.place, first.judgement.score, first.judgement.passed) == ((0, 0, 0), 1.0, True)
    assert (first.evaluator.name, first.evaluator.kind) == ("j", "model")
    assert (first.rubric.criteria[0].text, first.judgement.verdicts[0].reason) == ("Correct", "so")
    assert (second.place, second.judgement.score, second.judgement.passed) == ((None, None, None), 0.25, None)
    assert second.evaluator.kind == "human"
    assert [left.why.split(":")[0] for left in imported.left_out] == [
        "score 'Free scale'", "score 'Who?'", "score 'Elsewhere'",
    ]  # fmt: skip


def oi(
    number: int, parent: int | None, start: int, kind: str, links: Any = (), **given: Any
) -> dict[str, Any]:
    made = span(number, parent, start, **{"openinference__span__kind": kind, **given})
    made["links"] = [{"traceId": TRACE, "spanId": f"{one:016x}"} for one in links]
    return made


def test_annotations_become_judgements(write: Any, load: Any) -> None:
    message = {
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "Q",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": "A",
    }
    carried = {
        "evaluations.0.evaluation.name": "grounded",
        "evaluations.0.evaluation.score": 0,
        "evaluations.0.evaluation.explanation": "no",
        "evaluations.0.evaluation.annotator_kind": "LLM",
        "evaluations.0.evaluation.identifier": "judge-1",
    }
    own = {
        "annotations.0.annotation.name": "liked",
        "annotations.0.annotation.label": "thumbs-up",
        "annotations.0.annotation.annotator_kind": "HUMAN",
        "trace.annotations.0.annotation.name": "done",
        "trace.annotations.0.annotation.label": "pass",
        "trace.annotations.0.annotation.annotator_kind": "CODE",
    }
    spans = [
        oi(1, None, 0, "AGENT", **own),
        oi(2, 1, 1, "LLM", **message),
        oi(3, None, 9, "EVALUATOR", links=[2], **carried),
    ]
    runs, imported = load(write(document(*spans)))
    judged = {one.rubric.criteria[0].id: one for one in runs[0].judgements}
    assert set(judged) == {"grounded", "done"}
    assert judged["grounded"].place == (0, 0, 0)
    assert judged["grounded"].evaluator.kind == "model"
    assert judged["grounded"].judgement.passed is False
    assert judged["done"].place == (None, None, None)
    assert [left.why.split(":")[0] for left in imported.left_out] == ["score 'liked'"]


def test_openinference_parts_tools_and_costs(write: Any, load: Any, search_schema: Any) -> None:
    """Nested as Phoenix's REST API gives spans, a page of them."""
    one = {
        "name": "llm",
        "context": {"trace_id": TRACE, "span_id": "b7ad6b7169203331"},
        "span_kind": "LLM",
        "start_time": "2026-05-01T10:00:00+00:00",
        "end_time": "2026-05-01T10:00:02+00:00",
        "status_code": "OK",
        "attributes": {
            "llm": {
                "input_messages": [
                    {
                        "message": {
                            "role": "user",
                            "contents": [
                                {"message_content": {"type": "text", "text": "What"}},
                                {"message_content": {"type": "text", "text": " now?"}},
                            ],
                        }
                    }
                ],
                "output_messages": [{"message": {"role": "assistant", "content": "This."}}],
                "tools": [{"tool": {"json_schema": json.dumps(search_schema)}}],
                "token_count": {"prompt": 7, "completion": 3},
                "cost": {"total": 0.5},
            },
            "session": {"id": "s-9"},
        },
    }
    runs, _ = load(write({"data": [one], "next_cursor": None}, name="page.json"))
    (run,) = runs
    assert run.run.question == "What now?"
    assert (run.run.thread_id, [tool.name for tool in run.tools(0)]) == ("s-9", ["search"])
    assert (run.steps[0].cost.tokens, run.steps[0].cost.usd, run.steps[0].cost.seconds) == (10, 0.5, 2.0)
