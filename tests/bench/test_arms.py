"""The arms: each builds and runs within the budget, and a control is what it says it is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from langchain.agents.middleware import ModelRequest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable

from coreact.bench.arms import (
    BASELINES,
    GENERATORS,
    GUIDED,
    PLAIN,
    PLUGGED,
    SAMPLE_TEMPERATURE,
    arms_named,
    known_arms,
    sampled,
)
from coreact.bench.arms.chance import RandomChoice
from coreact.bench.arms.guided import TRAINED
from coreact.bench.arms.placebo import PlaceboGenerator
from coreact.bench.arms.within import REFUSED
from coreact.bench.records import Setup
from coreact.bench.writers import EMBEDDED_CHARS, TOKENS, prompted
from coreact.cli.recipes import load_agent
from coreact.errors import ConfigError
from coreact.generate import HeuristicGenerator
from coreact.generate.prompted import PromptedGenerator
from coreact.guide.wording import guidance as worded
from coreact.local import LocalChatModel
from coreact.rubric import State
from coreact.testing import ScriptedModel, call

USAGE = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}


def reply(text: str) -> str:
    """A writer's reply whose criteria all say the same, so that one is left."""
    one = {"text": text, "check": None, "weight": 1}
    return json.dumps({"first": one, "second": one, "third": one, "fourth": None, "fifth": None})


class Both(ScriptedModel):
    """An agent that searches twice and answers, and a writer of rubrics."""

    written: list[str] = []  # noqa: RUF012 - pydantic copies it
    guided: list[str] = []  # noqa: RUF012
    rubric: str = reply("Answer with a call of the tool search.")

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        return self.bind()

    def _reply(self, messages: list[BaseMessage]) -> AIMessage:
        self.requests.append(tuple(messages))
        if messages[0].text != "Search before you answer.":
            self.written.append("x")
            return AIMessage(self.rubric, usage_metadata=USAGE)
        if "Answer with a call" in " ".join(str(message.text) for message in messages):
            self.guided.append("x")
        done = sum(isinstance(message, ToolMessage) for message in messages)
        reply = (
            AIMessage("Nobody knows.")
            if done >= 2
            else call("search", query=f"capital {done}", id=f"c{done}")
        )
        return reply.model_copy(update={"usage_metadata": USAGE})


def every_arm() -> list[str]:
    return list(known_arms(lambda name: load_agent(name).build))


@pytest.mark.parametrize("name", every_arm())
def test_every_arm_runs_within_the_budget(bench: Any, name: str) -> None:
    (outcome,) = bench.outcomes(name, n=1, tool_calls=4)
    assert outcome.excluded is None, outcome.episode.error
    assert outcome.episode.error is None
    assert outcome.episode.usage.tool_calls <= 4
    assert outcome.episode.usage.model_calls >= 1
    assert [found.tool for found in outcome.episode.found] == ["search"] * outcome.episode.usage.tool_calls


def test_the_plain_arm_asks_what_the_plain_agent_asks(bench: Any) -> None:
    model, alone = Both(), Both()
    bench.model = lambda seed: model
    (outcome,) = bench.outcomes(PLAIN, n=1, tool_calls=2)
    agent = load_agent("react").build(alone, bench.suite.tools(), tool_calls=2)
    agent.invoke({"messages": [{"role": "user", "content": bench.suite.tasks[0].prompt}]})
    assert said(model) == said(alone)
    assert outcome.episode.usage.model_calls == len(alone.requests)


def said(model: ScriptedModel) -> list[list[dict[str, Any]]]:
    drop = {"id", "response_metadata"}
    return [[message.model_dump(exclude=drop) for message in request] for request in model.requests]


def test_one_shot_rag_searches_once_on_the_bare_question_and_sees_as_much_as_the_others(bench: Any) -> None:
    (outcome,) = bench.outcomes("one-shot rag", n=1, tool_calls=3)
    assert outcome.episode.usage.tool_calls == 1
    assert len(outcome.episode.documents) == 9
    called = next(m for m in outcome.episode.messages if m["type"] == "ai")
    assert called["data"]["tool_calls"][0]["args"] == {"query": bench.suite.tasks[0].prompt}


