"""`VerifyAnswerMiddleware` in `create_agent`: rounds, best answer, honesty, its neighbours."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelCallLimitMiddleware
from langchain.agents.middleware.types import AgentMiddleware
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from coreact.errors import ConfigError, GenerationError
from coreact.guide import CoReActMiddleware
from coreact.refine import VerifyAnswerMiddleware
from coreact.rubric import AnswerCitesObserved, ArgumentContains, Criterion, Rubric
from coreact.testing.scripted import ScriptedGenerator, ScriptedJudge, ScriptedModel, call

KEY = "answer_check"
THREAD = {"configurable": {"thread_id": "1"}}


def checked(model: ScriptedModel, tools: Any, rubric: Any, judge: Any = None, **options: Any) -> Any:
    saver = options.pop("checkpointer", None)
    middleware = VerifyAnswerMiddleware(rubric, judge, **options)
    return create_agent(model, tools.all, middleware=[middleware], checkpointer=saver)


# --- rounds --------------------


def test_an_accepted_answer_is_judged_once_and_not_revised(
    run: Any, tools: Any, naming: Any, words: Any
) -> None:
    model, judge = ScriptedModel(script=[call("search", query="gold"), "gold"]), words()
    out = run.ask(checked(model, tools, naming("gold"), judge))
    assert judge.asked == [("gold", ("gold",))]
    assert (out[KEY]["status"], out[KEY]["ended"], out[KEY]["answer"]) == ("accepted", "accepted", "gold")
    assert [type(m).__name__ for m in out["messages"]] == [
        "HumanMessage",
        "AIMessage",
        "ToolMessage",
        "AIMessage",
    ]


def test_a_wrong_answer_is_coded_and_right_in_round_two(run: Any, tools: Any, told: Any) -> None:
    rubric = Rubric(
        criteria=(
            Criterion(id="short", text="Is short."),
            Criterion(id="cites", text="Cites what was found.", check=AnswerCitesObserved()),
        ),
        scope="answer",
        threshold=1.0,
    )
    script = [
        call("search", query="gold"),
        "Gold is in the hills, see https://invented.example/x",
        "Gold is in the hills, see https://example.org/gold",
    ]
    judge = ScriptedJudge(lambda criterion, action: "met")
    model = ScriptedModel(script=script)
    out = run.ask(checked(model, tools, rubric, judge))
    assert out["messages"][-1].text == script[2]
    first, second = out[KEY]["rounds"]
    assert (first["passed"], first["failures"]) == (False, ["unfounded_claim"])
    assert (second["passed"], second["failures"]) == (True, [])
    assert out[KEY]["status"] == "accepted"
    (feedback,) = told(model.requests[-1])
    assert "Cites what was found." in feedback
    assert "invented.example" in feedback
    assert "Unfounded claim" in feedback
    assert "Already good, keep it:\n- Is short." in feedback


def test_a_revision_may_use_tools(run: Any, tools: Any, naming: Any, words: Any) -> None:
    model = ScriptedModel(script=["mud", call("search", query="gold"), "gold"])
    out = run.ask(checked(model, tools, naming("gold"), words()))
    assert tools.calls == ["gold"]
    assert [m.text for m in out["messages"] if isinstance(m, AIMessage)] == ["mud", "", "gold"]
    assert out[KEY]["status"] == "accepted"


def test_parallel_calls_are_no_answer(run: Any, tools: Any, naming: Any, words: Any) -> None:
    both = AIMessage(
        "gold, I think",
        tool_calls=[{"name": "search", "args": {"query": q}, "id": q} for q in ("gold", "mud")],
    )
    judge = words()
    run.ask(checked(ScriptedModel(script=[both, "gold"]), tools, naming("gold"), judge))
    assert sorted(tools.calls) == ["gold", "mud"]
    assert len(judge.asked) == 1


def test_a_later_worse_answer_is_not_returned(run: Any, tools: Any, naming: Any, words: Any) -> None:
    model = ScriptedModel(script=["gold and ore", "gold", "mud"])
    out = run.ask(checked(model, tools, naming("gold", "ore", "hill"), words()))
    assert out["messages"][-1].text == "gold and ore"
    assert isinstance(out["messages"][-1], AIMessage)
    assert "mud" not in [m.text for m in out["messages"]]
    check = out[KEY]
    assert (check["status"], check["ended"], check["best"]) == ("unmet", "plateau", 0)
    assert check["answer"] == "gold and ore"
    assert check["score"] == pytest.approx(2 / 3)
    assert [one["answer"] for one in check["rounds"]] == ["gold and ore", "gold", "mud"]


def test_the_next_turn_sees_the_answer_that_was_returned(
    run: Any, tools: Any, naming: Any, words: Any
) -> None:
    model = ScriptedModel(script=["gold", "mud", "dust", "gold ore"])
    agent = checked(model, tools, naming("gold", "ore"), words(), checkpointer=InMemorySaver())
    first = run.ask(agent, config=THREAD)
    second = run.ask(agent, "And silver?", THREAD)
    texts = [m.text for m in model.requests[-1]]
    assert texts[-2:] == ["gold", "And silver?"]
    assert first[KEY]["run"] != second[KEY]["run"]
    assert second[KEY]["status"] == "accepted"
    assert len(second[KEY]["rounds"]) == 1, "rounds of an earlier turn do not count"


def test_a_plateau_ends_the_loop(run: Any, tools: Any, naming: Any, words: Any) -> None:
    model = ScriptedModel(script=["a", "b", "c", "d", "e"])
    out = run.ask(checked(model, tools, naming("gold"), words(), max_rounds=10))
    assert (len(model.requests), out[KEY]["ended"], out[KEY]["best"]) == (3, "plateau", 0)


def test_the_same_words_again_are_not_judged_again(run: Any, tools: Any, naming: Any, words: Any) -> None:
    judge = words()
    out = run.ask(checked(ScriptedModel(script=["mud", "mud"]), tools, naming("gold"), judge))
    assert len(judge.asked) == 1
    assert out[KEY]["ended"] == "plateau"
    assert len(out[KEY]["rounds"]) == 2


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_a_rubric_that_can_never_be_met_ends_the_loop(
    run: Any, tools: Any, naming: Any, words: Any, rounds: int
) -> None:
    letters = iter("abcdefghij")
    model = ScriptedModel(script=lambda messages: next(letters))
    out = run.ask(checked(model, tools, naming("gold"), words(), max_rounds=rounds, patience=99))
    assert len(model.requests) == len(out[KEY]["rounds"]) == rounds
    assert (out[KEY]["status"], out[KEY]["ended"]) == ("unmet", "rounds")


def test_a_revision_that_changes_a_number_nobody_objected_to_is_not_returned(
    run: Any, tools: Any, naming: Any, words: Any, told: Any
) -> None:
    script = [
        "Rainfall is 41 mm. The colour is mud.",
        "Rainfall is 42 mm. The colour is gold.",
        "Rainfall is 41 mm. The colour is gold.",
    ]
    rubric = Rubric(
        criteria=(Criterion(id="gold", text="States the colour."),), scope="answer", threshold=1.0
    )
    model = ScriptedModel(script=script)
    out = run.ask(checked(model, tools, rubric, words()))
    assert out["messages"][-1].text == script[2]
    assert [one["lost"] for one in out[KEY]["rounds"]] == [[], ["41"], []]
    assert "Put back, unchanged:\n- 41" in told(model.requests[-1])[-1]
    out = run.ask(checked(ScriptedModel(script=script[:2]), tools, rubric, words(), max_rounds=2))
    assert out["messages"][-1].text == script[0], "it passed the rubric and lost a number"
    assert (out[KEY]["status"], out[KEY]["best"]) == ("unmet", 0)
    out = run.ask(checked(ScriptedModel(script=script[:2]), tools, rubric, words(), preserve=False))
    assert out["messages"][-1].text == script[1]


def test_judge_only_criteria_reach_no_request(run: Any, tools: Any, words: Any) -> None:
    rubric = Rubric(
        criteria=(
            Criterion(id="secret", text="The secret standard.", visibility="judge_only"),
            Criterion(id="gold", text="Names gold."),
        ),
        scope="answer",
        threshold=1.0,
    )
    model = ScriptedModel(script=["gold", "still gold"])
    out = run.ask(checked(model, tools, rubric, words(), max_rounds=2))
    assert len(model.requests) == 2
    assert "secret" not in str(model.requests) + str(out["messages"])
    assert out[KEY]["rounds"][0]["unmet"] == ["It does not say secret."], "the owner may know"


# --- honesty --------------------


@pytest.mark.parametrize("failure", [RuntimeError("out"), TimeoutError("late")])
def test_a_judge_that_is_out_leaves_the_answer_unverified(
    run: Any, tools: Any, naming: Any, failure: Exception
) -> None:
    model = ScriptedModel(script=["mud"])
    out = run.ask(checked(model, tools, naming("gold"), ScriptedJudge(failure)))
    assert out["messages"][-1].text == "mud"
    assert len(model.requests) == 1, "an outage is no reason to revise"
    assert (out[KEY]["status"], out[KEY]["ended"]) == ("unverified", "unjudged")
    assert (out[KEY]["judged"], out[KEY]["total"]) == (0, 1)
    assert str(failure) in out[KEY]["errors"][0]


def test_a_judge_that_goes_out_later_leaves_the_revision_unverified(
    run: Any, tools: Any, naming: Any
) -> None:
    class Tired(ScriptedJudge):
        def judge(self, criteria: Any, action: Any, state: Any) -> Any:
            if len(self.asked) == 1:
                raise TimeoutError("late")
            return super().judge(criteria, action, state)

    judge = Tired(lambda c, a: "unmet")
    out = run.ask(checked(ScriptedModel(script=["mud", "dust"]), tools, naming("gold"), judge))
    assert out["messages"][-1].text == "dust"
    assert out[KEY]["status"] == "unverified"
    assert out[KEY]["rounds"][0]["passed"] is False


def test_without_a_judge_what_no_check_decides_is_unverified(run: Any, tools: Any, naming: Any) -> None:
    out = run.ask(checked(ScriptedModel(script=["mud"]), tools, naming("gold")))
    assert out[KEY]["status"] == "unverified"
    assert out[KEY]["errors"] == []


def test_a_rubric_is_written_once_a_turn(run: Any, tools: Any, naming: Any, words: Any) -> None:
    generator = ScriptedGenerator(naming("gold"))
    model = ScriptedModel(script=[call("search", query="x"), "mud", "gold"])
    out = run.ask(checked(model, tools, generator, words()))
    assert len(generator.states) == 1
    assert generator.states[0].question == "Where is gold?"
    assert len(generator.states[0].steps) == 1
    assert out[KEY]["rubric"] == naming("gold").lock
    assert out[KEY]["status"] == "accepted"


def test_a_generator_that_fails_leaves_the_answer_unverified(
    run: Any, tools: Any, naming: Any, words: Any
) -> None:
    step = naming("gold").model_copy(update={"scope": "step"})
    for script, said in (
        (GenerationError("no idea", generator="g"), "no idea"),
        (KeyError("oops"), "KeyError"),
        (step, "for a step"),
    ):
        generator = ScriptedGenerator(script)
        out = run.ask(checked(ScriptedModel(script=["mud"]), tools, generator, words()))
        assert out["messages"][-1].text == "mud"
        assert (out[KEY]["status"], out[KEY]["rubric"], out[KEY]["rounds"]) == ("unverified", "", [])
        assert said in out[KEY]["errors"][0]


def test_a_history_that_cannot_be_read_leaves_the_answer_unverified(
    run: Any, tools: Any, naming: Any, words: Any
) -> None:
    judge = words()
    agent = checked(ScriptedModel(script=["gold"]), tools, naming("gold"), judge)
    stray = [("user", "Where is gold?"), ToolMessage("x", tool_call_id="nobody's")]
    out = run(agent, {"messages": stray})
    assert judge.asked == []
    assert out[KEY]["status"] == "unverified"
    assert "MessagesError" in out[KEY]["errors"][0]


def test_what_another_middleware_ends_the_run_with_is_not_vouched_for(
    run: Any, tools: Any, naming: Any, words: Any
) -> None:
    model = ScriptedModel(script=["mud", "gold"])
    middleware = [
        VerifyAnswerMiddleware(naming("gold"), words()),
        ModelCallLimitMiddleware(run_limit=1, exit_behavior="end"),
    ]
    out = run.ask(create_agent(model, tools.all, middleware=middleware))
    assert len(model.requests) == 1
    assert "limit" in out["messages"][-1].text
    assert out[KEY]["status"] == "unverified"
    assert out[KEY]["answer"] == "mud", "the best answer so far can be read from the status"
    assert len(out[KEY]["rounds"]) == 1


def test_what_a_guard_changed_after_judging_is_left_alone(
    run: Any, tools: Any, naming: Any, words: Any
) -> None:
    class Guard(AgentMiddleware[Any, Any, Any]):
        def after_model(self, state: Any, runtime: Any) -> Any:
            last = state["messages"][-1]
            if "secret" in last.text:
                return {"messages": [AIMessage("[removed]", id=last.id)]}
            return None

    guarded = [Guard(), VerifyAnswerMiddleware(naming("gold", "ore"), words())]
    out = run.ask(create_agent(ScriptedModel(script=["gold secret"]), tools.all, middleware=guarded))
    assert out["messages"][-1].text == "[removed]"
    assert out[KEY]["status"] == "unverified"


def test_a_draft_that_a_guard_took_out_is_not_put_back(run: Any, tools: Any, naming: Any, words: Any) -> None:
    class Redact(AgentMiddleware[Any, Any, Any]):
        def before_model(self, state: Any, runtime: Any) -> Any:
            return {
                "messages": [AIMessage("[removed]", id=m.id) for m in state["messages"] if "secret" in m.text]
            }

    middleware = [Redact(), VerifyAnswerMiddleware(naming("gold", "ore"), words(), max_rounds=2)]
    model = ScriptedModel(script=["gold secret", "mud"])
    out = run.ask(create_agent(model, tools.all, middleware=middleware))
    assert "secret" not in str(out["messages"])
    assert out["messages"][-1].text == "mud"
    assert (out[KEY]["best"], out[KEY]["answer"], out[KEY]["score"]) == (1, "mud", 0.0)


def test_a_tool_that_ends_the_run_leaves_nothing_to_verify(
    run: Any, tools: Any, naming: Any, words: Any
) -> None:
    (search,) = tools.all
    search.return_direct = True
    judge = words()
    agent = create_agent(
        ScriptedModel(script=[call("search", query="gold")]),
        [search],
        middleware=[VerifyAnswerMiddleware(naming("gold"), judge)],
    )
    out = run.ask(agent)
    assert judge.asked == []
    assert out[KEY]["status"] == "unverified"
    assert "without an answer" in out[KEY]["errors"][0]


# --- what the judge gets to see --------------------


def test_the_judge_sees_the_trajectory_and_no_earlier_draft(run: Any, tools: Any, naming: Any) -> None:
    states = []

    class Reading(ScriptedJudge):
        def judge(self, criteria: Any, action: Any, state: Any) -> Any:
            states.append(state)
            return super().judge(criteria, action, state)

    judge = Reading(lambda c, a: "met" if a.answer == "gold" else "unmet")
    script = [call("search", query="hills"), "mud", call("search", query="ore"), "gold"]
    middleware = VerifyAnswerMiddleware(naming("gold"), judge)
    agent = create_agent(
        ScriptedModel(script=script), tools.all, middleware=[middleware], system_prompt="Be brief."
    )
    run.ask(agent)
    assert [len(state.steps) for state in states] == [1, 2]
    assert {state.question for state in states} == {"Where is gold?"}
    assert states[1].given == ("Be brief.",)
    assert [(tool.name, tool.role) for tool in states[0].tools] == [("search", "search")]


def test_an_agent_without_tools_can_be_checked(run: Any, naming: Any, words: Any) -> None:
    agent = create_agent(
        ScriptedModel(script=["mud", "gold"]), middleware=[VerifyAnswerMiddleware(naming("gold"), words())]
    )
    assert run.ask(agent)[KEY]["status"] == "accepted"


def test_runs_at_once_on_one_middleware_keep_apart(tools: Any, naming: Any, words: Any) -> None:
    model = ScriptedModel(
        script=lambda messages: "gold" if "not accepted" in messages[-1].text else f"mud {messages[0].text}"
    )
    agent = checked(model, tools, naming("gold"), words())

    async def all_at_once() -> list[Any]:
        questions = [{"messages": [("user", f"Question {n}?")]} for n in range(12)]
        return await asyncio.gather(*(agent.ainvoke(one) for one in questions))

    outs = asyncio.run(all_at_once())
    assert [out[KEY]["rounds"][0]["answer"] for out in outs] == [f"mud Question {n}?" for n in range(12)]
    assert {out[KEY]["status"] for out in outs} == {"accepted"}
    assert len({out[KEY]["run"] for out in outs}) == 12


# --- settings --------------------


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"max_round": 3}, "max_rounds"),
        ({"max_rounds": 0}, "max_rounds"),
        ({"max_rounds": 11}, "max_rounds"),
        ({"patience": 0}, "patience"),
        ({"follow_ups": 4}, "follow_ups"),
    ],
)
def test_wrong_settings_are_named(naming: Any, options: Any, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        VerifyAnswerMiddleware(naming("gold"), **options)


def test_a_rubric_for_steps_is_refused() -> None:
    step = Rubric(
        criteria=(
            Criterion(id="q", text="Search gold.", check=ArgumentContains(argument="query", terms=("gold",))),
        )
    )
    with pytest.raises(ConfigError, match="scope='answer'"):
        VerifyAnswerMiddleware(step)


# --- beside guidance --------------------


@pytest.mark.parametrize("order", [1, -1])
def test_it_works_beside_guidance(
    run: Any, tools: Any, naming: Any, words: Any, recorder: Any, store: Any, order: int
) -> None:
    steps = Rubric(
        criteria=(
            Criterion(id="q", text="Search gold.", check=ArgumentContains(argument="query", terms=("gold",))),
        )
    )
    script = [call("search", query="mud"), call("search", query="gold"), "mud", "gold"]
    guide = CoReActMiddleware(generator=ScriptedGenerator(steps), recorder=recorder)
    verify = VerifyAnswerMiddleware(naming("gold"), words(), recorder=recorder, agent="check")
    agent = create_agent(ScriptedModel(script=script), tools.all, middleware=[guide, verify][::order])
    out = run.ask(agent)
    assert tools.calls == ["gold"]
    assert out["messages"][-1].text == "gold"
    assert out[KEY]["status"] == "accepted"
    assert out["coreact"]["step"] == 2
    runs = {summary.agent: store.trajectory(summary.id) for summary in store.runs()}
    assert set(runs) == {"", "check"}
    assert [step.chosen.actions[0].answer for step in runs[""].steps[1:]] == ["mud", "gold"]
    assert runs[""].end.answer == "gold"
    assert runs["check"].run.parent == runs[""].run.id


@pytest.mark.parametrize("order", [1, -1])
def test_an_answer_a_human_rejected_is_never_the_best(
    run: Any, tools: Any, naming: Any, words: Any, order: int
) -> None:
    from langgraph.types import Command

    taste = Rubric(criteria=(Criterion(id="taste", text="Tasteful."),))
    guide = CoReActMiddleware(
        generator=ScriptedGenerator(taste),
        judge=ScriptedJudge(lambda c, a: "unmet" if "bad" in (a.answer or "") else "met"),
        retries=0,
        on_unmet="ask",
    )
    verify = VerifyAnswerMiddleware(naming("gold", "ore"), words(), max_rounds=1)
    agent = create_agent(
        ScriptedModel(script=["bad gold ore", "mud"]),
        tools.all,
        middleware=[guide, verify][::order],
        checkpointer=InMemorySaver(),
    )
    stopped = run.ask(agent, config=THREAD)
    assert stopped["__interrupt__"]
    out = run(agent, Command(resume={"decisions": [{"type": "reject", "message": "No."}]}), THREAD)
    assert out["messages"][-1].text == "mud"
    assert (out[KEY]["status"], out[KEY]["answer"]) == ("unmet", "mud")


# --- on the trace --------------------


def test_every_round_is_on_the_trace(
    run: Any, tools: Any, naming: Any, words: Any, recorder: Any, only_run: Any
) -> None:
    seen: list[Any] = []
    agent = checked(
        ScriptedModel(script=[call("search", query="x"), "gold", "mud", "dust"]),
        tools,
        naming("gold", "ore"),
        words(),
        recorder=recorder,
        on_round=seen.append,
        agent="miner",
    )
    out = run.ask(agent)
    assert [one.answer for one in seen] == ["gold", "mud", "dust"]
    trajectory = only_run()
    assert trajectory.run.id == out[KEY]["run"]
    assert (trajectory.run.agent, trajectory.run.question) == ("miner", "Where is gold?")
    (step,) = trajectory.steps
    assert step.rubric == naming("gold", "ore")
    assert [a.actions[0].answer for a in step.attempts] == ["gold", "mud", "dust"]
    assert [a.source for a in step.attempts] == ["first", "retry", "retry"]
    assert [a.selected for a in step.attempts] == [True, False, False]
    assert [a.judgements[0].score for a in step.attempts] == [0.5, 0.0, 0.0]
    assert "It does not say ore." in step.attempts[0].reason
    assert [a.feedback for a in step.attempts] == ["", step.attempts[0].reason, step.attempts[1].reason]
    assert step.dispositions == ("answered",)
    assert [m["type"] for m in step.prompt_added] == ["human", "ai", "tool"]
    assert (trajectory.end.answer, trajectory.end.score) == ("gold", 0.5)


def test_a_run_that_dies_leaves_the_rounds_it_made(
    run: Any, tools: Any, naming: Any, words: Any, recorder: Any, only_run: Any
) -> None:
    agent = checked(
        ScriptedModel(script=["mud", RuntimeError("power cut")]),
        tools,
        naming("gold"),
        words(),
        recorder=recorder,
    )
    with pytest.raises(RuntimeError, match="power cut"):
        run.ask(agent)
    assert len(only_run().steps[0].attempts) == 1
    assert only_run().end is None


def test_feedback_is_marked_as_ours(run: Any, tools: Any, naming: Any, words: Any) -> None:
    out = run.ask(checked(ScriptedModel(script=["mud", "gold"]), tools, naming("gold"), words()))
    (feedback,) = [m for m in out["messages"][1:] if isinstance(m, HumanMessage)]
    assert feedback.additional_kwargs["lc_source"] == "coreact"
