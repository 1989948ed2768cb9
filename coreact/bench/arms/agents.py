"""The agent inside of an arm: the plain recipe, with the middleware, budget and sampler seed of the arm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable

from coreact.bench.arms.guided import guidance
from coreact.bench.arms.within import Samples, WithinBudget
from coreact.bench.records import Setup

SAMPLE_TEMPERATURE = 0.8
"""Temperature of the second and later samples where the model's own is 0: they would all be the first."""

_STRIDE = 1_000_003
"""Between the seeds of the samples of one episode, so that they meet no other episode's."""


CANDIDATE = 100
"""More runs than an episode has: the candidates of a run take the sample numbers behind them."""


class Recipe(Protocol):
    """How an agent is built: `build` of a `graph.py`."""

    def __call__(
        self, model: BaseChatModel, tools: Sequence[Any], *, middleware: Sequence[Any] = (), tool_calls: int
    ) -> Runnable[Any, Any]:
        """Make the agent."""


Recipes = Callable[[str], Recipe]
"""The `build` of an agent, by the name of its folder."""


def agent_of(
    recipe: Recipe,
    setup: Setup,
    *,
    rubric: Mapping[str, Any] | None = None,
    middleware: Sequence[Any] = (),
    tool_calls: int | None = None,
    sample: int = 0,
    candidates: int = 1,
) -> Runnable[Any, Any]:
    """An agent for one run of an episode.

    Args:
        recipe: how to build it.
        setup: of the episode.
        rubric: settings of guidance; None: it has none.
        middleware: what else it carries, before guidance.
        tool_calls: its share of the budget; all of it if None.
        sample: number of the run within the episode, from 0; each has a sampler seed of its own.
        candidates: how often `middleware` asks for one step; those of `rubric` are read from it.
    """
    calls = setup.tool_calls if tool_calls is None else tool_calls
    carried = list(middleware)
    if rubric is not None:
        carried.append(guidance(rubric, setup, tool_calls=calls))
    if max(candidates, int((rubric or {}).get("candidates", 1))) > 1:
        carried.append(Samples(lambda again: sampled(setup, sample + CANDIDATE * again)))
    carried.append(WithinBudget(calls))
    return recipe(sampled(setup, sample), setup.tools, middleware=carried, tool_calls=calls)


def sampled(setup: Setup, sample: int) -> BaseChatModel:
    """The agent's model for a sample: the first is the model as it is."""
    model = setup.model
    if sample == 0:
        return model
    seed = setup.seed + _STRIDE * sample
    reseeded: Callable[[int], BaseChatModel] | None = getattr(model, "with_seed", None)
    if reseeded is not None:
        return reseeded(seed)
    known = type(model).model_fields
    update: dict[str, Any] = {"seed": seed} if "seed" in known else {}
    if "temperature" in known and not getattr(model, "temperature", None):
        update["temperature"] = SAMPLE_TEMPERATURE
    return model.model_copy(update=update)
