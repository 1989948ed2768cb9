"""What the record holds after a run: it must be enough to replay, judge again and train on."""

from __future__ import annotations

import asyncio
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware.types import AgentMiddleware
from langchain_core.messages import AIMessage, BaseMessage, messages_from_dict

from coreact.guide import STATUS_KEY, CoReActMiddleware
from coreact.judge import Cost
from coreact.rubric import Criterion, Rubric
from coreact.testing.scripted import ScriptedGenerator, ScriptedJudge, ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder, SQLiteTraceStore

TASTE = Criterion(id="taste", text="Tasteful.")


def with_usage(message: AIMessage, tokens: int) -> AIMessage:
    usage = {"input_tokens": tokens, "output_tokens": 1, "total_tokens": tokens + 1}
    return message.model_copy(update={"usage_metadata": usage})


def a_run(
    run: Any, tools: Any, want: Any, recorder: Recorder, **settings: Any
) -> tuple[ScriptedModel, dict[str, Any]]:
    """A run with a retry, a blocked call, parallel calls and an answer."""
    both = AIMessage(
        "",
        tool_calls=[
            {"name": "search", "args": {"query": "gold ore"}, "id": "a"},
            {"name": "search", "args": {"query": "mud"}, "id": "b"},
        ],
    )
    script = [
        with_usage(call("search", query="mud"), 10),
        with_usage(call("search", query="gold"), 20),
        with_usage(both, 30),
        with_usage(AIMessage("It is here."), 40),
    ]
    model = ScriptedModel(script=script)
    middleware = CoReActMiddleware(
        generator=ScriptedGenerator(want("gold")),
        judge=ScriptedJudge(lambda c, a: "met"),
        recorder=recorder,
        agent="prospector",
        seed=7,
        step_budget=5,
        **settings,
    )
    agent = create_agent(model, tools.all, system_prompt="Be brief.", middleware=[middleware])
    return model, run.ask(agent)


def test_the_record_of_a_run(run: Any, tools: Any, want: Any, recorder: Any, only_run: Any) -> None:
    _, out = a_run(run, tools, want, recorder)
    trajectory = only_run()
    record = trajectory.run
    assert record.id == out[STATUS_KEY]["run"]
    assert (record.question, record.agent, record.seed) == ("Where is gold?", "prospector", 7)
    assert record.settings["step_budget"] == 5
    assert record.version
    first, second, last = trajectory.steps
    assert [step.index for step in trajectory.steps] == [0, 1, 2]
    assert [step.node for step in trajectory.steps] == ["model"] * 3
    assert [step.phase for step in trajectory.steps] == ["early", "early", "middle"]
    assert [step.dispositions for step in trajectory.steps] == [("run",), ("run", "returned"), ("answered",)]
    assert [(a.source, a.selected, a.rejected_by) for a in first.attempts] == [
        ("first", False, "check"),
        ("retry", True, None),
    ]
    assert [len(a.judgements) for a in second.attempts] == [2]
    assert first.rubric is not None
    assert {step.rubric.lock for step in trajectory.steps if step.rubric} == {first.rubric.lock}
    assert all(a.judgements[0].rubric == first.rubric.lock for a in first.attempts)
    assert first.generator == "scripted"
    assert len({step.state_digest for step in trajectory.steps}) == 3
    assert last.chosen is not None
    assert last.chosen.message["data"]["content"] == "It is here."
    seen = sorted(trajectory.observations, key=lambda o: (o.step, o.call_id))
    assert [(o.step, o.call_id, o.text, o.blocked, o.failed) for o in seen][1:] == [
        (1, "a", "Found gold ore.", False, False),
        (1, "b", out["messages"][5].text, True, True),
    ]
    assert trajectory.end is not None
    assert (trajectory.end.status, trajectory.end.answer, trajectory.end.score) == (
        "done",
        "It is here.",
        0.75,
    )


def test_costs_are_those_of_all_attempts(
    run: Any, tools: Any, want: Any, recorder: Any, only_run: Any
) -> None:
    _, out = a_run(run, tools, want, recorder)
    first, second, last = only_run().steps
    assert [a.cost.input_tokens for a in first.attempts] == [10, 20]
    assert (first.cost.input_tokens, first.cost.calls) == (30, 3)  # the rubric counts as a call
    assert (second.cost.input_tokens, second.cost.calls) == (30, 2)
    assert first.cost.seconds > 0
    spent = out[STATUS_KEY]["spent"]
    assert (spent["calls"], spent["input_tokens"]) == (4, 20)  # three rubrics and a retry
    assert last.cost.output_tokens == 11


def test_prompts_are_rebuilt_as_they_were_sent(
    run: Any, tools: Any, want: Any, recorder: Any, only_run: Any, ours: Any
) -> None:
    model, _ = a_run(run, tools, want, recorder)
    trajectory = only_run()
    sent = [model.requests[at] for at in (0, 2, 3)]  # request 1 is the retry of the first decision
    for step, request in zip(trajectory.steps, sent, strict=True):
        rebuilt = messages_from_dict(list(trajectory.prompt(step.index)))
        assert rebuilt == [message for message in request if not ours([message])]
        assert ours(request) == [step.guidance]
    assert [step.prompt_kept for step in trajectory.steps] == [0, 2, 4]
    assert sum(len(step.prompt_added) for step in trajectory.steps) == len(trajectory.prompt(2)), (
        "no message twice"
    )


