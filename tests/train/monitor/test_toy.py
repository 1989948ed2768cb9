"""The toy policy: its arithmetic, and that it learns rubrics of real decisions from the real reward."""

from __future__ import annotations

from random import Random
from statistics import fmean

import numpy as np
import pytest

from coreact.generate.reading import read_reply
from coreact.judge.ordering import agreement, judged, standing
from coreact.rubric import Action, Criterion, Rubric
from coreact.rubric.branching import BranchingPoint
from coreact.testing import ScriptedJudge
from coreact.train.branch.scripted import collect, parts
from coreact.train.monitor import ErringJudge, VerifierError
from coreact.train.monitor.toy import ToySettings, anticipated, expected, improve
from coreact.train.rewards.reward import RubricReward
from coreact.train.teaching import lines_for, written
from coreact.worlds import gazetteer

CHOICES = 12
"""Replies that the policy knows for each decision."""


def test_equal_rewards_and_masked_ones_teach_nothing() -> None:
    settings = ToySettings(steps=3)
    for reward in (0.5, None):
        steps = list(improve([[0.5, 0.3, 0.2]], lambda *_, r=reward: r, settings))
        assert np.allclose(steps[-1].policy, [[0.5, 0.3, 0.2]])
        assert steps[-1].zero_variance == 1.0
        assert (steps[-1].reward, steps[-1].masked) == ((None, 1.0) if reward is None else (0.5, 0.0))
        assert steps[-1].kl == pytest.approx(0)
        assert steps[-1].figures.proxy == steps[-1].reward


def test_one_step_is_the_gradient_of_the_group() -> None:
    settings = ToySettings(steps=1, group=4, rate=0.1, seed=3)
    drawn: list[int] = []

    def reward(_: int, response: int) -> float:
        drawn.append(response)
        return float(response == 0)

    (step,) = improve([[0.5, 0.5]], reward, settings)
    hits = [float(one == 0) for one in drawn]
    assert 0 < sum(hits) < 4
    spread = (sum((h - fmean(hits)) ** 2 for h in hits) / 3) ** 0.5
    pull = sum((h - fmean(hits)) / (spread + 1e-4) * h for h in hits) / 4
    logit = 0.1 * pull * 2  # one log-odd rises by the pull, the other falls by it
    assert step.policy[0, 0] == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-3)


def test_ratios_are_clipped_and_the_penalty_holds_the_policy_back() -> None:
    def end(**given: float) -> float:
        settings = ToySettings.model_validate({"steps": 30, "rate": 0.3, "seed": 1, **given})
        return float(list(improve([[0.2, 0.8]], lambda _, r: float(r == 0), settings))[-1].policy[0, 0])

    assert end(kl=1.0) < end(kl=0.1) < end()
    assert end(passes=6, clip=0.05) < end(passes=6, clip=10)


def test_groups_of_any_size_do_on_average_what_an_infinite_one_does() -> None:
    start, rewards = [[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]], [[0.0, 0.5, 1.0], [1.0, 0.2, 0.1]]
    settings = ToySettings(steps=25, group=64, rate=0.1)
    *_, limit = anticipated(start, rewards, settings)
    *_, run = improve(start, lambda c, r: rewards[c][r], settings)
    assert expected(run.policy, rewards) == pytest.approx(expected(limit.policy, rewards), abs=0.03)


def test_a_response_that_is_never_sampled_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        next(improve([[1.0, 0.0]], lambda *_: 1.0, ToySettings()))


def _replies(point: BranchingPoint) -> list[str]:
    """Replies of one to three lines, drawn without looking at gains."""
    lines = lines_for(point.state, "lines")
    random = Random(point.id)
    drawn = (written(random.sample(lines, random.choice((1, 2, 3)))) for _ in range(8 * CHOICES))
    return list(dict.fromkeys(drawn))[:CHOICES]


def _by_ear(point: BranchingPoint, rubric: Rubric, *, seed: int) -> float:
    """Agreement of a rubric with the gains where a judge who errs now and then decides, and no check."""
    checks = {criterion.id: criterion.check for criterion in rubric}

    def decide(criterion: Criterion, action: Action) -> str:
        check = checks[criterion.id]
        assert check is not None
        return check.evaluate(action, point.state).status

    errors = [VerifierError(kind=kind, rate=0.05) for kind in ("false_positive", "false_negative")]
    judge = ErringJudge(ScriptedJudge(decide, name="ear"), errors, seed=seed)  # type: ignore[arg-type]
    bare = Rubric(criteria=tuple(c.model_copy(update={"check": None}) for c in rubric))
    found = judged(bare, point.actions, point.state, judge=judge)
    return agreement(standing(found), point.gains) or 0.0


def test_it_learns_rubrics_from_the_real_reward_that_a_judge_of_its_own_can_use() -> None:
    world = gazetteer()
    points = [p for p in collect(world, parts(world, n=24, seed=0).train, per_question=2) if p.has_contrast]
    known = [(p, replies) for p in points if len(replies := _replies(p)) == CHOICES][:24]
    assert len(known) == 24
    reward = RubricReward(form="lines")
    scored = [[reward.score(text, point) for text in replies] for point, replies in known]
    table = [[one.value for one in row] for row in scored]
    start = [[1 / CHOICES] * CHOICES] * len(known)
    chance = expected(np.array(start), table)

    steps = list(improve(start, lambda c, r: table[c][r], ToySettings(steps=150, rate=0.3, seed=0)))
    best = [max(value for value in row if value is not None) for row in table]
    end = expected(steps[-1].policy, table)
    assert end > chance + 0.15
    assert end > 0.9 * fmean(best)

    learned: list[float] = []
    drawn: list[float] = []
    for (point, replies), row in zip(known, steps[-1].policy, strict=True):
        for replied, into in (
            (replies[int(row.argmax())], learned),
            (Random(point.id).choice(replies), drawn),
        ):
            rubric = read_reply(replied, point.state, form="lines").rubric
            into.append(0.0 if rubric is None else _by_ear(point, rubric, seed=1))
    assert fmean(learned) > 0.45
    assert fmean(learned) > fmean(drawn) + 0.25
