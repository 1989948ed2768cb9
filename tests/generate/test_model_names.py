"""Every generator says which models write, however deep it is wrapped: no judge should be their kin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from coreact.errors import ConfigError
from coreact.generate.bank import (
    BankedGenerator,
    ConsensusGenerator,
    MetaRubricGenerator,
    Profile,
    ProfiledGenerator,
    ReusingGenerator,
    RubricBank,
)
from coreact.generate.contracts import ContractGenerator
from coreact.generate.contrastive import AdaptiveGenerator, CdrrmGenerator, ConsistentGenerator, CrgGenerator
from coreact.generate.gate import Gate, GatedGenerator, Ledger, MutingGenerator, RubricFreeGenerator
from coreact.generate.generator import RubricGenerator
from coreact.generate.grounded import FactExtractor, GroundedGenerator, HindsightWriter
from coreact.generate.heuristic import HeuristicGenerator
from coreact.generate.prompted import PromptedGenerator
from coreact.generate.questions import QuestionGenerator
from coreact.generate.stages import StagedGenerator
from coreact.guide.session import DecisionGuide
from coreact.guide.settings import GuideSettings
from coreact.judge.model import ModelJudge
from coreact.judge.panel.family import model_names
from coreact.testing import ScriptedModel


class Named(ScriptedModel):
    model_name: str


def model(name: str) -> Named:
    return Named(script=[], model_name=name)


def prompted(name: str = "gpt-5", **settings: Any) -> PromptedGenerator:
    return PromptedGenerator(model(name), **settings)


def banked() -> RubricGenerator:
    return BankedGenerator(lambda exemplars: prompted(exemplars=exemplars), RubricBank())


GATE, MUTES = Gate(), Ledger()
UNNAMED = HeuristicGenerator()

WRAPPED: dict[str, tuple[Callable[[], RubricGenerator], tuple[str, ...]]] = {
    "prompted": (prompted, ("gpt-5",)),
    "grounded": (lambda: GroundedGenerator(model("gpt-5")), ("gpt-5",)),
    "grounded with an extractor": (
        lambda: GroundedGenerator(model("qwen-max"), extractor=FactExtractor(model("gpt-5"))),
        ("qwen-max", "gpt-5"),
    ),
    "questions": (lambda: QuestionGenerator(model("gpt-5"), inner=UNNAMED), ("gpt-5",)),
    "questions of another model": (
        lambda: QuestionGenerator(model("qwen-max"), inner=prompted()),
        ("qwen-max", "gpt-5"),
    ),
    "banked": (banked, ("gpt-5",)),
    "reusing": (lambda: ReusingGenerator(RubricBank(), prompted()), ("gpt-5",)),
    "consensus": (lambda: ConsensusGenerator([prompted("qwen-max"), prompted()]), ("qwen-max", "gpt-5")),
    "consensus of one model": (lambda: ConsensusGenerator([prompted(), UNNAMED, prompted()]), ("gpt-5",)),
    "meta": (lambda: MetaRubricGenerator(prompted()), ("gpt-5",)),
    "profiled": (lambda: ProfiledGenerator(prompted(), Profile(name="ours")), ("gpt-5",)),
    "staged": (
        lambda: StagedGenerator(
            {"plan": UNNAMED, "gather": prompted("qwen-max"), "review": prompted("grok-4")},
            default=prompted(),
        ),
        ("qwen-max", "grok-4", "gpt-5"),
    ),
    "gated": (lambda: GatedGenerator(prompted(), GATE), ("gpt-5",)),
    "gated, its fallback": (lambda: GatedGenerator(UNNAMED, GATE, fallback=prompted()), ("gpt-5",)),
    "muting": (lambda: MutingGenerator(prompted(), MUTES), ("gpt-5",)),
    "wrapped thrice": (
        lambda: MutingGenerator(GatedGenerator(StagedGenerator({"plan": banked()}), GATE), MUTES),
        ("gpt-5",),
    ),
}


@pytest.mark.parametrize("case", WRAPPED)
def test_the_models_that_write_are_named(case: str) -> None:
    generator, names = WRAPPED[case]
    assert model_names(generator()) == names


@pytest.mark.parametrize("case", WRAPPED)
def test_a_judge_of_any_writers_family_is_refused(case: str) -> None:
    generator, _ = WRAPPED[case]
    judge = ModelJudge(model("gpt-5-mini"))
    guide = DecisionGuide(settings=GuideSettings(same_family="refuse"), generator=generator(), judge=judge)
    with pytest.raises(ConfigError, match="'gpt-5-mini' and generator 'gpt-5'"):
        guide.check_kin("llama-3")


@pytest.mark.parametrize(
    "writer",
    [
        CrgGenerator(model("gpt-5")),
        CdrrmGenerator(model("gpt-5")),
        AdaptiveGenerator(model("gpt-5")),
        ConsistentGenerator(CrgGenerator(model("gpt-5")), judge=ModelJudge(model("claude-opus"))),
        FactExtractor(model("gpt-5")),
        HindsightWriter(model("gpt-5")),
    ],
    ids=lambda writer: type(writer).__name__,
)
def test_writers_that_do_not_guide_say_it_as_well(writer: object) -> None:
    assert model_names(writer) == ("gpt-5",)


@pytest.mark.parametrize(
    "writer",
    [
        UNNAMED,
        ContractGenerator(),
        RubricFreeGenerator(),
        HindsightWriter(),
        ReusingGenerator(RubricBank()),
        GatedGenerator(UNNAMED, GATE),
        MutingGenerator(UNNAMED, MUTES),
        StagedGenerator({}, default=UNNAMED),
    ],
    ids=lambda writer: type(writer).__name__,
)
def test_who_asks_no_model_names_none(writer: object) -> None:
    assert model_names(writer) == ()
