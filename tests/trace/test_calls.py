"""Keys of calls: equal where the same is asked, whatever its ids and times; otherwise different."""

from __future__ import annotations

import copy
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    messages_from_dict,
)

from coreact.host.messages import message_json
from coreact.rubric import Action, Criterion, Observation, State, Step, ToolCall, ToolContract
from coreact.trace import Attempt, CallRecord, StepRecord
from coreact.trace.calls import (
    UNRECORDED,
    RecordedCalls,
    message_key,
    model_key,
    prompt_keys,
    rubric_key,
    said,
    tool_key,
    tools_key,
    verdicts_key,
)

texts = st.text(max_size=30)
arguments = st.dictionaries(texts, st.one_of(texts, st.integers(), st.booleans(), st.none()), max_size=3)
calls = st.lists(st.tuples(st.sampled_from(["search", "read"]), arguments), max_size=3)


def assistant(text: str, made: Any, ids: str) -> AIMessage:
    usage = {"input_tokens": len(ids), "output_tokens": 1, "total_tokens": len(ids) + 1}
    return AIMessage(
        text,
        id=ids,
        tool_calls=[{"name": name, "args": args, "id": f"{ids}-{n}"} for n, (name, args) in enumerate(made)],
        usage_metadata=usage,
        response_metadata={"system_fingerprint": ids},
    )


messages = st.one_of(
    texts.map(HumanMessage),
    texts.map(SystemMessage),
    st.builds(lambda text, made: assistant(text, made, "a"), texts, calls),
    st.builds(lambda text, status: ToolMessage(text, tool_call_id="1", status=status), texts,
              st.sampled_from(["success", "error"])),
)  # fmt: skip


@given(text=texts, made=calls)
def test_ids_usage_and_metadata_are_in_no_key(text: str, made: Any) -> None:
    one, other = (message_json(assistant(text, made, ids)) for ids in ("first", "another"))
    assert one != other
    assert message_key(one) == message_key(other)


@given(message=messages)
def test_a_message_has_the_same_key_after_it_was_stored(message: Any) -> None:
    written = message_json(message)
    again = json.loads(json.dumps(written))
    assert message_key(again) == message_key(written)
    assert message_key(message_json(messages_from_dict([again])[0])) == message_key(written)


@given(one=messages, other=messages)
def test_messages_that_say_something_else_have_other_keys(one: Any, other: Any) -> None:
    def meant(message: Any) -> Any:
        made = [(call["name"], call["args"]) for call in getattr(message, "tool_calls", [])]
        return json.dumps([message.type, message.content, made, getattr(message, "status", None)])

    same = message_key(message_json(one)) == message_key(message_json(other))
    assert same == (meant(one) == meant(other))


def test_a_chunk_is_the_message_it_is_a_chunk_of() -> None:
    assert message_key(message_json(AIMessageChunk("x"))) == message_key(message_json(AIMessage("x")))


@given(prompt=st.lists(messages, min_size=1, max_size=6), cut=st.integers(0, 6))
def test_a_prompt_is_hashed_in_pieces_as_in_one(prompt: list[Any], cut: int) -> None:
    written = [message_json(message) for message in prompt]
    whole = prompt_keys(written)
    first = prompt_keys(written[:cut])
    assert first + prompt_keys(written[cut:], after=first[-1] if first else "") == whole
    assert len(set(whole)) == len(whole)


def test_the_order_of_messages_counts() -> None:
    one, other = message_json(HumanMessage("a")), message_json(HumanMessage("b"))
    assert prompt_keys([one, other])[-1] != prompt_keys([other, one])[-1]


def test_whatever_a_request_asks_for_is_in_its_key() -> None:
    asked: dict[str, Any] = {
        "added": ["x"],
        "tools": "t",
        "options": {"tool_choice": "none"},
        "constraint": None,
    }
    keys = {model_key("p", **asked)}
    for update in (
        {"added": ["y"]},
        {"added": ["x", ""]},
        {"tools": "u"},
        {"options": {}},
        {"constraint": {"tool": "search"}},
    ):
        keys.add(model_key("p", **{**asked, **update}))
    keys.add(model_key("q", **asked))
    assert len(keys) == 7