def test_the_placebo_says_nothing_at_the_same_length() -> None:
    state = State.start("Which currency is used in the country whose capital is Ouagadougou?")
    real, empty = HeuristicGenerator().write(state).rubric, PlaceboGenerator().write(state).rubric
    assert len(real.criteria) == len(empty.criteria)
    for one, other in zip(real, empty, strict=True):
        assert len(other.text.split()) == len(one.text.split())
        assert (other.check, other.veto, other.weight) == (None, False, one.weight)
    assert len(worded(empty).split()) == len(worded(real).split())
    assert "Ouagadougou" not in worded(empty)


def test_the_placebo_stands_where_guidance_stands_and_rejects_nothing(bench: Any) -> None:
    models = [Both(), Both()]
    given = iter(models)
    bench.model = lambda seed: next(given)
    bench.outcomes("rubric only", "placebo", n=1, tool_calls=2)
    real, empty = (model.requests for model in models)
    assert [len(request) for request in real] == [len(request) for request in empty]
    assert "The next step is" in str(empty[0][-1].text)
    assert isinstance(empty[0][-1], type(real[0][-1]))


def test_chance_spends_what_best_of_three_spends_and_looks_at_nothing(bench: Any) -> None:
    best, chance = bench.outcomes("best of 3", "random of 3", n=1)
    assert (best.arm, chance.arm) == ("best of 3", "random of 3")
    steps = sum(message["type"] == "ai" for message in chance.episode.messages)
    assert chance.episode.usage.model_calls == 3 * steps
    taken = [o.episode.answer for o in bench.outcomes("random of 3")]
    assert len(set(taken)) > 1


def test_samples_differ_by_seed_and_the_first_is_the_model_itself() -> None:
    def setup(model: Any) -> Setup:
        return Setup(model=model, tools=[], tools_showing=lambda k: [], tool_calls=1, seed=5, writer=model)

    cold = LocalChatModel(base_url="http://127.0.0.1:9")
    assert sampled(setup(cold), 0) is cold
    first, second = sampled(setup(cold), 1), sampled(setup(cold), 2)
    assert isinstance(first, LocalChatModel)
    assert isinstance(second, LocalChatModel)
    assert first.seed != second.seed
    assert first.temperature == second.temperature == 0.8
    warm = sampled(setup(cold.model_copy(update={"temperature": 0.3})), 1)
    assert isinstance(warm, LocalChatModel)
    assert warm.temperature == 0.3


def candidates_of(bench: Any, name: str, model: ScriptedModel) -> Counter[tuple[int, float]]:
    """How often an arm asked with each seed and temperature."""
    asked: Counter[tuple[int, float]] = Counter()

    class Seeded(Both):
        seed: int = 0
        temperature: float = 0.0

        def _reply(self, messages: list[BaseMessage]) -> AIMessage:
            asked[self.seed, self.temperature] += 1
            return super()._reply(messages)

    bench.model = lambda seed: Seeded(seed=seed)
    bench.outcomes(name, n=1, tool_calls=2)
    return asked


@pytest.mark.parametrize("name", ["best of 3", "random of 3"])
def test_candidates_of_a_model_with_a_seed_are_three_and_not_one_three_times(bench: Any, name: str) -> None:
    asked = candidates_of(bench, name, Both())
    assert len({seed for seed, _ in asked}) == 3
    assert set(asked.values()) == {3}  # two searches and the answer
    assert {temperature for seed, temperature in asked if seed} == {SAMPLE_TEMPERATURE}


@pytest.mark.parametrize("name", ["plain", "guided", "constrained"])
def test_who_asks_once_asks_with_the_seed_of_the_episode(bench: Any, name: str) -> None:
    assert set(candidates_of(bench, name, Both())) == {(0, 0.0)}


def test_chance_favours_no_candidate_over_the_questions() -> None:
    chance = RandomChoice(3, seed=0)
    taken = {
        chance._one(["a", "b", "c"], ModelRequest(model=Both(), messages=[HumanMessage(f"Question {at}?")]))  # type: ignore[list-item]
        for at in range(20)
    }
    assert len(taken) == 3


