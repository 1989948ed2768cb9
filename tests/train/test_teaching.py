"""The oracle teacher: what it writes is read as it was meant, orders as it says, and nothing is better."""

from __future__ import annotations

import time
from itertools import pairwise, permutations
from statistics import fmean
from typing import Any

import pytest

from coreact.errors import ConfigError
from coreact.generate.reading import read_reply
from coreact.generate.sheet import sheet
from coreact.judge.ordering import agreement, judged, standing
from coreact.rubric import Budget, DoesNotStop, State, Stops
from coreact.rubric.branching import BranchingPoint
from coreact.train.branch.scripted import collect, parts
from coreact.train.teaching import WEIGHTS, lines_for, teach, written
from coreact.worlds import World


@pytest.fixture(scope="module")
def points(world: World) -> list[BranchingPoint]:
    questions = parts(world, n=25, seed=3).train
    return [one for one in collect(world, questions, seed=3, per_question=4) if one.has_contrast]


@pytest.mark.parametrize("form", ["sheet", "lines"])
def test_a_lesson_is_read_whole_and_orders_as_it_says(points: list[BranchingPoint], form: str) -> None:
    found = []
    for one in points:
        lesson = teach(one, form=form)  # type: ignore[arg-type]
        assert lesson is not None
        read = read_reply(lesson.text, one.state, form=form)  # type: ignore[arg-type]
        assert len(read.criteria) == len(lesson.text.splitlines())
        assert all(criterion.check is not None for criterion in read.criteria)
        kinds = {type(criterion.check) for criterion in read.criteria}
        assert not {Stops, DoesNotStop} <= kinds, "nobody can follow both"
        assert read.rubric is not None
        scores = standing(judged(read.rubric, one.actions, one.state))
        assert agreement(scores, one.gains) == pytest.approx(lesson.spearman, abs=1e-9)
        found.append(lesson.spearman)
    assert fmean(found) > 0.85


def test_both_forms_teach_the_same(points: list[BranchingPoint]) -> None:
    for one in points:
        sheet_lesson, lines_lesson = teach(one, form="sheet"), teach(one, form="lines")
        assert sheet_lesson is not None
        assert lines_lesson is not None
        assert lines_lesson.spearman == pytest.approx(sheet_lesson.spearman)


def test_nothing_better_can_be_written(points: list[BranchingPoint]) -> None:
    """Against every ordered choice of up to two lines, through the reader and the judge that a run uses."""
    for one in points[:4]:
        lesson = teach(one, most=2)
        assert lesson is not None
        lines = lines_for(one.state, "sheet")
        tried = [chosen for size in (1, 2) for chosen in permutations(lines, size)]
        for chosen in tried:
            rubric = read_reply(written(chosen), one.state, form="sheet").rubric
            sentences = {line.sentence for line in chosen}
            if rubric is None or {"Do not answer yet.", "Answer now."} <= sentences:
                continue
            scores = standing(judged(rubric, one.actions, one.state))
            reached = agreement(scores, one.gains) or 0.0
            assert reached <= lesson.spearman + 1e-9, chosen


@pytest.mark.parametrize(
    ("gains", "text", "spearman"),
    [
        # One line says it all; the name stands before the word that says the same.
        ({"Carla Diaz": 1, "rivers": 0}, "1. [1] Search for name 1.", 1.0),
        ({"Carla Diaz": 0, "answer: the Po": 1}, "1. [1] Answer now.", 1.0),
        # The name is in both: the word tells them apart, and nothing shorter does.
        ({"Carla Diaz": 0, "Carla Diaz birthplace": 1}, "1. [1] The query contains word 4.", 1.0),
        # A search for the name, then one for anything, then an answer: two lines.
        (
            {"Carla Diaz": 1, "Rome": 0.5, "answer: the Po": 0},
            "1. [0.6] Search for name 1.\n2. [0.4] Do not answer yet.",
            1.0,
        ),
    ],
)
def test_by_hand(toy: Any, gains: dict[str, float], text: str, spearman: float) -> None:
    found = teach(toy.point(gains))
    assert found is not None
    assert (found.text, found.spearman) == (text, pytest.approx(spearman))


def test_the_page_that_it_points_at(toy: Any) -> None:
    page = sheet(toy.state())
    assert [one.name for one in page.names] == ["Carla Diaz"]
    assert page.words[3] == "birthplace"


def test_new_names_near_what_was_asked_come_first(toy: Any) -> None:
    """Two names stand in the good query alone: the one that was searched already is not taught."""
    at = toy.state("Carla Diaz was born in Lower Tarn.")
    found = teach(toy.point({"Carla Diaz Lower Tarn": 1, "rivers": 0}, at=at))
    assert found is not None
    assert found.text == "1. [1] Search for name 2."
    assert sheet(at).names[1].name == "Lower Tarn"


