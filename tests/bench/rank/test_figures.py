"""The figures against tables worked by hand."""

from __future__ import annotations

import pytest

from coreact.bench.rank.figures import Scores, figures, random_scores, ranking, scores_by, tied, unguided
from coreact.bench.rank.rubrics import Attempt
from coreact.judge import Cost
from coreact.rubric import Action, Criterion, Rubric, State, Stops, ToolCall, ToolIs
from coreact.rubric.branching import BranchingPoint, Candidate
from coreact.testing import ScriptedJudge


def action(name: str) -> Action:
    return Action(call=ToolCall(name=name)) if name != "answer" else Action(answer="yes")


def point(*candidates: tuple[str, float], question: str = "q", sources: str = "") -> BranchingPoint:
    names = sources.split(",") if sources else [""] * len(candidates)
    return BranchingPoint(
        id=f"{question}.0",
        question_id=question,
        world="w",
        state=State.start("Who?"),
        candidates=tuple(
            Candidate(action=action(name), gain=gain, source=source)
            for (name, gain), source in zip(candidates, names, strict=True)
        ),
    )


THREE = point(("a", 0.0), ("b", 0.5), ("answer", 1.0), sources="entity,bridge,answer")


@pytest.mark.parametrize(
    ("scores", "spearman", "top", "regret", "swing"),
    [
        ((0.1, 0.5, 0.9), 1.0, 1.0, 0.0, 1),
        ((0.9, 0.5, 0.1), -1.0, 0.0, 1.0, 0),  # the unguided choice stays on top
        ((0.1, 0.9, 0.5), 0.5, 0.0, 0.5, 1),
        ((0.9, 0.1, 0.9), 0.0, 0.5, 0.5, 0),  # tied on top: the agent keeps its own
        ((None, None, None), 0.0, 1 / 3, 0.5, 0),
        ((None, 0.2, 0.8), 0.5, 1.0, 0.0, 1),  # an unknown one takes the mean, 0.5
    ],
)
def test_a_ranking(scores: Scores, spearman: float, top: float, regret: float, swing: int) -> None:
    found = ranking(THREE, scores)
    assert found.spearman == pytest.approx(spearman, abs=1e-9)
    assert (found.top, found.regret) == pytest.approx((top, regret))
    assert (found.swing, found.question) == (swing, "q")


def test_a_worse_choice_than_the_unguided_one_is_spoiled() -> None:
    one = point(("a", 0.0), ("b", 1.0), sources="x,entity")
    assert ranking(one, (0.9, 0.1)).swing == -1


def test_without_contrast_there_is_nothing_to_rank() -> None:
    with pytest.raises(ValueError, match="all worth the same"):
        ranking(point(("a", 0.5), ("b", 0.5)), (1.0, 0.0))


@pytest.mark.parametrize(
    ("sources", "place"),
    [("verbatim,entity,sample", 2), ("verbatim,entity,x", 1), ("x,verbatim,x", 1), ("x,y,z", 0)],
)
def test_the_unguided_choice(sources: str, place: int) -> None:
    assert unguided(point(("a", 0.0), ("b", 0.5), ("c", 1.0), sources=sources)) == place


def test_chance_is_drawn_once_for_all() -> None:
    assert random_scores(THREE, 0) == random_scores(THREE, 0) != random_scores(THREE, 1)
    other = point(("a", 0.0), ("b", 0.5), ("answer", 1.0), question="other")
    assert random_scores(other, 0) != random_scores(THREE, 0)
    assert tied(THREE) == (None, None, None)


# --- rubrics ----------------------------------------------------------------------------------------


def attempt(*criteria: Criterion, refused: bool = False, calls: int = 1) -> Attempt:
    return Attempt(
        generator="g",
        state=THREE.state.digest,
        rubric=Rubric(criteria=criteria) if criteria else None,
        error=None if criteria else "nothing",
        refused=refused,
        cost=Cost(calls=calls),
    )


ANSWERS = Criterion(id="stop", text="Answer.", check=Stops(), weight=2)
CALLS_B = Criterion(id="b", text="Call b.", check=ToolIs(tools=("b",)))
PROSE = Criterion(id="p", text="Be wise.")


def test_a_rubric_scores_by_its_checks() -> None:
    low, middle, high = scores_by(attempt(ANSWERS, CALLS_B), THREE)
    assert low is not None
    assert middle is not None
    assert high is not None
    assert low < middle < high


def test_prose_is_open_without_a_judge_and_decided_with_one() -> None:
    assert scores_by(attempt(PROSE), THREE) == (None, None, None)
    judge = ScriptedJudge(lambda _, action: "met" if action.stops else "unmet")
    scores = scores_by(attempt(PROSE), THREE, judge=judge)
    assert ranking(THREE, scores).top == 1.0


def test_no_rubric_ranks_nothing() -> None:
    assert scores_by(attempt(), THREE) == tied(THREE)


# --- arms -------------------------------------------------------------------------------------------


def test_figures_of_arms() -> None:
    first, second = THREE, point(("a", 0.0), ("b", 1.0), question="r", sources="entity,bridge")
    good = [ranking(first, (0.1, 0.5, 0.9)), ranking(second, (0.1, 0.9))]
    bad = [ranking(first, (0.9, 0.5, 0.1)), ranking(second, (None, None))]
    wrote = [attempt(ANSWERS, CALLS_B, PROSE), attempt(ANSWERS, calls=3)]
    failed = [attempt(refused=True), attempt()]
    found = {
        one.arm: one for one in figures({"heuristic": good, "bad": bad}, {"heuristic": wrote, "bad": failed})
    }
    heuristic, other = found["heuristic"], found["bad"]
    assert (heuristic.points, heuristic.questions, heuristic.spearman.mean) == (2, 2, pytest.approx(1.0))
    assert heuristic.to_heuristic is None
    assert other.to_heuristic is not None
    assert other.spearman.mean == pytest.approx(-0.5)  # -1 and 0
    assert other.to_heuristic.mean == pytest.approx(-1.5)
    assert (heuristic.fixed, heuristic.spoiled, heuristic.net.mean) == (2, 0, 1.0)
    assert (other.fixed, other.spoiled) == (0, 0)
    assert (heuristic.written, heuristic.refused, heuristic.failed) == (1.0, 0.0, 0.0)
    assert (other.written, other.refused, other.failed) == (0.0, 0.5, 0.5)
    assert (heuristic.criteria, heuristic.compiled) == (2.0, 0.75)
    assert (other.criteria, other.compiled) == (None, None)
    assert heuristic.cost.calls == 4


def test_points_of_a_question_are_averaged_first() -> None:
    ranked = [ranking(THREE, (0.1, 0.5, 0.9)), ranking(THREE, (0.9, 0.5, 0.1))]
    ranked.append(ranking(point(("a", 0.0), ("b", 1.0), question="r"), (0.1, 0.9)))
    (found,) = figures({"random": ranked}, {})
    assert (found.points, found.questions, found.spearman.mean) == (3, 2, pytest.approx(0.5))
    assert found.written is None


def test_a_tie_on_top_changes_nothing() -> None:
    one = point(("a", 1.0), ("b", 0.0), sources="x,entity")
    assert ranking(one, (0.5, 0.5)).swing == 0
