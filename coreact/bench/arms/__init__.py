"""The ways to work that a bench compares: the plain agent, guidance in its parts, baselines, and controls.

Every arm has the same model, tools and number of tool calls; what distinguishes it stands in its settings. An
arm of one's own is a `coreact.bench.records.Arm`; nothing here needs to know it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from langchain_core.runnables import Runnable

from coreact.bench.arms.agents import SAMPLE_TEMPERATURE, Recipe, Recipes, agent_of, sampled
from coreact.bench.arms.baselines import BASELINES, Baseline, build_baseline
from coreact.bench.arms.chance import RandomChoice
from coreact.bench.arms.guided import GENERATORS, GUIDED, guidance
from coreact.bench.records import Arm, Setup
from coreact.errors import ConfigError

PLAIN = "plain"
PLUGGED = "+rubric"
"""Behind the name of a baseline: guidance is plugged into its agent."""

CANDIDATES = 3

__all__ = [
    "BASELINES",
    "GENERATORS",
    "GUIDED",
    "PLAIN",
    "PLUGGED",
    "SAMPLE_TEMPERATURE",
    "Recipe",
    "Recipes",
    "agent_of",
    "arms_named",
    "guidance",
    "known_arms",
    "sampled",
]


def known_arms(recipes: Recipes) -> dict[str, Arm]:
    """All arms by name, the control first.

    Args:
        recipes: gives the `build` of an agent by name; asked when an arm is built.
    """
    return {arm.name: arm for arm in _arms(recipes)}


def arms_named(names: Iterable[str], recipes: Recipes) -> list[Arm]:
    """Arms by name, each once, in this order.

    Raises:
        ConfigError: there is no arm of such a name, or no name at all.
    """
    known = known_arms(recipes)
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise ConfigError(
            f"There is no arm {unknown[0]!r}." if unknown else "No arm is named.",
            remedy=f"Arms are: {', '.join(known)}.",
        )
    return [known[name] for name in wanted]


def _arms(recipes: Recipes) -> Iterator[Arm]:
    yield Arm(
        name=PLAIN,
        about="Control: the plain ReAct agent.",
        build=lambda setup: agent_of(recipes("react"), setup),
    )
    for name, (about, settings) in GUIDED.items():
        yield Arm(name=name, about=about, build=_guided(recipes, settings), settings=settings)
    yield Arm(
        name=f"random of {CANDIDATES}",
        about="Control: as many calls as `best of 3`, one proposal of each step taken by chance.",
        build=_random(recipes),
        settings={"candidates": CANDIDATES},
    )
    for name, baseline in BASELINES.items():
        yield Arm(
            name=name,
            about=baseline.about,
            build=_baseline(recipes, baseline, None),
            settings=baseline.settings,
        )
        rubric = GUIDED["guided"][1]
        yield Arm(
            name=name + PLUGGED,
            about=f"{baseline.about} Its agent is guided.",
            build=_baseline(recipes, baseline, rubric),
            settings={**baseline.settings, "rubric": dict(rubric)},
            is_one_run=False,
        )
    for suffix, rubric_of_research in (("", None), (PLUGGED, GUIDED["guided"][1])):
        yield Arm(
            name=f"deep research{suffix}",
            about="The research agent: plan, gather, decide, review, cited report."
            + (" Its steps are guided." if suffix else ""),
            build=_research(recipes, rubric_of_research),
            settings={} if rubric_of_research is None else {"rubric": dict(rubric_of_research)},
            is_one_run=False,
        )


# Functions rather than lambdas in the loops above: each binds its own arm.


def _guided(recipes: Recipes, settings: Mapping[str, Any]) -> Any:
    return lambda setup: agent_of(recipes("react"), setup, rubric=settings)


def _random(recipes: Recipes) -> Any:
    def build(setup: Setup) -> Runnable[Any, Any]:
        chance = RandomChoice(CANDIDATES, seed=setup.seed)
        return agent_of(recipes("react"), setup, middleware=[chance], candidates=CANDIDATES)

    return build


def _baseline(recipes: Recipes, baseline: Baseline, rubric: Mapping[str, Any] | None) -> Any:
    return lambda setup: build_baseline(baseline, recipes("react"), setup, rubric=rubric)


def _research(recipes: Recipes, rubric: Mapping[str, Any] | None) -> Any:
    return lambda setup: agent_of(recipes("deep_research"), setup, rubric=rubric)
