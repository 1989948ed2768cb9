"""What a reply should do, as criteria: they are what the reward pays for, and they can be shown or missed."""

from __future__ import annotations

import pytest

from coreact.generate.prompt import chat, step_prompt
from coreact.rubric.branching import BranchingPoint
from coreact.train.branch.scripted import collect, parts
from coreact.train.hindsight import rewriting
from coreact.train.replies import ATOMIC, READABLE, checked_scores, judged_reply, reply_rubric
from coreact.train.rewards.reward import RewardSettings, RubricReward
from coreact.train.scaffold import ScaffoldRollouts, ScaffoldSettings
from coreact.train.teaching import teach
from coreact.worlds import World


@pytest.fixture(scope="module")
def points(world: World) -> list[BranchingPoint]:
    questions = parts(world, n=30, seed=0).train
    return [one for one in collect(world, questions, seed=0, per_question=2) if one.has_contrast]


def statuses(text: str, point: BranchingPoint) -> dict[str, str]:
    return {one.criterion: one.status for one in judged_reply(text, point, form="sheet").judgement.verdicts}


def test_a_lesson_meets_more_than_a_bad_reply_and_nonsense_meets_nothing(
    points: list[BranchingPoint],
) -> None:
    taught = [(point, lesson) for point in points if (lesson := teach(point, form="sheet")) is not None]
    assert len(taught) > 20
    for point, lesson in taught:
        good = judged_reply(lesson.text, point, form="sheet").judgement
        assert good.score is not None
        if lesson.spearman > 0.999:
            assert good.passed
            assert good.score == pytest.approx(1.0)
        nothing = judged_reply("no rubric", point, form="sheet").judgement
        assert nothing.score == 0
        assert {one.status for one in nothing.verdicts} == {"unmet"}


def test_the_form_is_judged_apart_from_the_order(points: list[BranchingPoint]) -> None:
    point = points[0]
    fine = statuses("1. [1] Do not repeat an earlier call.", point)
    assert (fine[READABLE], fine[ATOMIC]) == ("met", "met")
    torn = statuses("1. [0.5] Do not repeat an earlier call.\n2. [0.5] Search for name 99.", point)
    assert torn[READABLE] == "unmet"
    prose = statuses("1. [1] Be exact about the river.", point)
    assert {status for name, status in prose.items() if name.startswith("pair")} == {"unknown"}


def test_more_pairs_in_order_go_with_a_higher_reward(points: list[BranchingPoint]) -> None:
    """Not the same number, but the same direction: a rewrite that meets more criteria is paid more."""
    settings = RewardSettings(ranking=1, atomic=0, format=0)
    reward = RubricReward(settings, form="sheet")
    replies = [f"1. [1] Search for name {at}." for at in range(1, 7)] + ["1. [1] Answer now."]
    agreeing, compared = 0, 0
    for point in points[:16]:
        rows = []
        for text in replies:
            value, judged = reward.score(text, point), judged_reply(text, point, form="sheet", most_pairs=99)
            if value.value is not None and value.spearman is not None and judged.judgement.score is not None:
                rows.append((value.value, judged.judgement.score))
        for one in rows:
            for other in rows:
                if one[0] > other[0] + 0.05 and one[1] != other[1]:
                    compared += 1
                    agreeing += one[1] > other[1]
    assert compared > 40
    assert agreeing / compared > 0.95


def test_scores_by_checks_do_not_look_at_gains(points: list[BranchingPoint]) -> None:
    point = points[0]
    lesson = teach(point, form="sheet")
    assert lesson is not None
    from coreact.generate.reading import read_reply

    rubric = read_reply(lesson.text, point.state, form="sheet").rubric
    assert rubric is not None
    turned = point.model_copy(
        update={"candidates": tuple(c.model_copy(update={"gain": -c.gain}) for c in point.candidates)}
    )
    assert checked_scores(rubric, point) == checked_scores(rubric, turned)


def test_it_scaffolds_and_gives_hindsight(points: list[BranchingPoint]) -> None:
    point = points[0]
    prompt = chat(step_prompt(point.state, form="sheet"))
    rubric = reply_rubric(point)
    hook = ScaffoldRollouts.of([(prompt, rubric)], ScaffoldSettings(decay="linear"))
    messages, count = hook.prompt(prompt, step=1, rollout=0, group=2, total=9)
    assert count == len(rubric)
    assert all(one.text in messages[-1]["content"] for one in rubric)
    judged = judged_reply("1. [1] Do not repeat an earlier call.", point, form="sheet")
    asked = rewriting(prompt, "1. [1] Do not repeat an earlier call.", judged.rubric, judged.judgement)
    assert asked is not None
    assert set(asked.criteria) == {one.criterion for one in judged.judgement.unmet}
    assert READABLE not in asked.criteria


def test_the_number_of_pairs_is_bounded_and_weights_add_up(points: list[BranchingPoint]) -> None:
    for most in (0, 1, 3):
        rubric = reply_rubric(points[0], most_pairs=most)
        assert sum(one.id.startswith("pair") for one in rubric) == min(most, 3)
        assert sum(one.weight for one in rubric) == pytest.approx(1)
