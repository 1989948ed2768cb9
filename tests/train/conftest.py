"""A real agent for demonstrations, its own proposals as points, and points that are made by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool

from coreact import CoReActMiddleware
from coreact.cli.recipes import load_agent
from coreact.rubric import Action, State, ToolCall, ToolContract
from coreact.rubric.branching import BranchingPoint, Candidate
from coreact.rubric.state import Observation, Step
from coreact.train.branch.collecting import CollectSettings, collect_live
from coreact.train.branch.environment import WorldEnvironment
from coreact.train.branch.labelling import Measured
from coreact.train.branch.looking import Looker, Teacher
from coreact.train.branch.policies import Policies
from coreact.train.branch.roll_in import RollIn, Schedule
from coreact.train.branch.sampling import ModelSampler, Policy
from coreact.train.points import read_points
from coreact.worlds import Question, World, gazetteer
from coreact.worlds.searcher import StochasticSearcher


@pytest.fixture(scope="session")
def world() -> World:
    return gazetteer()


OwnProposals = Callable[[Sequence[Question], Path], list[BranchingPoint]]


@pytest.fixture(scope="session")
def own_proposals(world: World) -> OwnProposals:
    """Collects what the scripted searcher proposes, twelve times at each decision it comes to by itself."""

    def collected(questions: Sequence[Question], folder: Path) -> list[BranchingPoint]:
        environment = WorldEnvironment(world)
        searcher = StochasticSearcher(world=world, heed=0)
        looker = Looker(
            [ModelSampler(searcher, "searcher", temperatures=[at / 10 for at in range(1, 13)])],
            labeller=Measured(environment),
            teacher=Teacher(Policy("ideal", Policies(environment).ideal)),
            k=12,
        )
        settings = CollectSettings(roll_in=RollIn(rule="teacher", beta=Schedule.constant(0)), seed=3)
        ids = [question.id for question in questions]
        asyncio.run(collect_live(environment, ids, folder, looker=looker, settings=settings))
        return [point for point in read_points(folder) if point.has_contrast]

    return collected


class Toy:
    """States and points of an agent that can only search, made by hand."""

    def state(
        self, *observed: str, question: str = "Which river flows through the birthplace of Carla Diaz?"
    ) -> State:
        """A state after searches for the name in the question, each of which observed a text."""
        search = ToolContract(
            name="search",
            description="Find passages.",
            parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
            role="search",
            read_only=True,
        )
        found = State.start(question, tools=(search,), limit=4)
        for text in observed:
            call = ToolCall(name="search", arguments={"query": "Carla Diaz"})
            found = found.after(Step(call=call, observation=Observation(text=text)))
        return found

    def point(
        self, worth: Mapping[str, float | tuple[float, int]], at: State | None = None
    ) -> BranchingPoint:
        """Searches, or answers (`answer: …`), each with its gain and, if told, how often it was proposed."""
        candidates = []
        for text, told in worth.items():
            gain, proposed = told if isinstance(told, tuple) else (told, 1)
            answer = text.removeprefix("answer: ")
            call = ToolCall(name="search", arguments={"query": text})
            action = Action(call=call) if answer == text else Action(answer=answer)
            candidates.append(Candidate(action=action, gain=gain, proposed=proposed))
        return BranchingPoint(
            id="p", question_id="q", world="toy", state=at or self.state(), candidates=tuple(candidates)
        )


@pytest.fixture(scope="session")
def toy() -> Toy:
    return Toy()


@pytest.fixture(scope="session")
def build() -> Any:
    recipe = load_agent("react")

    def agent(model: BaseChatModel, tools: Sequence[BaseTool], guided: bool, tool_calls: int) -> Any:
        middleware = [CoReActMiddleware(step_budget=tool_calls)] if guided else []
        return recipe.build(model, tools, middleware=middleware, tool_calls=tool_calls)

    return agent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "searcher"
