"""`CoReActMiddleware` in `create_agent`: requests, history, policies, errors, concurrency."""

from __future__ import annotations

import asyncio
import copy
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain.agents.middleware.types import AgentMiddleware, ExtendedModelResponse
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import StructuredTool, tool
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command

from coreact.errors import ConfigError, GenerationError
from coreact.guide import STATUS_KEY, CoReActMiddleware
from coreact.rubric import Criterion, Rubric
from coreact.testing.scripted import ScriptedGenerator, ScriptedJudge, ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder

QUESTION = "Which currency is used in the country whose capital is Ouagadougou?"


def guided(model: ScriptedModel, tools: Any, rubric: Rubric | None = None, **settings: Any) -> Any:
    if rubric is not None:
        settings["generator"] = ScriptedGenerator(rubric)
    return create_agent(model, tools.all, middleware=[CoReActMiddleware(**settings)])


# --- what the model sees and what is kept --------------------


def test_it_works_with_no_argument(run: Any, tools: Any) -> None:
    model = ScriptedModel(
        script=[call("search", query="Ouagadougou currency"), "The CFA franc.", "The CFA franc."]
    )
    agent = create_agent(model, tools.all, middleware=[CoReActMiddleware()])
    out = run.ask(agent, QUESTION)
    assert tools.calls == ["Ouagadougou currency"]
    assert out["messages"][-1].text == "The CFA franc."
    status = out[STATUS_KEY]
    assert (status["step"], status["rung"], status["errors"]) == (1, "panel", [])
    assert "Ouagadougou" in model.requests[0][-1].text


def test_guidance_and_rejected_attempts_live_in_one_request(
    run: Any, tools: Any, want: Any, ours: Any
) -> None:
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="gold"), "done"])
    out = run.ask(guided(model, tools, want("gold")))
    first, retry, last = model.requests
    assert [type(m).__name__ for m in first] == ["HumanMessage", "HumanMessage"]
    assert [len(ours(request)) for request in (first, retry, last)] == [1, 2, 1]
    assert ours(first) == ours(retry)[:1] == ours(last), "guidance must not pile up"
    assert "gold" in ours(retry)[1]
    assert [m for m in retry if m not in first] == [retry[-1]], "the rejected proposal itself is not sent"
    assert "mud" not in "".join(str(m) for m in last)
    assert [type(m).__name__ for m in out["messages"]] == [
        "HumanMessage",
        "AIMessage",
        "ToolMessage",
        "AIMessage",
    ]
    assert "mud" not in str(out["messages"])
    assert tools.calls == ["gold"]


def test_judge_only_text_reaches_no_request(run: Any, tools: Any) -> None:
    rubric = Rubric(criteria=(Criterion(id="s", text="the hidden gold standard", visibility="judge_only"),))
    model = ScriptedModel(script=["no", "still no"])
    judge = ScriptedJudge(lambda criterion, action: "unmet")
    out = run.ask(guided(model, tools, rubric, judge=judge))
    assert len(model.requests) == 2
    assert "hidden" not in str(model.requests)
    assert "hidden" not in str(out["messages"])


def test_the_request_keeps_its_prefix_from_step_to_step(run: Any, tools: Any, ours: Any) -> None:
    model = ScriptedModel(script=[call("search", query=f"Ouagadougou {n}") for n in range(3)] + ["x"] * 2)
    run.ask(
        create_agent(model, tools.all, system_prompt="Be brief.", middleware=[CoReActMiddleware()]), QUESTION
    )
    for before, after in zip(model.requests, model.requests[1:], strict=False):
        kept = [m for m in before if not ours([m])]
        assert list(after[: len(kept)]) == kept


@pytest.mark.parametrize(
    "settings", [{"enabled": False}, {"enabled": False, "on_unmet": "ask", "candidates": 4}]
)
def test_off_is_the_plain_agent_byte_for_byte(run: Any, tools: Any, as_sent: Any, settings: Any) -> None:
    script = [call("search", query="mud"), call("delete", path="a"), "done"]
    made, outs = [], []
    for middleware in ([], [CoReActMiddleware(**settings)]):
        model = ScriptedModel(script=script)
        agent = create_agent(model, tools.all, system_prompt="Be brief.", middleware=middleware)
        outs.append(run.ask(agent))
        made.append(model)
    assert as_sent(made[0]) == as_sent(made[1])
    assert made[0].bound == made[1].bound
    assert STATUS_KEY not in outs[1]