def test_repeats_are_told(toy: Any) -> None:
    at = toy.state("Nothing was found.")
    found = teach(toy.point({"Carla Diaz": 0, "Carla Diaz born": 1, "answer: it": 0.5}, at=at))
    assert found is not None
    assert "Do not repeat an earlier call." in found.text


def test_the_order_of_candidates_changes_nothing(points: list[BranchingPoint]) -> None:
    for one in points[:30]:
        turned = one.model_copy(update={"candidates": one.candidates[::-1]})
        assert teach(turned) == teach(one)


def test_only_the_order_of_gains_counts(points: list[BranchingPoint]) -> None:
    for one in points[:30]:
        moved = tuple(c.model_copy(update={"gain": 7 * c.gain - 3}) for c in one.candidates)
        assert teach(one.model_copy(update={"candidates": moved})) == teach(one)


def test_more_lines_are_no_worse_and_fewest_are_taken(points: list[BranchingPoint]) -> None:
    for one in points[:40]:
        by_size = [teach(one, most=most) for most in range(1, 5)]
        reached = [0.0 if lesson is None else lesson.spearman for lesson in by_size]
        assert all(after >= before - 1e-9 for before, after in pairwise(reached))
        longest = by_size[-1]
        assert longest is not None
        size = len(longest.text.splitlines())
        assert size == 1 or reached[size - 2] < reached[size - 1]


def test_short_lessons_get_the_steady_lines_and_answers_stay_alone(points: list[BranchingPoint]) -> None:
    for one in points[:40]:
        alone, padded = teach(one), teach(one, least=3)
        assert alone is not None
        assert padded is not None
        sentences = [line.partition("] ")[2] for line in alone.text.splitlines()]
        longer = [line.partition("] ")[2] for line in padded.text.splitlines()]
        if "Answer now." in sentences:
            assert padded == alone
        elif longer != sentences:
            assert longer[: len(sentences)] == sentences
            assert set(longer[len(sentences) :]) <= {"Do not answer yet.", "Do not repeat an earlier call."}
            assert len(longer) <= 3
            read = read_reply(padded.text, one.state, form="sheet").rubric
            assert read is not None
            found = agreement(standing(judged(read, one.actions, one.state)), one.gains)
            assert padded.spearman == pytest.approx(found)


def test_nothing_to_teach(toy: Any) -> None:
    assert teach(toy.point({"Carla Diaz": 1, "rivers": 1})) is None, "no contrast"
    both = {"weather": 1.0, "snow": 0.0}
    assert teach(toy.point(both)) is None, "no line tells them apart"


def test_without_tools_there_are_no_lines(toy: Any) -> None:
    bare = State.start(toy.state().question, limit=4)
    found = teach(toy.point({"answer: a": 1, "answer: b": 0}, at=bare))
    assert found is None


def test_a_name_that_cannot_be_quoted_is_left_out(toy: Any) -> None:
    """The example's names are refused by the reader, as models copy them: the teacher does without."""
    at = toy.state(question='Who met "Ada Blom" first?')
    found = teach(toy.point({"Ada Blom first": 1, "nobody": 0}, at=at), form="lines")
    assert found is not None
    assert read_reply(found.text, at, form="lines").rubric is not None


def test_unknown_settings(toy: Any) -> None:
    one = toy.point({"Carla Diaz": 1, "rivers": 0})
    with pytest.raises(ConfigError, match="records"):
        teach(one, form="records")
    for least, most in ((0, 4), (3, 2), (1, 5)):
        with pytest.raises(ConfigError, match="lines"):
            teach(one, least=least, most=most)


def test_weights_are_whole() -> None:
    for weights in WEIGHTS:
        assert sum(weights) == pytest.approx(1)
        assert list(weights) == sorted(weights, reverse=True)


def test_it_is_quick(points: list[BranchingPoint]) -> None:
    """Tens of thousands are taught: 5 ms each on a free core; a loaded machine gets four times that."""
    teach(points[0])
    started = time.process_time()
    for one in points:
        teach(one)
    assert (time.process_time() - started) / len(points) < 0.02


def test_budget_is_no_part_of_it(toy: Any) -> None:
    one = toy.point({"Carla Diaz": 1, "rivers": 0})
    spent = one.state.model_copy(update={"budget": Budget(limit=9, used=0)})
    assert teach(one.model_copy(update={"state": spent})) == teach(one)
