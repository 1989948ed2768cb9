"""The generator that ships judges an agent's proposals better than the heuristic, and its card is true."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from coreact.bench.generators.evaluation import HEURISTIC, Evaluation, Held, evaluate
from coreact.bench.generators.results import CARD, read_results
from coreact.generate.trained import TrainedGenerator, open_generator, read_folder
from coreact.rubric.branching import BranchingPoint
from coreact.train.branch.scripted import parts
from coreact.worlds import Question, World

FOLDER = Path(__file__).resolve().parents[2] / "rubric_models" / "tiny"


@pytest.fixture(scope="module")
def generator() -> Iterator[TrainedGenerator]:
    with open_generator(FOLDER) as opened:
        assert isinstance(opened, TrainedGenerator)
        yield opened


@pytest.fixture(scope="module")
def found(
    generator: TrainedGenerator,
    own_proposals: Callable[[Sequence[Question], Path], list[BranchingPoint]],
    world: World,
    tmp_path_factory: pytest.TempPathFactory,
) -> Evaluation:
    questions = parts(world, n=60, seed=1).dev  # the card is of another seed
    points = own_proposals(questions, tmp_path_factory.mktemp("own"))
    return evaluate(generator, Held(world.name, world.version, 1, points, proposed_by="searcher"))


def test_it_ranks_and_verifies_better_than_the_heuristic(found: Evaluation) -> None:
    assert found.questions >= 50
    assert found.differences[HEURISTIC].low > 0
    assert found.taken_differences[HEURISTIC].low > 0
    assert found.differences["random"].low > 0


def test_it_looks_at_the_state(found: Evaluation) -> None:
    assert found.context is not None
    assert found.context.difference.low > 0.1


def test_code_decides_what_it_writes(found: Evaluation) -> None:
    assert found.trained.compiled == 1
    assert found.trained.written is not None
    assert found.trained.written > 0.95


def test_the_card_is_of_these_weights(generator: TrainedGenerator) -> None:
    results = read_results(FOLDER, generator.id)
    assert results.ranking, "results.json is of another generator"
    card = (FOLDER / CARD).read_text(encoding="utf-8")
    for ranked in results.ranking:
        assert str(ranked.evaluation.trained.spearman) in card
    assert generator.id in card


def test_it_is_small_enough_to_ship() -> None:
    folder = read_folder(FOLDER)
    assert folder.gguf is not None
    assert folder.gguf.stat().st_size < 8 * 2**20
    assert folder.model is None, "one form of the weights is enough"