def test_an_exhausted_budget_sends_the_plain_agents_requests(run: Any, tools: Any, as_sent: Any) -> None:
    script = [call("search", query="mud"), "done"]
    plain, limited = ScriptedModel(script=script), ScriptedModel(script=script)
    run.ask(create_agent(plain, tools.all))
    out = run.ask(guided(limited, tools, limits={"calls": 0}))
    assert as_sent(plain) == as_sent(limited)
    assert (out[STATUS_KEY]["status"], out[STATUS_KEY]["rung"]) == ("off", "plain")


def test_other_middlewares_see_and_keep_their_own_changes(run: Any, tools: Any, want: Any) -> None:
    class Counting(AgentMiddleware[Any, Any, Any]):
        seen = 0

        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            self.seen += 1
            response = handler(request)
            return ExtendedModelResponse(model_response=response, command=Command(update={}))

        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            self.seen += 1
            response = await handler(request)
            return ExtendedModelResponse(model_response=response, command=Command(update={}))

    for order in (1, -1):
        inner, model = (
            Counting(),
            ScriptedModel(script=[call("search", query="mud"), call("search", query="gold"), "x"]),
        )
        middleware = [CoReActMiddleware(generator=ScriptedGenerator(want("gold"))), inner][::order]
        out = run.ask(create_agent(model, tools.all, middleware=middleware))
        assert out[STATUS_KEY]["step"] == 1
        assert inner.seen == (3 if order == 1 else 2), "inside it sees every attempt, outside every decision"


# --- status --------------------


def test_the_status_is_public_and_says_what_happened(run: Any, tools: Any, want: Any) -> None:
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="dust"), "done"])
    agent = create_agent(
        model, tools.all, middleware=[CoReActMiddleware(generator=ScriptedGenerator(want("gold", "ore")))]
    )
    seen = [part[STATUS_KEY] for part in run.stream(agent, stream_mode="values") if STATUS_KEY in part]
    first, last = seen[0], seen[-1]
    assert (first["status"], first["score"], first["judged"], first["total"]) == ("unmet", 0.0, 2, 2)
    assert (first["attempts"], first["step"], len(first["unmet"])) == (2, 0, 2)
    assert (last["status"], last["score"], last["step"]) == ("unknown", None, 1)
    assert (last["run_score"], last["run_judged"]) == (0.0, 1)
    assert last["spent"]["calls"] == 3  # two rubrics, one retry
    assert last["run"] == first["run"]


def test_the_score_of_a_run_is_the_mean_of_its_judged_steps(
    run: Any, tools: Any, want: Any, only_run: Any, recorder: Any
) -> None:
    script = [call("search", query="gold"), call("search", query="mud"), call("search", query="mud"), "done"]
    out = run.ask(guided(ScriptedModel(script=script), tools, want("gold"), recorder=recorder))
    assert (out[STATUS_KEY]["run_score"], out[STATUS_KEY]["run_judged"]) == (0.5, 2)
    assert only_run().end.score == 0.5


def test_a_failed_generator_stands_in_the_status(run: Any, tools: Any, ours: Any) -> None:
    for fallback, generator_calls in (("heuristic", "panel"), ("none", "panel")):
        model = ScriptedModel(script=["no", "no"])
        failing = ScriptedGenerator(ValueError("nonsense"))
        out = run.ask(
            create_agent(
                model, tools.all, middleware=[CoReActMiddleware(generator=failing, fallback=fallback)]
            )
        )
        status = out[STATUS_KEY]
        assert status["errors"] == ["GenerationError: Generator 'scripted' raised ValueError: nonsense."]
        assert status["rung"] == generator_calls
        assert (status["status"] == "off") == (fallback == "none")
        assert bool(ours(model.requests[0])) == (fallback == "heuristic"), "never an empty block"


