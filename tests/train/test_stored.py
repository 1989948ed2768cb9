"""Points out of stored runs: real agents, recorded, read back and ranked by their verdicts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from coreact.errors import ExportError
from coreact.generate.fixed import FixedGenerator
from coreact.guide import CoReActMiddleware
from coreact.rubric import ArgumentContains, Criterion, Rubric
from coreact.testing.scripted import ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder
from coreact.trace.states import state_at
from coreact.train.points import point_of, point_text
from coreact.train.stored import CHECKS, stored_points, weighed

RUBRIC = Rubric(
    criteria=(
        Criterion(
            id="river", text="Name the river.", check=ArgumentContains(argument="query", terms=("Elbe",))
        ),
        Criterion(id="new", text="Ask for its rise.", check=ArgumentContains(terms=("rise",))),
    )
)


@tool
def search(query: str) -> str:
    """Find passages."""
    return f"About {query}: the Elbe rises in the Giant Mountains."


def recorded(
    *script: Any,
    rubric: Rubric | None = RUBRIC,
    question: str = "Where does the Elbe rise?",
    retries: int = 1,
) -> Any:
    store = InMemoryTraceStore()
    settings: dict[str, Any] = {} if rubric is None else {"generator": FixedGenerator(rubric)}
    middleware = CoReActMiddleware(recorder=Recorder(store), step_budget=3, retries=retries, **settings)
    agent = create_agent(ScriptedModel(script=list(script)), [search], middleware=[middleware])
    agent.invoke({"messages": [("user", question)]})
    store.flush()
    return store


def test_a_retry_and_what_it_replaced_make_a_point() -> None:
    store = recorded(
        call("search", query="rivers"),  # fails both, and is tried again
        call("search", query="Elbe rise"),
        AIMessage("There."),
    )
    left: Counter[str] = Counter()
    (point,) = stored_points(store, left=left)
    run = store.runs()[0]
    trajectory = store.trajectory(run.id)
    assert point.state == state_at(trajectory, 0)
    assert [str(one.action) for one in point.candidates] == [
        "search(query='rivers')",
        "search(query='Elbe rise')",
    ]
    assert point.gains == (-2, -1)
    assert [one.source for one in point.candidates] == ["first", "retry"]
    (ranking,) = point.rankings
    assert (ranking.judge, ranking.ranks) == (CHECKS, (2, 1))
    assert point.question_id == "Where does the Elbe rise?"
    assert point.id == f"{run.id}.0"
    assert point_of(point_text(point)) == point
    assert left["no_state"] == 0
    assert left.total() >= 1, "the answer stood alone, or could not be judged"


def test_the_same_action_twice_is_no_contrast() -> None:
    store = recorded(call("search", query="rivers"), call("search", query="rivers"), AIMessage("There."))
    left: Counter[str] = Counter()
    assert list(stored_points(store, left=left)) == []
    assert left["same_action"] == 1
    assert left["alone_in_its_step"] == 1


TWICE = (
    call("search", query="rivers"),
    call("search", query="Elbe"),  # better, but fails
    call("search", query="rivers"),
    AIMessage("There."),
)


def test_an_action_that_was_tried_twice_counts_twice() -> None:
    left: Counter[str] = Counter()
    (point,) = stored_points(recorded(*TWICE, retries=2), left=left)
    assert [str(one.action) for one in point.candidates] == [
        "search(query='rivers')",
        "search(query='Elbe')",
    ]
    assert [one.proposed for one in point.candidates] == [2, 1]
    assert left["same_action"] == 1


@pytest.mark.parametrize("unjudged", [0, 2])
def test_a_try_counts_whether_it_was_judged_or_not(unjudged: int) -> None:
    (whole,) = recorded(*TWICE, retries=2).trajectories()
    step = whole.steps[0]
    attempts = list(step.attempts)
    attempts[unjudged] = attempts[unjudged].model_copy(update={"judgements": ()})
    step = step.model_copy(update={"attempts": tuple(attempts)})
    first = next(weighed(whole.model_copy(update={"steps": (step, *whole.steps[1:])})))
    assert first.point is not None
    assert {str(one.action): one.proposed for one in first.point.candidates} == {
        "search(query='rivers')": 2,
        "search(query='Elbe')": 1,
    }
    assert first.dropped == {"not_judged": 1}


def test_equal_scores_are_no_contrast() -> None:
    store = recorded(call("search", query="rivers"), call("search", query="lakes"), AIMessage("There."))
    left: Counter[str] = Counter()
    assert list(stored_points(store, left=left)) == []
    assert left["all_tied"] == 2


def test_what_no_judge_could_decide_is_no_label() -> None:
    prose = Rubric(criteria=(Criterion(id="c", text="The search shows insight."),))
    store = recorded(call("search", query="rivers"), AIMessage("There."), rubric=prose)
    with pytest.raises(ExportError, match="No step of 1 stored runs was judged") as caught:
        list(stored_points(store))
    assert "rejudge" in caught.value.remedy


def test_a_store_with_nothing_in_it() -> None:
    with pytest.raises(ExportError, match="0 stored runs"):
        list(stored_points(InMemoryTraceStore()))


def test_another_evaluator() -> None:
    store = recorded(call("search", query="rivers"), call("search", query="Elbe rise"), AIMessage("There."))
    with pytest.raises(ExportError, match="'human'"):
        list(stored_points(store, evaluator="human"))
