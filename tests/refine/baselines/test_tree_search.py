"""The search over an agent's actions: finds the planted path within its budget where greedy fails."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphInterrupt
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Interrupt

from coreact import CoReActMiddleware
from coreact.errors import ConfigError, ModelCallError
from coreact.generate import HeuristicGenerator
from coreact.refine.baselines import RubricScorer, TreeSearch
from coreact.testing import ScriptedGenerator, ScriptedJudge

WORLD = {
    (): ["9 glitter", "7 river"],
    ("9 glitter",): ["2 shop", "1 mall"],
    ("9 glitter", "2 shop"): ["2 till", "1 exit"],
    ("9 glitter", "2 shop", "2 till"): ["1 brass", "1 tin"],
    ("9 glitter", "1 mall"): ["0 out", "0 up"],
    ("7 river",): ["9 bend", "8 ford"],
    ("7 river", "9 bend"): ["10 gold", "9 silver"],
}
"""Proposals by the queries made so far, each with its worth in tenths in front; what is no place is an
answer. `glitter` looks best and leads nowhere."""
PLACES = {one for path in WORLD for one in path}


def proposed(messages: list[BaseMessage], sample: int, must_answer: bool) -> AIMessage | str:
    path = tuple(
        call["args"]["query"] for one in messages if isinstance(one, AIMessage) for call in one.tool_calls
    )
    choices = WORLD.get(path, ["0 lost", "0 gone"])
    choice = choices[min(sample, len(choices) - 1)]
    if must_answer and choice in PLACES:
        return "0 lost"
    if choice in PLACES:
        return AIMessage(
            "", tool_calls=[{"name": "search", "args": {"query": choice}, "id": f"{len(path)}-{choice}"}]
        )
    return choice


@pytest.fixture
def world(policy: Any, tools: Any, react: Any, tenths: Any, numbers: Any) -> Any:
    class World:
        def __init__(self) -> None:
            self.judge = numbers
            self.built: list[tuple[int, int]] = []
            self.middleware: list[Any] = []

        def build(self, tool_calls: int, sample: int) -> Any:
            self.built.append((tool_calls, sample))
            model = policy(script=lambda messages, must: proposed(messages, sample, must))
            return react(model, tools.all, middleware=self.middleware, tool_calls=tool_calls)

        def search(self, tool_calls: int, **options: Any) -> TreeSearch:
            scorer = RubricScorer(tenths("step"), numbers)
            return TreeSearch(
                self.build, tools.all, **{"scorer": scorer, "tool_calls": tool_calls, **options}
            )

    return World()


def greedy() -> list[str]:
    path: tuple[str, ...] = ()
    while path in WORLD:
        path = (*path, max(WORLD[path], key=lambda one: int(one.split()[0])))
    return list(path)


def test_it_finds_the_planted_path_where_greedy_fails(run: Any, world: Any, tools: Any) -> None:
    assert greedy() == ["9 glitter", "2 shop", "2 till", "1 brass"], "the best step each time leads nowhere"
    out = run.ask(world.search(5))
    assert out["messages"][-1].text == "10 gold"
    record = out["baseline"]
    assert record.tool_calls == len(tools.calls) <= 5
    assert record.tool_call_limit == 5
    assert record.tried[record.chosen].answer == "10 gold"
    assert record.tried[record.chosen].score == pytest.approx(0.7 * 0.9)
    assert record.why == "the path worth most"
    results = [one.text for one in out["messages"] if isinstance(one, ToolMessage)]
    assert [text.split(" at ")[0] for text in results] == ["Found 7 river", "Found 9 bend"]
    assert "2 till" not in tools.calls, "what is not followed does not run"
    assert world.judge.asked.count("9 glitter") == 1, "each proposal is judged once"


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("guided", [False, True])
def test_the_budget_is_kept_and_there_is_an_answer(
    run: Any, world: Any, tools: Any, limit: int, guided: bool
) -> None:
    world.middleware = [CoReActMiddleware(retries=1)] if guided else []
    out = run.ask(world.search(limit))
    assert out["baseline"].tool_calls == len(tools.calls) <= limit
    assert out["messages"][-1].text
    assert not out["messages"][-1].tool_calls
    assert all(calls <= limit for calls, _ in world.built)
    assert {sample for _, sample in world.built} == {0, 1}


def test_without_a_scorer_it_is_the_agent_run_once(run: Any, world: Any, tools: Any) -> None:
    out = run.ask(world.search(3, scorer=None))
    assert world.built == [(3, 0)]
    assert tools.calls == ["9 glitter", "2 shop", "2 till"]
    assert out["baseline"].why == "the only one; there is no scorer"


def test_few_simulations_end_with_a_forced_answer(run: Any, world: Any, tools: Any) -> None:
    out = run.ask(world.search(5, simulations=2))
    assert tools.calls == ["9 glitter"]
    assert out["messages"][-1].text == "0 lost"
    record = out["baseline"]
    assert (record.why, record.chosen) == ("made to answer at the end of the path worth most", 0)
    assert record.tried[0].score is None, "nobody scored it"
    assert world.built[-1] == (1, 0), "as many calls as were made: it must answer"


def test_an_agent_that_ignores_its_limit_is_a_typed_error(
    run: Any, policy: Any, react: Any, tools: Any, tenths: Any, numbers: Any
) -> None:
    def script(messages: Any, must: bool) -> Any:
        query = f"5 q{len(messages)}"
        return AIMessage("", tool_calls=[{"name": "search", "args": {"query": query}, "id": query}])

    model = policy(script=script, limited=False)
    search = TreeSearch(
        lambda tool_calls, _: react(model, tools.all, tool_calls=tool_calls),
        tools.all,
        scorer=RubricScorer(tenths("step"), numbers),
        tool_calls=2,
    )
    with pytest.raises(ModelCallError, match="calls tools after its limit"):
        run.ask(search)
    assert len(tools.calls) == 2


def test_rubrics_are_written_once_a_step(run: Any, world: Any, tenths: Any, numbers: Any) -> None:
    generator = ScriptedGenerator(tenths("step"))
    out = run.ask(world.search(5, scorer=RubricScorer(generator, numbers)))
    assert out["messages"][-1].text == "10 gold"
    expansions = out["baseline"].tool_calls + 1
    assert len(generator.states) == expansions
    assert len({state.digest for state in generator.states}) == expansions
    assert generator.states[0].budget.limit == 5
    assert [one.name for one in generator.states[0].tools] == ["search"]


def test_with_nothing_known_the_first_proposal_is_followed(
    run: Any, world: Any, tools: Any, tenths: Any
) -> None:
    out = run.ask(world.search(3, scorer=RubricScorer(tenths("step")), exploration=0.0))
    assert tools.calls == ["9 glitter", "2 shop", "2 till"]
    assert {one.score for one in out["baseline"].tried} == {None}


def test_proposals_that_fail_cost_themselves(
    run: Any, world: Any, policy: Any, react: Any, tools: Any
) -> None:
    whole = world.build

    def build(tool_calls: int, sample: int) -> Any:
        if sample == 1:
            return react(policy(script=lambda *_: TimeoutError("late")), tools.all, tool_calls=tool_calls)
        return whole(tool_calls, sample)

    world.build = build
    out = run.ask(world.search(3))
    assert out["messages"][-1].text == "1 brass"
    assert {(one.where, one.error) for one in out["baseline"].remarks} == {
        (f"proposal 1 at step {at}", "TimeoutError") for at in range(4)
    }

    def broken(tool_calls: int, sample: int) -> Any:
        raise TimeoutError(f"sample {sample}")

    world.build = broken
    with pytest.raises(TimeoutError, match="sample 0"):
        run.ask(world.search(3))


def test_a_tool_that_fails_or_is_not_there_is_an_observation(
    run: Any, policy: Any, react: Any, tenths: Any, numbers: Any
) -> None:
    @tool
    def search(query: str) -> str:
        """Search."""
        raise OSError("disk gone")

    def script(messages: Any, must: bool) -> Any:
        if must or isinstance(messages[-1], ToolMessage):
            return "5 so"
        calls = [("search", "5 a"), ("lookup", "5 b")]
        return AIMessage("", tool_calls=[{"name": n, "args": {"query": q}, "id": n} for n, q in calls])

    model = policy(script=script)
    search_over = TreeSearch(
        lambda calls, _: react(model, [search], tool_calls=calls),
        [search],
        scorer=RubricScorer(tenths("step"), numbers),
        tool_calls=4,
    )
    out = run.ask(search_over)
    texts = [one.text for one in out["messages"] if isinstance(one, ToolMessage)]
    assert texts == ["Error: OSError: disk gone", "Error: there is no tool 'lookup'."]
    assert out["baseline"].tried[0].score == pytest.approx(0.5**3), "both calls and the answer"


def test_more_calls_at_once_than_are_left_do_not_run(
    run: Any, policy: Any, react: Any, tools: Any, tenths: Any, numbers: Any
) -> None:
    def script(messages: Any, must: bool) -> Any:
        calls = [{"name": "search", "args": {"query": f"5 {at}"}, "id": str(at)} for at in range(3)]
        return "1 short" if must else AIMessage("", tool_calls=calls)

    model = policy(script=script)
    search = TreeSearch(
        lambda calls, _: react(model, tools.all, tool_calls=calls),
        tools.all,
        scorer=RubricScorer(tenths("step"), numbers),
        tool_calls=2,
    )
    out = run.ask(search)
    assert tools.calls == []
    assert out["messages"][-1].text == "1 short"


def test_inside_of_a_graph_its_stops_are_no_interrupts(run: Any, world: Any) -> None:
    graph = StateGraph(MessagesState)
    graph.add_node("search", world.search(5))
    graph.add_edge(START, "search")
    graph.add_edge("search", END)
    compiled = graph.compile(checkpointer=InMemorySaver())
    out = run(compiled, {"messages": [HumanMessage("Where is gold?")]}, {"configurable": {"thread_id": "t"}})
    assert out["messages"][-1].text == "10 gold"
    assert "__interrupt__" not in out


def test_an_agent_that_asks_a_human_is_refused(
    run: Any, world: Any, policy: Any, react: Any, tools: Any
) -> None:
    world.build = lambda calls, _: react(
        policy(script=lambda *_: GraphInterrupt((Interrupt(value="?"),))), tools.all
    )
    with pytest.raises(ModelCallError, match="stopped to ask a human"):
        run.ask(world.search(2))


@pytest.mark.parametrize("options", [{"width": 0}, {"simulations": 0}, {"exploration": -1.0}])
def test_settings_out_of_range_are_refused(world: Any, options: Any) -> None:
    with pytest.raises(ConfigError):
        world.search(2, **options)


def test_a_rubric_for_answers_is_refused(world: Any, tenths: Any) -> None:
    with pytest.raises(ConfigError, match="scope 'answer'"):
        world.search(2, scorer=RubricScorer(tenths("answer")))


def test_the_heuristic_generator_as_verifier_needs_no_model(
    run: Any, policy: Any, react: Any, tools: Any
) -> None:
    """The first proposal always repeats the first search; checks alone lead the search around it."""

    def script(sample: int) -> Any:
        def say(messages: list[BaseMessage], must: bool) -> Any:
            made = sum(isinstance(one, ToolMessage) for one in messages)
            if must:
                return messages[-1].text if sample else "somewhere"
            query = "gold river" if sample == 0 else f"gold {'hill mine cave'.split()[made]}"
            return AIMessage(
                "", tool_calls=[{"name": "search", "args": {"query": query}, "id": f"{made}-{query}"}]
            )

        return say

    search = TreeSearch(
        lambda calls, sample: react(policy(script=script(sample)), tools.all, tool_calls=calls),
        tools.all,
        scorer=RubricScorer(HeuristicGenerator()),
        tool_calls=3,
    )
    out = run.ask(search)
    said = [one for one in out["messages"] if isinstance(one, AIMessage)]
    asked = [one["args"]["query"] for message in said for one in message.tool_calls]
    assert len(asked) == len(set(asked)) > 1, "no query twice on the chosen path"
    record = out["baseline"]
    assert record.tool_calls == 3
    assert record.tried[record.chosen].score is not None, "at the end of the budget an answer can be judged"
    assert record.remarks == ()


def test_the_same_proposal_twice_is_one(
    run: Any, searching: Any, react: Any, tools: Any, tenths: Any
) -> None:
    model = searching(2)
    judge = ScriptedJudge(lambda *_: "met")
    search = TreeSearch(
        lambda calls, _: react(model, tools.all, tool_calls=calls),
        tools.all,
        scorer=RubricScorer(tenths("step"), judge),
        tool_calls=3,
        width=3,
    )
    out = run.ask(search)
    assert len(judge.asked) == 3, "two searches and an answer"
    assert len(out["baseline"].tried) == 1


def proposing(policy: Any, react: Any, tools: Any, script: Any, tenths: Any, numbers: Any) -> TreeSearch:
    """A search whose proposals are `script(messages, sample)`."""
    return TreeSearch(
        lambda calls, sample: react(
            policy(script=lambda messages, must: script(messages, sample)), tools.all, tool_calls=calls
        ),
        tools.all,
        scorer=RubricScorer(tenths("step"), numbers),
        tool_calls=3,
        simulations=32,
    )


def test_an_answer_that_is_chosen_again_makes_way_for_others(
    run: Any, policy: Any, react: Any, tools: Any, tenths: Any, numbers: Any
) -> None:
    def script(messages: list[BaseMessage], sample: int) -> Any:
        if sample == 0 or len(messages) > 2:
            return "8 quick" if len(messages) == 2 else "10 gold"
        return AIMessage("", tool_calls=[{"name": "search", "args": {"query": "8 river"}, "id": "r"}])

    out = run.ask(proposing(policy, react, tools, script, tenths, numbers))
    assert tools.calls == ["8 river"], "tried although the answer is worth as much and came first"
    assert [one.answer for one in out["baseline"].tried] == ["8 quick", "10 gold"]
    assert out["messages"][-1].text == "8 quick", "0.8 as well, and the first"


def test_a_malformed_call_is_not_followed(
    run: Any, policy: Any, react: Any, tools: Any, tenths: Any, numbers: Any
) -> None:
    seen: list[bool] = []

    def script(messages: list[BaseMessage], sample: int) -> Any:
        seen.append(any(getattr(one, "invalid_tool_calls", None) for one in messages))
        if sample == 1:
            return "1 mud"
        bad = {"type": "invalid_tool_call", "name": "search", "args": "{", "id": "x", "error": "no JSON"}
        return AIMessage("", invalid_tool_calls=[bad])

    out = run.ask(proposing(policy, react, tools, script, tenths, numbers))
    assert out["messages"][-1].text == "1 mud"
    assert seen == [False, False]