def test_the_last_good_rubric_of_the_run_is_used(run: Any, tools: Any, want: Any, ours: Any) -> None:
    generator = ScriptedGenerator(want("gold"), GenerationError("gone", generator="g"))
    model = ScriptedModel(script=[call("search", query="gold"), call("search", query="gold ore"), "done"])
    agent = create_agent(
        model, tools.all, middleware=[CoReActMiddleware(generator=generator, fallback="last_good")]
    )
    out = run.ask(agent)
    assert [len(ours(request)) for request in model.requests] == [1, 1, 1]
    assert out[STATUS_KEY]["errors"] == ["GenerationError: gone"]


@pytest.mark.parametrize("bad", [None, "1. be good", ("x", 1)])
def test_a_generator_that_returns_no_rubric_is_a_failed_one(run: Any, tools: Any, bad: Any) -> None:
    class Careless:
        id = "careless"

        def write(self, state: Any) -> Any:
            return bad

        async def awrite(self, state: Any) -> Any:
            return bad

    out = run.ask(guided(ScriptedModel(script=["x", "x"]), tools, generator=Careless(), fallback="none"))
    assert "careless" in out[STATUS_KEY]["errors"][0]


def test_a_judge_that_forgets_a_criterion_is_a_failed_one(run: Any, tools: Any) -> None:
    class Forgetful(ScriptedJudge):
        def judge(self, criteria: Any, action: Any, state: Any) -> Any:
            return super().judge(criteria[:1], action, state)

    rubric = Rubric(criteria=(Criterion(id="a", text="A."), Criterion(id="b", text="B.")))
    judge = Forgetful(lambda criterion, action: "met")
    out = run.ask(guided(ScriptedModel(script=["x"]), tools, rubric, judge=judge))
    assert out[STATUS_KEY]["status"] == "unknown"
    assert "asked about ['a', 'b'] and answered about ['a']" in out[STATUS_KEY]["errors"][0]


# --- policies --------------------


def test_block_answers_the_call_with_the_feedback(run: Any, tools: Any, want: Any) -> None:
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="dust"), "done"])
    out = run.ask(guided(model, tools, want("gold"), on_unmet="block"))
    assert tools.calls == []
    (result,) = [m for m in out["messages"] if isinstance(m, ToolMessage)]
    assert (result.status, result.name) == ("error", "search")
    assert "not run" in result.text
    assert '"gold"' in result.text


def test_allow_runs_the_best_attempt_and_marks_it(run: Any, tools: Any, want: Any) -> None:
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="dust"), "done"])
    parts = run.stream(guided(model, tools, want("gold")), stream_mode="values")
    assert tools.calls == ["mud"]
    assert "unmet" in [part[STATUS_KEY]["status"] for part in parts if STATUS_KEY in part]


def test_unknown_can_be_blocked(run: Any, tools: Any) -> None:
    rubric = Rubric(criteria=(Criterion(id="t", text="Tasteful."),))
    model = ScriptedModel(script=[call("search", query="gold"), "done"])
    run.ask(guided(model, tools, rubric, judge=ScriptedJudge(TimeoutError("slow")), on_unknown="block"))
    assert tools.calls == []


def test_parallel_calls_only_the_bad_one_is_returned(
    run: Any, tools: Any, want: Any, only_run: Any, recorder: Any
) -> None:
    both = AIMessage(
        "",
        tool_calls=[
            {"name": "search", "args": {"query": "gold"}, "id": "1"},
            {"name": "search", "args": {"query": "mud"}, "id": "2"},
        ],
    )
    out = run.ask(guided(ScriptedModel(script=[both, "done"]), tools, want("gold"), recorder=recorder))
    assert tools.calls == ["gold"]
    results = {m.tool_call_id: m for m in out["messages"] if isinstance(m, ToolMessage)}
    assert results["1"].text == "Found gold."
    assert results["2"].status == "error"
    assert {o.call_id: o.blocked for o in only_run().observations} == {"1": False, "2": True}


@pytest.mark.parametrize("settings", [{}, {"on_unmet": "block", "on_unknown": "block"}])
def test_only_a_middleware_that_may_ask_costs_a_graph_node(tools: Any, settings: Any) -> None:
    nodes = lambda **s: set(guided(ScriptedModel(), tools, **s).get_graph().nodes)  # noqa: E731
    assert nodes(**settings) == {"__start__", "model", "tools", "__end__"}
    for key in ("on_unmet", "on_unknown"):
        assert "CoReActMiddleware.after_model" in nodes(**{key: "ask"})


