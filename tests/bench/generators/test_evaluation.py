"""What a generator is worth on held-out points, and whether it looks at the state at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from coreact.bench.experiment import this_session
from coreact.bench.generators.evaluation import HEURISTIC, TRAINED, Evaluation, Held, evaluate
from coreact.bench.generators.results import (
    CARD,
    HEADING,
    RESULTS,
    Ranked,
    Results,
    read_results,
    write_results,
)
from coreact.bench.rank.replies import RepliedModel
from coreact.errors import ConfigError, LabelFileError
from coreact.generate import HeuristicGenerator
from coreact.generate.prompt import step_prompt
from coreact.generate.prompted import PromptedGenerator
from coreact.judge.panel import Ranking
from coreact.rubric import Action, Criterion, State
from coreact.rubric.branching import BranchingPoint
from coreact.train.branch.scripted import collect, parts
from coreact.train.teaching import teach
from coreact.worlds import World


@pytest.fixture(scope="module")
def points(small_world: World) -> tuple[BranchingPoint, ...]:
    found = collect(small_world, parts(small_world, n=25, seed=0).dev, per_question=2)
    return tuple(point for point in found if point.has_contrast)


@pytest.fixture(scope="module")
def held(points: Sequence[BranchingPoint]) -> Held:
    return Held("gazetteer", "v", 0, points)


def writes(replies: dict[str, str]) -> PromptedGenerator:
    return PromptedGenerator(RepliedModel(model="replies", by_prompt=replies), form="sheet")


def shown(point: BranchingPoint) -> str:
    return step_prompt(point.state, form="sheet").material


@pytest.fixture(scope="module")
def taught(points: Sequence[BranchingPoint]) -> PromptedGenerator:
    lessons = {shown(point): teach(point, form="sheet") for point in points}
    return writes({key: lesson.text for key, lesson in lessons.items() if lesson is not None})


@pytest.fixture(scope="module")
def found(taught: PromptedGenerator, held: Held) -> Evaluation:
    return evaluate(taught, held, others={"again": HeuristicGenerator()})


def test_the_oracle_beats_all_others(found: Evaluation) -> None:
    assert found.beats_heuristic
    assert found.differences[HEURISTIC].low > 0
    assert found.differences["none"] == found.trained.spearman
    assert found.differences["random"].low > 0
    assert found.differences["again"] == found.differences[HEURISTIC]
    assert {arm.arm for arm in found.arms} == {TRAINED, HEURISTIC, "again", "random", "none"}
    assert found.trained.compiled == 1


def test_what_comes_from_looking_is_told(found: Evaluation) -> None:
    assert found.context is not None
    assert found.context.own == found.trained.spearman
    assert found.context.difference.low > 0.1


def test_one_rubric_for_all_states_gains_nothing_by_looking(
    points: Sequence[BranchingPoint], held: Held
) -> None:
    same = "1. [0.6] Do not answer yet.\n2. [0.4] Do not repeat an earlier call."
    found = evaluate(writes({shown(point): same for point in points}), held)
    assert found.context is not None
    assert found.context.difference.mean == 0
    assert found.context.own == found.context.shuffled


def test_a_generator_without_prompt_cannot_be_shown_another_state(held: Held) -> None:
    found = evaluate(HeuristicGenerator(), held)
    assert found.context is None
    assert not found.beats_heuristic
    assert found.differences[HEURISTIC].mean == 0


def test_what_was_not_written_ranks_nothing(held: Held) -> None:
    found = evaluate(PromptedGenerator(Sorry(model="sorry", by_prompt={}), form="sheet"), held)
    assert found.trained.written == 0
    assert found.trained.spearman.mean == 0
    assert found.gate is None
    assert found.latency is None


class Sorry(RepliedModel):
    """Writes no rubric, however often it is asked."""

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("sorry"))])


class Half:
    """A judge that gives the gains' order at every other point, and fails at the rest."""

    id = "half"

    def __init__(self, points: Sequence[BranchingPoint]) -> None:
        self._points = list(points)
        self._at = -1

    def rank(
        self, state: State, candidates: Sequence[Action], *, criteria: Sequence[Criterion] = (), seed: int = 0
    ) -> Ranking:
        from coreact.errors import JudgingError
        from coreact.judge.panel import average_ranks

        self._at += 1
        point = self._points[self._at]
        assert (state, tuple(candidates)) == (point.state, point.actions)
        if self._at % 2:
            raise JudgingError("no", judge=self.id)
        return Ranking(average_ranks(point.gains))

    async def arank(
        self, state: State, candidates: Sequence[Action], *, criteria: Sequence[Criterion] = (), seed: int = 0
    ) -> Ranking:
        return self.rank(state, candidates, criteria=criteria, seed=seed)


