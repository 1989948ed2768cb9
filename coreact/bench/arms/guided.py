"""Arms that guide the plain agent: who writes the rubric, is it shown, and are steps verified.

The ablation of Co-ReAct (arXiv 2605.23590) is `plain` (none), `untrained`, `gated` and `guided` (heuristic),
each with verification and as `rubric only` without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel

from coreact.bench.arms.placebo import PlaceboGenerator
from coreact.bench.records import Setup
from coreact.bench.writers import prompted
from coreact.errors import ConfigError
from coreact.generate import ContractGenerator, HeuristicGenerator, RubricGenerator, Written
from coreact.generate.gate.gate import Gate
from coreact.generate.gate.gated import GatedGenerator
from coreact.guide import CoReActMiddleware
from coreact.rubric import State


class InsistingGenerator(HeuristicGenerator):
    """The heuristic's rubrics, in which the name to search for is a veto: a decoder can be held to it."""

    id = "insisting.1"

    def write(self, state: State) -> Written:
        """Write the rubric."""
        written = super().write(state)
        criteria = [
            one.model_copy(update={"veto": True}) if one.id == "entity" else one for one in written.rubric
        ]
        return Written(written.rubric.model_copy(update={"criteria": tuple(criteria)}), written.cost)


def _gated(model: BaseChatModel) -> RubricGenerator:
    # Every question takes several calls of the one tool.
    return GatedGenerator(prompted(model), Gate(contracts=ContractGenerator(plan_length=2)))


TRAINED = "trained"
"""The generator that the experiment was given."""

GENERATORS: Mapping[str, Callable[[BaseChatModel], RubricGenerator]] = {
    "prompted": prompted,
    "gated": _gated,
    "insisting": lambda _: InsistingGenerator(),
    "placebo": lambda _: PlaceboGenerator(),
}
"""The generators that are not the default (the heuristic), by name; some ask the writer's model."""

GUIDED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "guided": ("Heuristic rubric shown, every step verified, up to two retries.", {"retries": 2}),
    "rubric only": ("Heuristic rubric shown, nothing verified.", {"retries": 0}),
    "feedback only": (
        "Nothing shown before a proposal; steps verified against the heuristic rubric, up to two retries.",
        {"retries": 2, "show_rubric": False},
    ),
    "best of 3": (
        "Three proposals for each step; the one that fits the heuristic rubric best is taken.",
        {"retries": 0, "candidates": 3, "show_rubric": False},
    ),
    "untrained": (
        "The writer's model writes the rubric, untrained; steps verified, up to two retries.",
        {"retries": 2, "generator": "prompted", "fallback": "none"},
    ),
    "untrained rubric only": (
        "The writer's model writes the rubric, untrained; nothing verified.",
        {"retries": 0, "generator": "prompted", "fallback": "none"},
    ),
    "gated": (
        "As untrained, but only criteria that pass the gate; where none does, no rubric.",
        {"retries": 2, "generator": "gated", "fallback": "none"},
    ),
    "gated rubric only": (
        "As gated, nothing verified.",
        {"retries": 0, "generator": "gated", "fallback": "none"},
    ),
    "gated or heuristic": (
        "As gated; the heuristic rubric where no criterion passes.",
        {"retries": 2, "generator": "gated"},
    ),
    "insisting": (
        "As guided, with the name to search for as a veto.",
        {"retries": 2, "generator": "insisting"},
    ),
    "constrained": (
        "As insisting, and the decoder is held to it.",
        {"retries": 2, "generator": "insisting", "constrain": True},
    ),
    "trained": (
        "The trained generator (--generator) writes the rubric; steps verified, up to two retries.",
        {"retries": 2, "generator": TRAINED, "fallback": "none"},
    ),
    "trained rubric only": (
        "As trained, nothing verified.",
        {"retries": 0, "generator": TRAINED, "fallback": "none"},
    ),
    "trained feedback only": (
        "Nothing shown before a proposal; steps verified against the trained generator's rubric.",
        {"retries": 2, "generator": TRAINED, "fallback": "none", "show_rubric": False},
    ),
    "trained best of 3": (
        "Three proposals for each step; the one that fits the trained generator's rubric best is taken.",
        {"retries": 0, "candidates": 3, "generator": TRAINED, "fallback": "none", "show_rubric": False},
    ),
    "trained or heuristic": (
        "As trained; the heuristic rubric where it writes none that can be read.",
        {"retries": 2, "generator": TRAINED},
    ),
    "placebo": (
        "Control: guidance of the same length at the same place that says nothing.",
        {"retries": 0, "generator": "placebo"},
    ),
}
"""For each arm what it does and the settings of the middleware; `generator` is a name in `GENERATORS`, or
`TRAINED`."""


def guidance(
    settings: Mapping[str, Any], setup: Setup, *, tool_calls: int | None = None, agent: str = "react"
) -> CoReActMiddleware:
    """The middleware of a guided arm.

    Args:
        settings: an entry of `GUIDED`.
        setup: of the episode.
        tool_calls: calls of the run it guides; the whole budget if None.
        agent: name of the agent in the record.

    Raises:
        ConfigError: the arm is guided by a trained generator, and there is none.
    """
    others = {name: value for name, value in settings.items() if name != "generator"}
    return CoReActMiddleware(
        generator=_generator(settings.get("generator"), setup),
        recorder=setup.recorder,
        replay=setup.replay,
        agent=agent,
        seed=setup.seed,
        step_budget=setup.tool_calls if tool_calls is None else tool_calls,
        **others,
    )


def _generator(named: str | None, setup: Setup) -> RubricGenerator | None:
    if named is None:
        return None
    if named != TRAINED:
        return GENERATORS[named](setup.writer)
    if setup.generator is None and setup.replay is None:  # a replay has its rubrics in the record
        raise ConfigError(
            "This arm is guided by a trained generator, and there is none.", remedy="Give --generator."
        )
    return setup.generator
