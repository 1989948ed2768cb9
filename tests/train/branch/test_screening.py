"""Which proposals can be candidates, and that every other one has its reason."""

from __future__ import annotations

from typing import Any

import pytest

from coreact.rubric import Action, State, ToolCall, ToolContract
from coreact.train.branch.sampling import Proposal
from coreact.train.branch.screening import DROPS, Screened, screen, screen_all

SEARCH = ToolContract(
    name="search",
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)
BROKEN = ToolContract(name="odd", parameters={"type": "no such type"})
STATE = State.start("Where was Bo Li born?", tools=(SEARCH, BROKEN))


def calls(*queries: Any, **fields: Any) -> tuple[Action, ...]:
    return tuple(
        Action(call=ToolCall(name=fields.get("name", "search"), arguments={"query": query}, id=f"id{at}"))
        for at, query in enumerate(queries)
    )


@pytest.mark.parametrize(
    ("reason", "proposal"),
    [
        ("failed", Proposal("m", failed="transport: it broke")),
        ("empty", Proposal("m")),
        ("empty", Proposal("m", (Action(answer="  \n"),))),
        ("empty", Proposal("m", (Action(answer="<think>I know nothing.</think>"),))),
        ("empty", Proposal("m", (Action(answer="<think>I know nothing. Perhaps Tarn"),))),  # cut
        ("empty", Proposal("m", calls("  "))),
        ("several_actions", Proposal("m", calls("Bo Li", "bees"))),
        ("no_such_tool", Proposal("m", calls("Bo Li", name="look_up"))),
        ("malformed", Proposal("m", calls(7))),
        ("malformed", Proposal("m", (Action(call=ToolCall(name="search")),))),
        ("malformed", Proposal("m", (Action(call=ToolCall(name="search", malformed="no JSON")),))),
        ("malformed", Proposal("m", (Action(answer='<tool_call>{"name": "search"}</tool_call>'),))),
        ("invented_output", Proposal("m", calls("Bo Li"), "I search.\nObservation: Bo Li was born in Tarn.")),
        ("invented_output", Proposal("m", (Action(answer="<tool_response>Tarn</tool_response> Tarn"),))),
        ("invented_output", Proposal("m", (Action(answer="Search results: [p1] Bo Li. So: Tarn"),))),
    ],
)
def test_what_cannot_be_taken_is_dropped_with_its_reason(reason: str, proposal: Proposal) -> None:
    assert reason in DROPS
    assert screen(proposal, STATE) == reason


@pytest.mark.parametrize(
    ("proposal", "action"),
    [
        (Proposal("m", calls("Bo Li"), "I look him up."), "search(query='Bo Li')"),
        (Proposal("m", calls("Bo Li"), "<think>Observation: none yet</think>"), "search(query='Bo Li')"),
        (Proposal("m", (Action(answer="Tarn"),)), "answer: Tarn"),
        (Proposal("m", (Action(answer="hm, or <b>?</think>Tarn"),)), "answer: Tarn"),
        (Proposal("m", (Action(answer="<think>hm</think>\n Tarn "),)), "answer: Tarn"),
        (Proposal("m", (Action(answer="His observations: none."),)), "answer: His observations: none."),
        # A bad action is a candidate all the same: rubrics are to tell it from good ones.
        (Proposal("m", calls("weather in spring")), "search(query='weather in spring')"),
        # The tool's own fault is not the proposal's.
        (Proposal("m", calls("x", name="odd")), "odd(query='x')"),
    ],
)
def test_what_can_be_taken_is_kept(proposal: Proposal, action: str) -> None:
    found = screen(proposal, STATE)
    assert isinstance(found, Screened)
    assert str(found.action) == action
    assert found.action.call is None or found.action.call.id == "", "ids are random and say nothing"


def test_counts_add_up() -> None:
    proposals = [Proposal("m", calls("a")), Proposal("m"), Proposal("m"), Proposal("m", failed="x")]
    usable, dropped = screen_all(proposals, STATE)
    assert (len(usable), dropped) == (1, {"empty": 2, "failed": 1})