def test_the_prompt_of_a_rewritten_history_is_recorded_anew(
    run: Any, tools: Any, want: Any, recorder: Any, only_run: Any
) -> None:
    class Masking(AgentMiddleware[Any, Any, Any]):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return handler(request.override(messages=self._masked(request.messages)))

        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            return await handler(request.override(messages=self._masked(request.messages)))

        @staticmethod
        def _masked(messages: list[BaseMessage]) -> list[BaseMessage]:
            old = [m.model_copy(update={"content": "…"}) if m.type == "tool" else m for m in messages[:-1]]
            return [*old, messages[-1]]

    model = ScriptedModel(script=[*(call("search", query=f"gold {n}") for n in range(3)), "done"])
    guided = CoReActMiddleware(generator=ScriptedGenerator(want("gold")), recorder=recorder)
    run.ask(create_agent(model, tools.all, middleware=[Masking(), guided]))
    trajectory = only_run()
    for step, request in zip(trajectory.steps, model.requests, strict=True):
        assert [m["data"]["content"] for m in trajectory.prompt(step.index)] == [
            m.content for m in request[:-1]
        ]
    assert [step.prompt_kept for step in trajectory.steps] == [0, 1, 2, 4]


def test_an_unguided_decision_is_recorded_with_its_error(
    run: Any, tools: Any, recorder: Any, only_run: Any
) -> None:
    odd = {"type": "function", "function": {"name": "odd", "parameters": "nonsense"}}
    model = ScriptedModel(script=[call("search", query="x"), "done"])
    run.ask(create_agent(model, [*tools.all, odd], middleware=[CoReActMiddleware(recorder=recorder)]))
    trajectory = only_run()
    assert [step.rubric for step in trajectory.steps] == [None, None]
    assert all(step.error and step.error.startswith("ToolSchemaError") for step in trajectory.steps)
    assert [step.rung for step in trajectory.steps] == ["plain", "plain"]
    assert trajectory.steps[0].chosen is not None
    assert trajectory.steps[0].chosen.judgements == ()
    assert [o.text for o in trajectory.observations] == ["Found x."]
    assert trajectory.end is not None
    assert trajectory.end.answer == "done"


def test_judge_and_generator_faults_are_on_the_record(
    run: Any, tools: Any, recorder: Any, only_run: Any
) -> None:
    middleware = CoReActMiddleware(
        generator=ScriptedGenerator(Rubric(criteria=(TASTE,))),
        judge=ScriptedJudge(TimeoutError("slow")),
        recorder=recorder,
    )
    run.ask(create_agent(ScriptedModel(script=["x"]), tools.all, middleware=[middleware]))
    (step,) = only_run().steps
    assert step.error == "Judge 'scripted-judge' raised TimeoutError: slow."
    assert step.chosen is not None
    (verdict,) = step.chosen.judgements[0].verdicts
    assert (verdict.status, verdict.fault) == ("unknown", "instrument")
    assert step.cost == Cost(calls=3, output_tokens=10, seconds=step.cost.seconds)  # model, rubric, judge


def test_two_colours_write_the_same_record(tools: Any, want: Any) -> None:
    written = []
    for colour in ("sync", "async"):
        store = InMemoryTraceStore()
        model = ScriptedModel(script=[call("search", query="mud"), call("search", query="gold"), "done"])
        middleware = CoReActMiddleware(generator=ScriptedGenerator(want("gold")), recorder=Recorder(store))
        agent = create_agent(model, tools.all, middleware=[middleware])
        given = {"messages": [("user", "Where is gold?")]}
        _ = agent.invoke(given) if colour == "sync" else asyncio.run(agent.ainvoke(given))
        trajectory = store.trajectory(store.runs()[0].id)
        written.append(
            [
                (
                    step.state_digest,
                    step.rubric,
                    step.guidance,
                    step.dispositions,
                    [a.judgements for a in step.attempts],
                )
                for step in trajectory.steps
            ]
        )
    assert written[0] == written[1]


def test_a_real_store_gives_back_the_same_run(run: Any, tools: Any, want: Any, tmp_path: Any) -> None:
    memory, disk = InMemoryTraceStore(), SQLiteTraceStore(tmp_path / "traces.db")
    recorder = Recorder(memory, listeners=[lambda record: _put(disk, record)])
    a_run(run, tools, want, recorder)
    disk.flush()
    (summary,) = disk.runs()
    assert disk.trajectory(summary.id) == memory.trajectory(summary.id)
    disk.close()


def _put(store: Any, record: Any) -> None:
    kind = type(record).__name__
    put = {"RunRecord": store.start, "StepRecord": store.step, "RunEnd": store.end}
    put.get(kind, store.observation)(record)
