"""Prompts of collected states are, byte for byte, what a running agent's generator is sent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, get_args

import pytest
from coreact_tools import corpus_tools
from langchain_core.messages import AIMessage

from coreact.cli.recipes import load_agent
from coreact.generate.prompt import Form
from coreact.generate.prompted import PromptedGenerator
from coreact.guide import CoReActMiddleware
from coreact.rubric import State
from coreact.testing.scripted import ScriptedModel, call
from coreact.train.branch.collecting import CollectSettings, collect_live
from coreact.train.branch.environment import LIMIT, SYSTEM, WorldEnvironment
from coreact.train.branch.guesses import Guesses
from coreact.train.branch.labelling import Measured
from coreact.train.branch.looking import Looker
from coreact.train.branch.policies import Policies
from coreact.train.branch.roll_in import RollIn
from coreact.train.branch.sampling import Policy
from coreact.train.points import read_points
from coreact.train.rows import prompt_messages
from coreact.worlds import Corpus, World, gazetteer


@pytest.fixture(scope="module")
def world() -> World:
    return gazetteer()


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Points of a question, collected live, with every number of steps behind them."""
    environment, folder = WorldEnvironment(world), tmp_path_factory.mktemp("live")
    guesses = Guesses(2)
    samplers = [Policy("scripted", Policies(environment).of), Policy(guesses.id, guesses.of)]
    settings = CollectSettings(roll_in=RollIn(rule="random"))
    ids = [question.id for question in world.questions[:1]]
    looker = Looker(samplers, labeller=Measured(environment))
    asyncio.run(collect_live(environment, ids, folder, looker=looker, settings=settings))
    return folder


def sent(world: World, state: State, form: Form) -> list[list[str]]:
    """What the generator of an agent is sent at each decision, if the agent makes the calls of a state."""
    script: list[Any] = [
        call(step.call.name, id=f"r{at}", **step.call.arguments) for at, step in enumerate(state.steps)
    ]
    writer = ScriptedModel(script=lambda _: AIMessage("Nothing of use."))
    agent = load_agent("react").build(
        ScriptedModel(script=[*script, AIMessage("So.")]),
        corpus_tools(Corpus(world.passages))[:1],
        middleware=[
            CoReActMiddleware(generator=PromptedGenerator(writer, form=form), retries=0, step_budget=LIMIT)
        ],
        tool_calls=LIMIT,
    )
    agent.invoke({"messages": [("user", state.question)]})
    asked = [[str(message.content) for message in request] for request in writer.requests]
    return [texts for texts in asked if "An earlier reply" not in texts[-1]]


@pytest.mark.parametrize("form", get_args(Form))
def test_states_of_live_runs_ask_as_a_running_agent_does(world: World, folder: Path, form: Form) -> None:
    points = [point for point in read_points(folder) if point.question_id == world.questions[0].id]
    assert [len(point.state.steps) for point in points] == [0, 1, 2, 3]
    assert {point.state.given for point in points} == {(SYSTEM,)}
    rows = [[one["content"] for one in prompt_messages(point.state, form)] for point in points]
    assert sent(world, points[-1].state, form) == rows


def test_the_system_prompt_is_that_of_the_agent() -> None:
    agent = load_agent("react")
    assert (SYSTEM, LIMIT) == (agent.PROMPT, agent.TOOL_CALLS)