def test_a_subclass_that_could_never_ask_is_refused() -> None:
    class Mine(CoReActMiddleware):
        pass

    assert Mine(on_unmet="block").settings.on_unmet == "block"
    with pytest.raises(ConfigError, match="cannot ask"):
        Mine(on_unmet="ask")


def test_an_asking_middleware_can_be_copied() -> None:
    assert isinstance(copy.copy(CoReActMiddleware(on_unmet="ask")), CoReActMiddleware)


# --- settings --------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"retrys": 2}, "Did you mean 'retries'"),
        ({"candidate": 2}, "Did you mean 'candidates'"),
        ({"zzz": 1}, "Settings are: retries"),
        ({"retries": -1}, "'retries'"),
        ({"on_unmet": "explode"}, "'on_unmet'"),
        ({"limits": {"call": 1}}, "limits.call"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_suggestion(settings: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CoReActMiddleware(**settings)
    assert said in str(caught.value)


# --- control flow and errors --------------------


class Stop(GraphBubbleUp):
    """Control flow of the host: not an error."""


@pytest.mark.parametrize("where", ["tool", "judge", "generator", "model"])
def test_control_flow_passes_through_and_is_no_failure(run: Any, where: str, store: Any, want: Any) -> None:
    @tool
    def search(query: str) -> str:
        """Search the corpus."""
        raise Stop

    rubric = Rubric(criteria=(Criterion(id="t", text="Tasteful."),))
    model = ScriptedModel(script=[Stop() if where == "model" else call("search", query="gold")])
    middleware = CoReActMiddleware(
        generator=ScriptedGenerator(Stop() if where == "generator" else rubric),
        judge=ScriptedJudge(Stop() if where == "judge" else lambda criterion, action: "met"),
        recorder=Recorder(store),
    )
    agent = create_agent(model, [search], middleware=[middleware])
    with suppress(Stop):
        run.ask(agent)
    (summary,) = store.runs()
    trajectory = store.trajectory(summary.id)
    assert trajectory.observations == ()
    assert all(step.error is None for step in trajectory.steps)
    assert len(trajectory.steps) == (1 if where == "tool" else 0)
    assert len(model.requests) == (0 if where == "generator" else 1)


def test_a_tools_exception_is_recorded_and_raised(run: Any, recorder: Any, only_run: Any) -> None:
    @tool
    def search(query: str) -> str:
        """Search the corpus."""
        raise LookupError("disk on fire")

    model = ScriptedModel(script=[call("search", query="gold")])
    agent = create_agent(model, [search], middleware=[CoReActMiddleware(recorder=recorder, retries=0)])
    with pytest.raises(LookupError, match="disk on fire"):
        run.ask(agent)
    (seen,) = only_run().observations
    assert (seen.failed, seen.blocked, seen.text) == (True, False, "LookupError: disk on fire")


def test_the_models_own_failure_is_raised_as_in_the_plain_agent(run: Any, tools: Any) -> None:
    with pytest.raises(ConnectionError):
        run.ask(guided(ScriptedModel(script=[ConnectionError("no route")]), tools))


def test_a_model_that_fails_in_the_retry_keeps_the_attempt(run: Any, tools: Any, want: Any) -> None:
    model = ScriptedModel(script=[call("search", query="mud"), ConnectionError("no route"), "done"])
    parts = run.stream(guided(model, tools, want("gold")), stream_mode="values")
    assert tools.calls == ["mud"]
    errors = [part[STATUS_KEY]["errors"] for part in parts if STATUS_KEY in part]
    assert errors[0] == ["ModelCallError: The model failed in a retry: ConnectionError: no route."]


def test_candidates_run_at_once_and_one_may_fail(run: Any, tools: Any, want: Any) -> None:
    script = [call("search", query="mud"), ConnectionError("x"), call("search", query="gold"), "a", "b", "c"]
    model = ScriptedModel(script=script)
    out = run.ask(guided(model, tools, want("gold"), candidates=3))
    assert tools.calls == ["gold"]
    assert len(model.requests) == 6
    assert out["messages"][-1].text in "abc"


def test_malformed_calls_are_rejected_by_the_contract_and_tried_again(run: Any, tools: Any) -> None:
    bad = AIMessage(
        "",
        invalid_tool_calls=[
            {"type": "invalid_tool_call", "id": "1", "name": "search", "args": "{query:", "error": "not JSON"}
        ],
    )
    model = ScriptedModel(script=[bad, call("search", query="Ouagadougou"), "done", "done"])
    out = run.ask(guided(model, tools), QUESTION)
    assert 'no valid JSON: "not JSON"' in model.requests[1][-1].text
    assert tools.calls == ["Ouagadougou"]
    assert not any(isinstance(m, AIMessage) and m.invalid_tool_calls for m in out["messages"])


def test_an_agent_that_only_writes_malformed_calls_ends_as_the_plain_one_does(
    run: Any, tools: Any, recorder: Any, only_run: Any
) -> None:
    bad = AIMessage(
        "",
        invalid_tool_calls=[
            {"type": "invalid_tool_call", "id": "1", "name": "search", "args": "{", "error": "x"}
        ],
    )
    plain = run.ask(create_agent(ScriptedModel(script=[bad]), tools.all))
    out = run.ask(guided(ScriptedModel(script=[bad, bad]), tools, recorder=recorder))
    assert [type(m) for m in out["messages"]] == [type(m) for m in plain["messages"]]
    assert out[STATUS_KEY]["status"] == "unmet"
    assert (only_run().end.status, only_run().end.answer) == ("done", "")


def test_a_call_to_a_tool_that_does_not_exist_is_tried_again(run: Any, tools: Any) -> None:
    model = ScriptedModel(script=[call("serach", query="x"), call("search", query="gold ore"), "x", "x"])
    run.ask(guided(model, tools))
    assert "there is no tool `serach`; there is `search` or `delete`" in model.requests[1][-1].text
    assert tools.calls == ["gold ore"]


# --- data that no provider would accept --------------------


BROKEN_MESSAGES = [
    [HumanMessage("q"), call("search", query="a"), AIMessage("hm")],
    [HumanMessage("q"), ToolMessage("late", tool_call_id="x")],
    [HumanMessage("q"), call("search", id="1", query="a"), ToolMessage("r", tool_call_id="2")],
]


@pytest.mark.parametrize("messages", BROKEN_MESSAGES)
def test_broken_conversations_run_as_in_the_plain_agent(tools: Any, as_sent: Any, messages: Any) -> None:
    plain, model = ScriptedModel(script=["hm"]), ScriptedModel(script=["hm"])
    create_agent(plain, tools.all).invoke({"messages": messages})
    for colour in ("sync", "async"):
        agent = guided(model, tools)
        given = {"messages": messages}
        out = agent.invoke(given) if colour == "sync" else asyncio.run(agent.ainvoke(given))
        assert as_sent(model) == as_sent(plain)
        status = out[STATUS_KEY]
        assert (status["status"], status["rung"]) == ("off", "plain")
        assert status["errors"][0].startswith("MessagesError: ")
        model = ScriptedModel(script=["hm"])


def test_an_orphan_of_an_earlier_turn_is_old_text_and_guidance_stays_on(tools: Any, ours: Any) -> None:
    messages = [HumanMessage("q"), call("search", query="a"), HumanMessage("and?")]
    model = ScriptedModel(script=["hm"])
    out = guided(model, tools, retries=0).invoke({"messages": messages})
    assert out[STATUS_KEY]["errors"] == []
    assert ours(model.requests[0])


def test_a_tool_with_an_unreadable_schema_turns_guidance_off(run: Any, tools: Any, as_sent: Any) -> None:
    nonsense = {"type": "function", "function": {"name": "odd", "parameters": "nonsense"}}
    plain, model = ScriptedModel(script=["hm"]), ScriptedModel(script=["hm"])
    run.ask(create_agent(plain, [*tools.all, nonsense]))
    out = run.ask(create_agent(model, [*tools.all, nonsense], middleware=[CoReActMiddleware()]))
    assert as_sent(model) == as_sent(plain)
    assert out[STATUS_KEY]["errors"][0].startswith("ToolSchemaError: Tool 'odd' has no readable schema")


def test_a_tool_with_a_broken_schema_blames_the_instrument(run: Any) -> None:
    schema = {"type": "object", "title": "odd", "description": "Odd.", "properties": {"q": {"type": "strin"}}}
    odd = StructuredTool(name="odd", description="Odd.", args_schema=schema, func=lambda **given: "fine")
    model = ScriptedModel(script=[call("odd", q="x"), "done"])
    agent = create_agent(model, [odd], middleware=[CoReActMiddleware()])
    parts = run.stream(agent, stream_mode="values")
    assert parts[-1]["messages"][-1].text == "done"
    assert "unknown" in [part[STATUS_KEY]["status"] for part in parts if STATUS_KEY in part]


def test_tools_that_run_at_the_provider_are_left_alone(run: Any, tools: Any) -> None:
    model = ScriptedModel(script=["found it online"])
    there = {"type": "web_search_20250305", "name": "web_search"}
    out = run.ask(create_agent(model, [*tools.all, there], middleware=[CoReActMiddleware(retries=0)]))
    assert out[STATUS_KEY]["errors"] == []
    assert out[STATUS_KEY]["status"] != "off"


# --- several runs --------------------


def test_a_summary_in_place_of_the_question_does_not_end_the_run(
    run: Any, tools: Any, store: Any, recorder: Any
) -> None:
    script = [call("search", query=f"gold {n}") for n in range(6)] + ["done", "done"]
    middleware = [
        SummarizationMiddleware(
            ScriptedModel(script=lambda _: "S."), trigger=("messages", 6), keep=("messages", 3)
        ),
        CoReActMiddleware(recorder=recorder),
    ]
    out = run.ask(create_agent(ScriptedModel(script=script), tools.all, middleware=middleware))
    assert any(m.additional_kwargs.get("lc_source") == "summarization" for m in out["messages"])
    (summary,) = store.runs()
    assert summary.status == "done"
    assert [step.index for step in store.trajectory(summary.id).steps] == list(range(summary.steps))


def script_by_question(messages: list[Any]) -> Any:
    """Search for the number of the question badly, then well, then answer with it."""
    number = next(m.text for m in messages if isinstance(m, HumanMessage)).split()[-1]
    if isinstance(messages[-1], ToolMessage) or any(isinstance(m, ToolMessage) for m in messages):
        found = next(m.text for m in messages if isinstance(m, ToolMessage))
        return f"answer {number}: {found}"
    told = sum(m.additional_kwargs.get("lc_source") == "coreact" for m in messages) == 2
    return call("search", query=f"gold {number}" if told else f"mud {number}")


def check_apart(outs: list[Any], store: InMemoryTraceStore) -> None:
    assert len({out[STATUS_KEY]["run"] for out in outs}) == len(outs)
    for number, out in enumerate(outs):
        assert out["messages"][-1].text == f"answer {number}: Found gold {number}."
        trajectory = store.trajectory(out[STATUS_KEY]["run"])
        assert trajectory.run.question == f"Question {number}"
        assert [len(step.attempts) for step in trajectory.steps] == [2, 1]
        assert [o.text for o in trajectory.observations] == [f"Found gold {number}."]
        assert trajectory.end is not None
        assert trajectory.end.answer.startswith(f"answer {number}:")


def test_threads_on_one_agent_keep_apart(tools: Any, want: Any, store: Any, recorder: Any) -> None:
    agent = guided(ScriptedModel(script=script_by_question), tools, want("gold"), recorder=recorder)
    with ThreadPoolExecutor(8) as pool:
        asked = lambda n: agent.invoke({"messages": [("user", f"Question {n}")]})  # noqa: E731
        check_apart(list(pool.map(asked, range(16))), store)


async def test_tasks_on_one_agent_keep_apart(tools: Any, want: Any, store: Any, recorder: Any) -> None:
    agent = guided(ScriptedModel(script=script_by_question), tools, want("gold"), recorder=recorder)
    asked = [agent.ainvoke({"messages": [("user", f"Question {n}")]}) for n in range(50)]
    check_apart(await asyncio.gather(*asked), store)


def test_more_runs_at_once_than_sessions_are_kept(
    tools: Any, want: Any, store: Any, recorder: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("coreact.guide.session._SESSIONS", 2)
    agent = guided(ScriptedModel(script=script_by_question), tools, want("gold"), recorder=recorder)
    with ThreadPoolExecutor(8) as pool:
        asked = lambda n: agent.invoke({"messages": [("user", f"Question {n}")]})  # noqa: E731
        check_apart(list(pool.map(asked, range(8))), store)
