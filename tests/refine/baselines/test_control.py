"""Off is the control: without rounds, samples or scorer every baseline asks what the plain agent asks."""

from __future__ import annotations

from typing import Any

import pytest

from coreact import CoReActMiddleware
from coreact.generate import HeuristicGenerator
from coreact.refine.baselines import (
    BestOfN,
    Critic,
    Reflexion,
    RubricScorer,
    SelfConsistency,
    SelfRefine,
    TreeSearch,
)
from coreact.rubric import Criterion, Rubric
from coreact.testing import ScriptedGenerator

METHODS: dict[str, Any] = {
    "best_of_n": lambda build, tools, judge: BestOfN(build, 1, tool_calls=3),
    "self_consistency": lambda build, tools, judge: SelfConsistency(build, 1, tool_calls=3),
    "self_refine": lambda build, tools, judge: SelfRefine(build, judge, rounds=0, tool_calls=3),
    "critic": lambda build, tools, judge: Critic(build, judge, rounds=0, tool_calls=3),
    "reflexion": lambda build, tools, judge: Reflexion(build, judge, episodes=1, tool_calls=3),
    "tree_search": lambda build, tools, judge: TreeSearch(build, tools, scorer=None, tool_calls=3),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("guided", [False, True])
def test_one_of_everything_is_the_agent_itself(
    run: Any, tools: Any, searching: Any, react: Any, said: Any, plain: Any, name: str, guided: bool
) -> None:
    """With guidance plugged in the baseline still asks what the guided agent asks."""

    def build(model: Any, tool_calls: int) -> Any:
        middleware = [CoReActMiddleware(generator=HeuristicGenerator(), retries=0)] if guided else []
        return react(model, tools.all, middleware=middleware, tool_calls=tool_calls)

    alone, inside = searching(5), searching(5)
    expected = run.ask(build(alone, 3))
    other = plain()
    method = METHODS[name](lambda tool_calls, sample: build(inside, tool_calls), tools.all, other)
    out = run.ask(method)
    assert said(inside.requests) == said(alone.requests)
    assert said([out["messages"]]) == said([expected["messages"]])
    assert other.requests == []
    record = out["baseline"]
    assert (record.method, record.tool_calls, record.tool_call_limit, record.chosen) == (name, 3, 3, 0)
    assert len(alone.requests) == 4


def test_a_search_of_width_one_goes_the_way_of_the_agent(
    run: Any, tools: Any, searching: Any, react: Any, said: Any, tenths: Any, numbers: Any
) -> None:
    alone, inside = searching(5), searching(5)
    expected = run.ask(react(alone, tools.all, tool_calls=3))
    search = TreeSearch(
        lambda tool_calls, sample: react(inside, tools.all, tool_calls=tool_calls),
        tools.all,
        scorer=RubricScorer(tenths("step"), numbers),
        tool_calls=3,
        width=1,
    )
    out = run.ask(search)
    assert said(inside.requests) == said(alone.requests)
    assert [one.text for one in out["messages"]] == [one.text for one in expected["messages"]]


@pytest.mark.parametrize("name", ["best_of_n", "self_refine", "reflexion"])
def test_a_scorer_changes_no_request_of_the_agent(
    run: Any,
    tools: Any,
    searching: Any,
    react: Any,
    said: Any,
    plain: Any,
    tenths: Any,
    numbers: Any,
    name: str,
) -> None:
    """The same samples are drawn with and without it; only the choice may differ."""
    made = {
        "best_of_n": lambda build, scorer: BestOfN(build, 3, scorer=scorer, tool_calls=6),
        "self_refine": lambda build, scorer: SelfRefine(
            build, plain("Too short.", "9 longer", "ACCEPT"), rounds=2, scorer=scorer, tool_calls=6
        ),
        "reflexion": lambda build, scorer: Reflexion(
            build, plain("Look again.", "Look again."), episodes=3, scorer=scorer, tool_calls=6
        ),
    }[name]
    requests = []
    for scorer in (None, RubricScorer(tenths(), numbers)):
        model = searching(2, answer="1 or so")
        run.ask(
            made(
                lambda tool_calls, sample, model=model: react(model, tools.all, tool_calls=tool_calls), scorer
            )
        )
        requests.append(said(model.requests))
    assert requests[0] == requests[1]
    assert numbers.asked


@pytest.mark.parametrize("guided", [False, True])
def test_any_generator_guides_the_steps_and_the_rule_stays(
    run: Any, tools: Any, policy: Any, react: Any, tenths: Any, numbers: Any, guided: bool
) -> None:
    """The rubric stands in the requests of every sample; who is chosen is still the best scored answer."""
    rubric = Rubric(criteria=(Criterion(id="river", text="Look in the river Sil."),))
    models = [policy(script=lambda *_, at=at: f"{at} gold") for at in (3, 8, 5)]

    def build(tool_calls: int, sample: int) -> Any:
        middleware = [CoReActMiddleware(generator=ScriptedGenerator(rubric), retries=0)] if guided else []
        return react(models[sample], tools.all, middleware=middleware, tool_calls=tool_calls)

    out = run.ask(BestOfN(build, 3, scorer=RubricScorer(tenths(), numbers), tool_calls=3))
    assert (out["baseline"].chosen, out["messages"][-1].text) == (1, "8 gold")
    for model in models:
        ((*_, last),) = model.requests
        assert ("Look in the river Sil." in last.text) is guided
    assert not any("river" in one.text for one in out["messages"]), "it never reaches the history"