class AtOnce(ScriptedModel):
    """Makes three calls in each message, until it may make none."""

    def bind_tools(self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any) -> Any:
        return self.bind(tool_choice=tool_choice)

    def _generate(self, messages: list[BaseMessage], *_: Any, tool_choice: Any = None, **__: Any) -> Any:
        calls = [
            {
                "name": "search",
                "args": {"query": f"capital {len(messages)} {at}"},
                "id": f"c{at}",
                "type": "tool_call",
            }
            for at in range(3)
        ]
        reply = AIMessage("Nobody knows.") if tool_choice == "none" else AIMessage("", tool_calls=calls)
        return ChatResult(
            generations=[ChatGeneration(message=reply.model_copy(update={"usage_metadata": USAGE}))]
        )


@pytest.mark.parametrize("name", [name for name in every_arm() if not name.startswith("tree search")])
def test_calls_made_at_once_that_do_not_fit_are_refused_alike_and_exclude_nobody(
    bench: Any, name: str
) -> None:
    bench.model = lambda seed: AtOnce()
    (outcome,) = bench.outcomes(name, n=1, tool_calls=4)
    assert outcome.excluded is None, outcome.episode.error
    assert 1 <= outcome.episode.usage.tool_calls <= 4
    if name in ("plain", "guided"):
        told = [m["data"]["content"] for m in outcome.episode.messages if m["type"] == "tool"]
        assert [text == REFUSED for text in told] == [False] * 4 + [True] * 2


def test_gap_driven_rag_searches_again_for_what_is_missing_and_sees_no_more(bench: Any) -> None:
    gap, one = bench.outcomes("gap-driven rag", "one-shot rag", n=1, tool_calls=4)
    assert gap.episode.usage.tool_calls == 2
    assert sum(len(found.documents) for found in gap.episode.found) == len(one.episode.documents) == 12
    first, second = (m["data"]["tool_calls"][0]["args"]["query"] for m in gap.episode.messages[1:5:2])
    assert first == bench.suite.tasks[0].prompt
    assert second != first
    (alone,) = bench.outcomes("gap-driven rag", n=1, tool_calls=1, folder=bench.folder.with_name("alone"))
    assert alone.episode.usage.tool_calls == 1


def test_gap_driven_rag_finds_second_hops_that_one_search_does_not(bench: Any) -> None:
    found = bench.outcomes("gap-driven rag", "one-shot rag", tool_calls=4)
    shares = {
        name: sum(o.metrics["gold_share"] for o in found if o.arm == name) for name in {o.arm for o in found}
    }
    assert shares["gap-driven rag"] > shares["one-shot rag"]


# --- the ablation ---------------------------------------------------------------------------------


def test_every_rubric_source_runs_with_and_without_verification() -> None:
    retries = {name: settings["retries"] for name, (_, settings) in GUIDED.items()}
    pairs = {
        "guided": "rubric only",
        "untrained": "untrained rubric only",
        "gated": "gated rubric only",
        "trained": "trained rubric only",
    }
    for verified, unverified in pairs.items():
        assert (retries[verified], retries[unverified]) == (2, 0)
    used = {settings.get("generator", "prompted") for _, settings in GUIDED.values()}
    assert used <= {*GENERATORS, TRAINED}
    assert not any("," in name for name in every_arm())  # the command line parts them there


def test_every_baseline_is_there_with_and_without_a_rubric() -> None:
    names = every_arm()
    assert all(name in names and name + PLUGGED in names for name in BASELINES)
    assert names[0] == PLAIN
    plain, plugged = arms_named(["vote of 3", "vote of 3+rubric"], lambda name: load_agent(name).build)
    assert "rubric" not in plain.settings
    assert plugged.settings["rubric"] == GUIDED["guided"][1]


