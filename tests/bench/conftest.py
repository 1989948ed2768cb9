"""A small suite over the gazetteer, and an experiment on it that needs no model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from coreact_tools import corpus_tools
from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool

from coreact.bench.arms import arms_named
from coreact.bench.experiment import Ended, Experiment, Outcome, Session, run_experiment
from coreact.bench.records import Arm, Episode, Metric, Suite, Task
from coreact.cli.recipes import load_agent
from coreact.generate import HeuristicGenerator
from coreact.worlds import Corpus, Question, World, exact_answer, gazetteer, gold_share
from coreact.worlds.choosing import choose
from coreact.worlds.searcher import StochasticSearcher

SESSION = Session(
    command=("coreact", "bench", "run"), began="2026-01-01T00:00:00+00:00", python="3", packages={}
)


class SmallSuite:
    """Ten two-hop questions; `exact` cannot be told where there is no answer."""

    name = "small"

    def __init__(self, world: World, questions: Sequence[Question]) -> None:
        self.world = world
        self.version = world.version
        self.questions = {question.id: question for question in questions}
        self.tasks = tuple(Task(id=q.id, prompt=q.question) for q in questions)
        self.metrics = (
            Metric(name="gold_share", about="Share of the proving passages found, in [0, 1]."),
            Metric(name="exact", about="1 where the answer is right."),
        )
        self._corpus = Corpus(world.passages)

    def tools(self, k: int | None = None) -> Sequence[BaseTool]:
        return corpus_tools(self._corpus, k=k or 3)[:1]

    def measure(self, task: Task, episode: Episode) -> Mapping[str, float]:
        question = self.questions[task.id]
        figures = {"gold_share": gold_share(episode.documents, question)}
        if episode.answer:
            figures["exact"] = float(exact_answer(episode.answer, question))
        return figures


@pytest.fixture(scope="session")
def small_world() -> World:
    return gazetteer(questions=400)


@pytest.fixture(scope="session")
def small_suite(small_world: World) -> Suite:
    return SmallSuite(small_world, choose(small_world, n=10, seed=0))


@pytest.fixture(scope="session")
def searcher(small_world: World) -> Callable[[int], BaseChatModel]:
    """The scripted searcher, by seed; it heeds half of what it is told."""
    model = StochasticSearcher(world=small_world, heed=0.5)
    return model.with_seed


class Bench:
    """Runs experiments on the small suite."""

    def __init__(self, suite: Suite, model: Callable[[int], BaseChatModel], folder: Path) -> None:
        self.suite = suite
        self.model = model
        self.folder = folder

    def recipes(self, name: str) -> Any:
        return load_agent(name).build

    def experiment(self, *arms: str | Arm, seeds: Sequence[int] = (0,), **settings: Any) -> Experiment:
        made = [
            arm if isinstance(arm, Arm) else arms_named([arm], self.recipes)[0] for arm in arms or ("plain",)
        ]
        ticks = count()
        given: dict[str, Any] = {
            "suite": self.suite,
            "arms": made,
            "tasks": dict.fromkeys(seeds, self.suite.tasks[: settings.pop("n", 10)]),
            "model": self.model,
            "generator": HeuristicGenerator(),
            "tool_calls": 3,
            "folder": self.folder,
            "session": SESSION,
            "clock": lambda: float(next(ticks)),
            "traces": False,
        }
        return Experiment(**(given | settings))

    def run(self, *arms: str | Arm, on_outcome: Any = lambda _: None, **settings: Any) -> Ended:
        return asyncio.run(run_experiment(self.experiment(*arms, **settings), on_outcome=on_outcome))

    def outcomes(self, *arms: str | Arm, **settings: Any) -> tuple[Outcome, ...]:
        return self.run(*arms, **settings).notebook.outcomes


@pytest.fixture
def bench(small_suite: Suite, searcher: Callable[[int], BaseChatModel], tmp_path: Path) -> Bench:
    return Bench(small_suite, searcher, tmp_path / "out")
