"""Arms made of the baselines (`coreact.refine.baselines`), with the same budget and their own decision rules.

An arm of several runs divides the tool calls among them. `NAME+rubric` is the baseline with guidance plugged
into the agent inside of it; its decision rule stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from coreact.bench.arms.agents import Recipe, agent_of
from coreact.bench.arms.gap_driven import GapRAG
from coreact.bench.records import Setup
from coreact.errors import ConfigError
from coreact.generate import HeuristicGenerator
from coreact.refine import baselines
from coreact.refine.baselines import RubricScorer
from coreact.rubric import AnswerObserved, Criterion, Rubric

RUNS = 3
"""Runs of best-of-N, vote and Reflexion."""

SEARCHES = 2
"""Searches of gap-driven RAG, where the budget allows so many."""

OBSERVED = Rubric(
    scope="answer",
    criteria=(
        Criterion(id="observed", text="The answer stands in what was observed.", check=AnswerObserved()),
    ),
)
"""What scores an answer where a baseline needs a score: it can be decided without a model."""

Builder = Callable[[int, int], Runnable[Any, Any]]
"""Makes the agent inside of a baseline, by its tool calls and the number of the sample."""


class Baseline(NamedTuple):
    """A baseline as an arm."""

    about: str
    settings: Mapping[str, Any]
    make: Callable[[Builder, Setup], Runnable[Any, Any]]


def _best_of_answers(agent: Builder, setup: Setup) -> Runnable[Any, Any]:
    return baselines.BestOfN(agent, RUNS, scorer=RubricScorer(OBSERVED), tool_calls=setup.tool_calls)


def _vote(agent: Builder, setup: Setup) -> Runnable[Any, Any]:
    return baselines.SelfConsistency(agent, RUNS, tool_calls=setup.tool_calls)


def _self_refine(agent: Builder, setup: Setup) -> Runnable[Any, Any]:
    return baselines.SelfRefine(agent, setup.writer, tool_calls=setup.tool_calls)


def _reflexion(agent: Builder, setup: Setup) -> Runnable[Any, Any]:
    return baselines.Reflexion(agent, setup.writer, episodes=RUNS, tool_calls=setup.tool_calls)


def _step_back(agent: Builder, setup: Setup) -> Runnable[Any, Any]:
    return baselines.StepBack(agent, setup.writer, tool_calls=setup.tool_calls)


def _critic(agent: Builder, setup: Setup) -> Runnable[Any, Any]:
    return baselines.Critic(agent, setup.writer, tool_calls=setup.tool_calls)


def _tree_search(agent: Builder, setup: Setup) -> Runnable[Any, Any]:
    scorer = RubricScorer(HeuristicGenerator())
    return baselines.TreeSearch(agent, setup.tools, scorer=scorer, tool_calls=setup.tool_calls)


def _one_shot_rag(agent: Builder, setup: Setup) -> Runnable[Any, Any]:
    return baselines.PlainRAG(agent, _search(setup, setup.shown * setup.tool_calls))


def _gap_driven_rag(agent: Builder, setup: Setup) -> Runnable[Any, Any]:
    searches = min(SEARCHES, setup.tool_calls)
    shown = setup.shown * setup.tool_calls // searches
    return GapRAG(agent, _search(setup, shown), searches=searches)


def _search(setup: Setup, shown: int) -> BaseTool:
    offered = setup.tools_showing(shown)
    search = next((one for one in offered if (one.metadata or {}).get("role") == "search"), None)
    if search is None:
        raise ConfigError(
            "RAG needs a tool that searches, and there is none.",
            remedy='Give the search tool the metadata {"role": "search"}, or leave the arm out.',
        )
    return search


BASELINES: Mapping[str, Baseline] = {
    f"best of {RUNS} answers": Baseline(
        "The agent runs several times; the answer that stands in what was observed is taken.",
        {"runs": RUNS, "scorer": "answer observed"},
        _best_of_answers,
    ),
    f"vote of {RUNS}": Baseline(
        "Self-consistency: the agent runs several times; the most frequent answer is taken.",
        {"runs": RUNS},
        _vote,
    ),
    "self-refine": Baseline(
        "The writer's model criticises the answer and revises it, up to four times.", {}, _self_refine
    ),
    "reflexion": Baseline(
        "The agent runs again with a lesson that the writer's model draws, until it accepts the answer.",
        {"episodes": RUNS},
        _reflexion,
    ),
    "step-back": Baseline("A more general question is answered first.", {}, _step_back),
    "critic": Baseline("A second run checks the answer with the tools; a model revises it.", {}, _critic),
    "tree search": Baseline(
        "UCT over proposed steps, valued by the heuristic rubric.", {"scorer": "heuristic"}, _tree_search
    ),
    "one-shot rag": Baseline(
        "One search on the bare question, showing as many passages as the others may see in all.",
        {},
        _one_shot_rag,
    ),
    "gap-driven rag": Baseline(
        "Two searches without a model, for the question and for what is then missing; as many passages.",
        {"searches": SEARCHES},
        _gap_driven_rag,
    ),
}


def build_baseline(
    baseline: Baseline, recipe: Recipe, setup: Setup, *, rubric: Mapping[str, Any] | None
) -> Runnable[Any, Any]:
    """A baseline around the agent, which is guided where `rubric` says how."""

    def agent(tool_calls: int, sample: int) -> Runnable[Any, Any]:
        return agent_of(recipe, setup, rubric=rubric, tool_calls=tool_calls, sample=sample)

    return baseline.make(agent, setup)
