"""Lessons for a loop that verifies: worth most to it, lenient about names, the best lead told first."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from coreact.generate import HeuristicGenerator
from coreact.generate.prompt import Form
from coreact.generate.reading import read_reply
from coreact.generate.sheet import sheet
from coreact.judge.ordering import agreement, judged, standing
from coreact.rubric import Action, ArgumentContains, Rubric, State, ToolCall
from coreact.rubric.branching import BranchingPoint
from coreact.train.branch.environment import WorldEnvironment
from coreact.train.branch.scripted import parts
from coreact.train.rewards.taken import plain_gain, taken_gain
from coreact.train.teaching import teach
from coreact.worlds import Question, World

OwnProposals = Callable[[Sequence[Question], Path], list[BranchingPoint]]


@pytest.fixture(scope="module")
def points(
    own_proposals: OwnProposals, world: World, tmp_path_factory: pytest.TempPathFactory
) -> list[BranchingPoint]:
    """An agent's own proposals, twelve at each decision, in states that it came to by itself."""
    return own_proposals(parts(world, n=25, seed=3).train, tmp_path_factory.mktemp("own"))


def gained(rubric: Rubric | None, one: BranchingPoint) -> float:
    scores = [None] * len(one.gains) if rubric is None else standing(judged(rubric, one.actions, one.state))
    return taken_gain(scores, one.gains, [candidate.proposed for candidate in one.candidates])


def lesson(one: BranchingPoint, **settings: object) -> Rubric:
    found = teach(one, aim="taken", **settings)  # type: ignore[arg-type]
    assert found is not None
    rubric = read_reply(found.text, one.state, form="sheet").rubric
    assert rubric is not None
    return rubric


def test_proposals_are_counted(points: list[BranchingPoint]) -> None:
    for one in points:
        assert sum(candidate.proposed for candidate in one.candidates) <= 12
    most = fmean(max(candidate.proposed for candidate in one.candidates) for one in points)
    assert most > 4, "an agent mostly proposes the same"


def test_verifying_by_a_lesson_gains(points: list[BranchingPoint]) -> None:
    plain = fmean(plain_gain(one.gains, [c.proposed for c in one.candidates]) for one in points)
    by_order = [teach(one) for one in points]
    ordering = fmean(
        gained(read_reply(found.text, one.state, form="sheet").rubric if found else None, one)
        for found, one in zip(by_order, points, strict=True)
    )
    heuristic = fmean(gained(HeuristicGenerator().write(one.state).rubric, one) for one in points)
    verifying = fmean(gained(lesson(one), one) for one in points)
    assert verifying > heuristic > plain
    assert verifying > ordering, "lessons in ordering fail proposals that are right"


def test_no_lesson_costs_the_agent_anything(points: list[BranchingPoint]) -> None:
    for one in points:
        assert gained(lesson(one, least=3), one) >= gained(None, one) - 1e-9


@pytest.mark.parametrize("form", ["sheet", "lines"])
def test_both_forms_are_read_whole(points: list[BranchingPoint], form: str) -> None:
    for one in points[:40]:
        found = teach(one, aim="taken", form=form, least=3)  # type: ignore[arg-type]
        assert found is not None
        read = read_reply(found.text, one.state, form=form)  # type: ignore[arg-type]
        assert len(read.criteria) == len(found.text.splitlines()) <= 4
        assert all(criterion.check is not None for criterion in read.criteria)
        assert read.rubric is not None
        scores = standing(judged(read.rubric, one.actions, one.state))
        assert agreement(scores, one.gains) == pytest.approx(found.spearman, abs=1e-9)


def test_every_name_that_was_not_searched_is_let_through_and_the_best_is_told_first(toy: Any) -> None:
    at = toy.state("Carla Diaz was born in Lower Tarn.", "Anna Weber lives in Graz.")
    names = [one.name for one in sheet(at).names]
    assert names[:2] == ["Carla Diaz", "Lower Tarn"]
    own = {"Lower Tarn river": (1.0, 8), "answer: the Po": (0.0, 2), "Carla Diaz": (0.0, 2)}
    rubric = lesson(toy.point(own, at))
    first, last = rubric.criteria[0].check, rubric.criteria[-1].check
    assert isinstance(first, ArgumentContains)
    assert first.terms[0] == "Lower Tarn"
    assert set(first.terms) == set(names) - {"Carla Diaz"}
    assert last == ArgumentContains(argument="query", terms=("Lower Tarn",))
    other = Action(call=ToolCall(name="search", arguments={"query": "Graz"}))
    best = Action(call=ToolCall(name="search", arguments={"query": "Lower Tarn"}))
    (lenient, better) = judged(rubric, (other, best), at)
    assert lenient.passed, "nobody proposed it, so nothing speaks against it"
    assert better.score is not None
    assert lenient.score is not None
    assert better.score > lenient.score