def test_keys_of_tools_states_and_questions() -> None:
    tool = ToolContract(name="search", description="Search.", parameters={"type": "object"})
    assert tools_key([tool]) != tools_key([tool.model_copy(update={"description": "Find."})])
    state = State.start("Where is gold?", tools=(tool,), limit=3)
    seen = Step(
        call=ToolCall(name="search", arguments={"q": 1}, id="a"), observation=Observation(text="Here.")
    )
    again = seen.model_copy(update={"call": seen.call.model_copy(update={"id": "b"})})
    assert rubric_key(state.after(seen)) == rubric_key(state.after(again)), "call ids are drawn anew"
    assert rubric_key(state) != rubric_key(State.start("Where is gold?", tools=(tool,), limit=4))
    criterion, action = Criterion(id="a", text="Good."), Action(call=seen.call)
    keys = {
        verdicts_key((criterion,), action, state),
        verdicts_key((criterion.model_copy(update={"text": "Bad."}),), action, state),
        verdicts_key((criterion,), Action(answer="x"), state),
        verdicts_key((criterion,), action, state.after(seen)),
    }
    assert len(keys) == 4
    assert verdicts_key((criterion,), Action(call=again.call), state) in keys
    assert tool_key("search", {"a": 1, "b": 2}) == tool_key("search", {"b": 2, "a": 1})
    assert tool_key("search", {"a": 1}) != tool_key("search", {"a": "1"})


def a_call(
    n: int, *, key: str = "k", call_id: str = "", kind: Any = "tool", step: int = 0, error: str | None = None
) -> CallRecord:
    request = {"call_id": call_id} if call_id else {}
    response = {"n": n} if error is None else None
    return CallRecord(
        run="r", step=step, kind=kind, key=key, request=request, response=response, error=error, at_ns=n
    )


def test_equal_requests_are_answered_in_their_order_and_once() -> None:
    recorded = RecordedCalls([a_call(1), a_call(2, key="other"), a_call(3), a_call(4, kind="model")])
    assert [one.at_ns if (one := recorded.take("tool", "k", step=0)) else None for _ in range(3)] == [
        1,
        3,
        None,
    ]
    assert recorded.knows("tool", "k")
    assert not recorded.knows("tool", "never")


def test_an_id_tells_equal_parallel_calls_apart() -> None:
    recorded = RecordedCalls([a_call(1, call_id="a"), a_call(2, call_id="b"), a_call(3, call_id="a")])
    found = [recorded.take("tool", "k", step=0, call_id=name) for name in ("b", "a", "a")]
    assert [one and one.at_ns for one in found] == [2, 3, None], "of a call run again the last result counts"


def test_an_id_that_comes_again_in_a_later_step_is_another_call() -> None:
    recorded = RecordedCalls(a_call(step, call_id="call_0", step=step) for step in range(3))
    found = [recorded.take("tool", "k", step=step, call_id="call_0") for step in (0, 1, 2, 3)]
    assert [one and one.at_ns for one in found] == [0, 1, 2, None]


@pytest.mark.parametrize(
    ("errors", "given"),
    [
        (["E: 1", "E: 2", "E: 3"], [0, 1, 2, None]),  # retried, failed throughout
        (["E: 1", None], [0, 1, None]),  # the retry came through
        ([None, None], [1, None]),  # run again after an interrupt
        (["E: 1", None, None], [0, 2, None]),
        ([f"{UNRECORDED}: x", f"{UNRECORDED}: x"], [1, None]),  # lost results are no failures
    ],
)
def test_of_retries_each_failure_comes_again_and_of_reruns_the_last(
    errors: list[str | None], given: list[int | None]
) -> None:
    recorded = RecordedCalls(a_call(n, call_id="a", error=error) for n, error in enumerate(errors))
    found = [recorded.take("tool", "k", step=0, call_id="a") for _ in given]
    assert [None if one is None else one.at_ns for one in found] == given


def test_a_call_with_an_unknown_id_takes_the_next() -> None:
    recorded = RecordedCalls([a_call(1, call_id="a"), a_call(2, call_id="b")])
    found = recorded.take("tool", "k", step=0, call_id="c")
    assert found is not None
    assert found.at_ns == 1


def test_threads_never_get_the_same_record() -> None:
    recorded = RecordedCalls(a_call(n) for n in range(400))
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: recorded.take("tool", "k", step=0), range(400)))
    assert sorted(one.at_ns for one in taken if one) == list(range(400))


def test_messages_that_stand_in_attempts_are_put_in_again() -> None:
    message = message_json(AIMessage("x"))
    result = message_json(ToolMessage("y", tool_call_id="1"))
    step = StepRecord(run="r", index=0, attempts=(Attempt(index=0, source="first", message=message),))
    call = a_call(1, kind="model").model_copy(update={"response": {"messages": [{"attempt": 0}, result]}})
    before = copy.deepcopy(call)
    assert said(step, call) == [message, result]
    assert call == before
    with pytest.raises(IndexError):
        said(None, call)