def test_an_untrained_writer_guides_and_its_calls_count(bench: Any) -> None:
    model = Both()
    bench.model = lambda seed: model
    plain, untrained = bench.outcomes(PLAIN, "untrained rubric only", n=1, tool_calls=2)
    assert (plain.episode.error, untrained.episode.error) == (None, None)
    assert len(model.written) == len(model.guided) == 3  # two searches and the answer
    assert untrained.episode.usage.model_calls == plain.episode.usage.model_calls + 3
    assert untrained.episode.usage.input_tokens == 7 * untrained.episode.usage.model_calls
    assert untrained.episode.usage.tool_calls == plain.episode.usage.tool_calls == 2


def test_another_model_may_write(bench: Any) -> None:
    model, writer = Both(), Both()
    bench.model = lambda seed: model
    (outcome,) = bench.outcomes("untrained", n=1, tool_calls=2, writer=lambda seed: writer)
    assert outcome.episode.error is None
    assert (len(model.written), len(writer.written) > 0) == (0, True)
    assert outcome.episode.usage.model_calls == len(model.requests) + len(writer.requests)


def test_a_trained_generator_guides_its_arms_and_its_calls_count(bench: Any) -> None:
    model, weights = Both(), Both(rubric='1. [1] Answer with a call of the tool "search".')
    bench.model = lambda seed: model
    generator = PromptedGenerator(weights, form="lines")
    plain, trained = bench.outcomes(PLAIN, "trained rubric only", n=1, tool_calls=2, generator=generator)
    assert trained.episode.error is None
    assert len(weights.written) == len(model.guided) == 3
    assert trained.episode.usage.model_calls == plain.episode.usage.model_calls + 3


def test_an_arm_of_a_trained_generator_needs_one(bench: Any) -> None:
    with pytest.raises(ConfigError, match="Give --generator"):
        bench.outcomes("trained", n=1, generator=None)


def test_what_the_gate_refuses_does_not_guide(bench: Any) -> None:
    model = Both(rubric=reply("Be wise."))
    bench.model = lambda seed: model
    for outcome in bench.outcomes("gated", "gated or heuristic", n=1, tool_calls=2):
        assert outcome.episode.error is None
    assert model.written
    requests = " ".join(str(m.text) for request in model.requests for m in request)
    assert "Be wise" not in requests


def test_a_writer_that_fails_costs_its_calls_and_nothing_else(bench: Any) -> None:
    bench.model = lambda seed: Both(rubric="no JSON")
    plain, untrained = bench.outcomes(PLAIN, "untrained", n=1, tool_calls=2)
    assert untrained.episode.error is None
    assert untrained.episode.usage.tool_calls == plain.episode.usage.tool_calls
    assert untrained.episode.usage.model_calls > plain.episode.usage.model_calls


def test_the_embedded_model_gets_room_for_a_rubric() -> None:
    model = LocalChatModel(base_url="http://127.0.0.1:9")
    small, large = prompted(model), prompted(Both())
    assert small.id != prompted(model, max_chars=EMBEDDED_CHARS - 1).id
    assert small.id == prompted(model, max_chars=EMBEDDED_CHARS).id
    assert model.max_tokens < TOKENS
    assert large.id.startswith("prompted:")


def test_guidance_reaches_the_agent_inside_of_a_baseline(bench: Any) -> None:
    model = Both()
    bench.model = lambda seed: model
    bench.outcomes("vote of 3+rubric", n=1, tool_calls=6)
    last = [request[-1] for request in model.requests]
    assert any(isinstance(one, HumanMessage) and "Next step:" in str(one.text) for one in last)
    model.requests.clear()
    bench.folder = bench.folder.with_name("off")
    bench.outcomes("vote of 3", n=1, tool_calls=6)
    assert not any("Next step:" in str(m.text) for request in model.requests for m in request)


def test_one_shot_rag_without_a_search_is_refused(bench: Any) -> None:
    class Unarmed:
        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

        def tools(self, k: int | None = None) -> Any:
            return [tool.model_copy(update={"metadata": None}) for tool in inner.tools(k)]

    inner = bench.suite
    bench.suite = Unarmed()
    with pytest.raises(ConfigError, match="searches"):
        bench.run("one-shot rag", n=1)


def test_a_budget_that_does_not_go_round_is_refused(bench: Any) -> None:
    with pytest.raises(ConfigError, match="shared by 3 runs"):
        bench.run("vote of 3", n=1, tool_calls=2)