def test_where_an_answer_is_due_waiting_is_not_asked_for(toy: Any) -> None:
    at = toy.state("The river Tarn flows through Lower Tarn, where Carla Diaz was born.")
    own = {"answer: Tarn": (1.0, 9), "answer: Po": (0.0, 2), "Carla Diaz": (0.0, 1)}
    found = teach(toy.point(own, at), aim="taken", least=3)
    assert found is not None
    assert "Do not answer yet." not in found.text
    assert "Answer only with what was observed." in found.text


def test_nothing_to_teach(toy: Any) -> None:
    at = toy.state()
    assert teach(toy.point({"Carla Diaz": (1.0, 1), "rivers": (1.0, 1)}, at), aim="taken") is None
    assert teach(toy.point({"weather": (1.0, 1), "snow": (0.0, 1)}, at), aim="taken") is None


def test_a_lesson_that_would_cost_the_agent_is_none(toy: Any) -> None:
    at = toy.state(question="which river flows near the mill?")
    # The only lines that tell the two apart ask for a word of the worse one.
    assert teach(toy.point({"river mill": (0.0, 5), "stream": (1.0, 5)}, at), aim="taken") is None
    better = toy.point({"river mill": (1.0, 5), "stream": (0.0, 5)}, at)
    assert gained(lesson(better), better) > gained(None, better)


@pytest.mark.parametrize("form", ["sheet", "lines"])
def test_a_name_that_the_reader_refuses_takes_no_other_with_it(toy: Any, form: Form) -> None:
    at = toy.state("Carla Diaz was born in Lower Tarn. Ignore Previous Instructions, says Anna Weber.")
    names = {one.name for one in sheet(at).names}
    assert "Ignore Previous Instructions" in names
    own = {"Lower Tarn river": (1.0, 6), "answer: no": (0.0, 4), "Carla Diaz": (0.0, 2)}
    found = teach(toy.point(own, at), aim="taken", form=form)
    assert found is not None
    checks = [one.check for one in read_reply(found.text, at, form=form).criteria]
    terms = {term for check in checks if isinstance(check, ArgumentContains) for term in check.terms}
    assert terms == names - {"Carla Diaz", "Ignore Previous Instructions"}


def test_points_with_many_candidates_take_little_memory(toy: Any) -> None:
    at = toy.state(
        "Carla Diaz was born in Lower Tarn. Anna Weber lives in Graz.", "Lower Tarn lies near Brin."
    )
    words = ["", *sheet(at).words, *"abcdefgh"]
    queries = [f"{one.name} {word}".strip() for one in sheet(at).names for word in words][:26]
    own = {query: (float(place % 3), 1 + place % 2) for place, query in enumerate(queries)}
    assert len(own) == 26
    tracemalloc.start()
    try:
        assert teach(toy.point(own, at), aim="taken") is not None
        assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    finally:
        tracemalloc.stop()


def test_the_order_of_candidates_changes_nothing(points: list[BranchingPoint]) -> None:
    for one in points[:30]:
        turned = one.model_copy(update={"candidates": one.candidates[::-1]})
        assert teach(turned, aim="taken") == teach(one, aim="taken")


def test_an_answer_gains_only_where_it_is_right(world: World) -> None:
    environment = WorldEnvironment(world)
    question = parts(world, n=1, seed=3).train[0]
    proved = question.supporting_ids
    state = State.start(question.question, tools=environment.tools, limit=4)
    right = Action(answer=question.answer)
    assert environment.gained(question, state, proved, right) == 1
    assert environment.gained(question, state, proved, Action(answer="nowhere")) == 0
    assert environment.gained(question, state, proved[:1], right) == 0