def test_an_outside_judge_is_compared_where_it_answers(
    taught: PromptedGenerator, held: Held, points: Sequence[BranchingPoint]
) -> None:
    found = evaluate(taught, held, outsider=Half(points))
    assert found.outsider is not None
    assert found.outsider.points + found.outsider.failed == len(points)
    assert found.outsider.failed == len(points) // 2
    assert found.outsider.with_gains is not None
    assert found.outsider.with_gains.mean == pytest.approx(1.0)
    assert found.outsider.with_rubrics is not None
    assert found.outsider.with_rubrics.mean > 0.5


def test_bad_input(taught: PromptedGenerator, held: Held, points: Sequence[BranchingPoint]) -> None:
    flat = [
        point.model_copy(
            update={"candidates": tuple(c.model_copy(update={"gain": 0}) for c in point.candidates)}
        )
        for point in points
    ]
    with pytest.raises(ConfigError, match="contrast"):
        evaluate(taught, held._replace(points=flat))
    with pytest.raises(ConfigError, match="name of an arm"):
        evaluate(taught, held, others={"random": HeuristicGenerator()})


# --- the files -------------------------------------------------------------------------------------


def test_results_and_card_are_written_from_one_record(found: Evaluation, tmp_path: Path) -> None:
    session = this_session(["coreact", "train", "eval"])
    (tmp_path / CARD).write_text("# tiny\n\nAbove.\n\n## Measured\n\nold figures\n", encoding="utf-8")
    results = read_results(tmp_path, found.generator).adding(ranked=Ranked(evaluation=found, session=session))
    write_results(tmp_path, results)
    again = read_results(tmp_path, found.generator)
    assert again == results
    card = (tmp_path / CARD).read_text(encoding="utf-8")
    assert card.startswith("# tiny\n\nAbove.\n\n## Measured\n")
    assert "old figures" not in card
    assert card.count(HEADING) == 1
    assert str(found.trained.spearman) in card
    assert "better than the heuristic" in card


def test_a_second_measurement_of_a_world_replaces_the_first(found: Evaluation) -> None:
    session = this_session(["x"])
    other = found.model_copy(update={"world": "multihop"})
    drawn = [other.model_copy(update={"collection_seed": seed}) for seed in (1, 2)]
    results = Results(generator=found.generator)
    for one in (found, other, *drawn, drawn[0], found):
        results = results.adding(ranked=Ranked(evaluation=one, session=session))
    told = [(one.evaluation.world, one.evaluation.collection_seed) for one in results.ranking]
    assert told == [("multihop", None), ("multihop", 2), ("multihop", 1), ("gazetteer", None)]


def test_figures_of_another_generator_are_not_kept(found: Evaluation, tmp_path: Path) -> None:
    write_results(
        tmp_path,
        Results(generator="old").adding(ranked=Ranked(evaluation=found, session=this_session(["x"]))),
    )
    assert read_results(tmp_path, "new").ranking == ()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / RESULTS).write_text('{"generator": 3}', encoding="utf-8")
    with pytest.raises(LabelFileError, match=r"results\.json holds no results"):
        read_results(tmp_path, "x")
