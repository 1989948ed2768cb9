"""The model that splits and compares criteria."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from coreact.generate.refinement import Comparer, Decomposer, ModelDecomposer, Refiner
from coreact.judge.structured import ReplyError
from coreact.rubric import Action, Criterion, State, ToolCall, ToolContract
from coreact.testing import ScriptedJudge, ScriptedModel

TOOL = ToolContract(
    name="search",
    role="search",
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)
STATE = State.start("Which river flows through Vienna?", tools=(TOOL,), limit=5)
WHOLE = Criterion(id="w", text="Search for something useful.", kind="process", stage="gather")
SAMPLES = tuple(
    Action(call=ToolCall(name="search", arguments={"query": text}))
    for text in ("Vienna river", "Vienna", "rivers of Europe", "Austria")
)


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    def called(thing: Any, name: str, *args: Any) -> Any:
        if request.param == "sync":
            return getattr(thing, name)(*args)
        return asyncio.run(getattr(thing, f"a{name}")(*args))

    return called


def parts(*texts: str) -> str:
    return json.dumps({"parts": [{"asks_more": "more", "text": text} for text in texts]})


def test_parts_come_in_through_the_same_door(run: Any) -> None:
    reply = parts(
        "Be like candidate x.",
        "Use `browser` to look.",
        'The `query` contains "Vienna".',
        "Name a body of water.",
        "Name the continent.",
    )
    model = ScriptedModel(script=[reply])
    decomposer = ModelDecomposer(model)
    split = run(decomposer, "decompose", WHOLE, SAMPLES, [Criterion(id="k", text="Known already.")], STATE)
    assert [child.text for child in split.children] == [
        'The `query` contains "Vienna".',
        "Name a body of water.",
    ]
    assert split.children[0].check is not None  # read off the sentence
    assert {child.kind for child in split.children} == {"process"}
    assert [remark.problem for remark in split.remarks] == ["nuisance", "unknown_tool", "too_many"]
    assert "Known already." in str(model.requests[0][1].content)
    assert split.cost.calls == 1
    assert isinstance(decomposer, Decomposer)
    assert isinstance(decomposer, Comparer)


def test_no_parts_are_no_parts(run: Any) -> None:
    split = run(ModelDecomposer(ScriptedModel(script=[parts()])), "decompose", WHOLE, SAMPLES, [], STATE)
    assert split.children == ()


def test_the_order_of_the_samples_does_not_show(run: Any) -> None:
    asked = set()
    for order in (SAMPLES, SAMPLES[::-1]):
        model = ScriptedModel(script=[parts()])
        run(ModelDecomposer(model), "decompose", WHOLE, order, [], STATE)
        asked.add(str(model.requests[0][1].content))
    assert len(asked) == 1


@pytest.mark.parametrize("relation", ["same", "opposite", "different"])
def test_relations_are_read(run: Any, relation: str) -> None:
    model = ScriptedModel(script=[json.dumps({"reason": "r", "relation": relation})])
    compared = run(ModelDecomposer(model), "compare", WHOLE, [Criterion(id="k", text="Known already.")])
    assert (compared.relation, compared.cost.calls) == (relation, 1)


def test_no_reply_is_a_typed_error(run: Any) -> None:
    model = ScriptedModel(script=["no", "no"])
    with pytest.raises(ReplyError):
        run(ModelDecomposer(model), "decompose", WHOLE, SAMPLES, [], STATE)


def test_a_whole_round_with_a_model_and_a_judge(run: Any) -> None:
    judge = ScriptedJudge(
        lambda criterion, action: (
            "met"
            if criterion.id == "w" or ("water" in criterion.text and "river" in str(action))
            else "unmet"
        )
    )
    decomposer = ModelDecomposer(
        ScriptedModel(script=[parts('The `query` contains "Vienna".', "Name a body of water.")])
    )
    refined = run(Refiner(judge=judge, decomposer=decomposer), "refine", [WHOLE], SAMPLES, STATE)
    assert [criterion.text for criterion in refined.criteria] == [
        'The `query` contains "Vienna".',
        "Name a body of water.",
    ]
    assert refined.votes == ((1, 1), (1, 0), (0, 1), (0, 0))
    assert refined.cost.calls == 4 + 1 + 4
