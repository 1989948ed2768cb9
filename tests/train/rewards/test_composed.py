"""Rewards of whole groups as TRL calls them, and what their advantages come to."""

from __future__ import annotations

import asyncio
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from coreact.errors import ConfigError
from coreact.rubric.branching import BranchingPoint
from coreact.train.rewards.composed import ComposedReward, SoftMinimumReward
from coreact.train.rewards.gates import Composition
from coreact.train.rewards.reward import Reward, RewardSettings, RubricReward
from coreact.train.rewards.schedules import PROCESS_TO_OUTCOME, Schedule


class Field:
    """A reward by script: the completion holds the numbers, `?` is an outage."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.calls = 0

    def score(self, completion: str, point: BranchingPoint) -> Reward:
        self.calls += 1
        word = completion.split()[self.place]
        return Reward(masked="judge: transport") if word == "?" else Reward(value=float(word))

    async def ascore(self, completion: str, point: BranchingPoint) -> Reward:
        return self.score(completion, point)


@pytest.fixture
def rows(made) -> list[str]:
    return [made([2.0, 1.0, 0.0], name=name).model_dump_json() for name in "ab"]


def run(reward, texts: list[str], rows: list[str], **more) -> list[float | None]:
    return asyncio.run(reward([""] * len(texts), texts, point=rows, **more))


def test_each_group_is_measured_by_its_own_best(rows: list[str]) -> None:
    reward = ComposedReward(Field(0), Field(1), Composition(gate="positive_only"))
    texts = ["1 .2", "1 .4", "0 .1", "1 .8", "0 1", "1 ?"]
    logged: dict[str, float] = {}
    found = run(reward, texts, [rows[0]] * 3 + [rows[1]] * 3, log_metric=logged.__setitem__)
    assert found == [pytest.approx(0.85), 1.0, 0.0, pytest.approx(0.94), 0.0, None]
    assert reward.masked == {"judge: transport": 1}
    assert logged == {"composed/outcome": pytest.approx(4 / 6), "composed/process": pytest.approx(0.5)}


def test_a_schedule_follows_the_trainer(rows: list[str]) -> None:
    reward = ComposedReward(Field(0), Field(1), Composition(share=PROCESS_TO_OUTCOME))
    at = [
        run(
            reward,
            ["1 0", "0 1"],
            [rows[0]] * 2,
            trainer_state=SimpleNamespace(global_step=step, max_steps=101),
        )
        for step in (0, 50, 100)  # the last one is at the end of the schedule
    ]
    assert at == [[0.5, 0.5], [0.75, 0.25], [1.0, 0.0]]
    assert run(reward, ["1 0"], [rows[0]]) == [0.5]  # nobody says how far training is


def test_equal_completions_of_a_point_are_scored_once(rows: list[str]) -> None:
    outcome = Field(0)
    run(ComposedReward(outcome, Field(1), Composition()), ["1 0"] * 4 + ["0 0"], [rows[0]] * 5)
    assert outcome.calls == 2


def test_form_is_paid_only_where_the_order_is_right(collected) -> None:
    """Two real rewards under `positive_only`: wording cannot be farmed with a wrong order."""
    order = RubricReward(RewardSettings(ranking=1, atomic=0, format=0, rank="pairwise"), form="lines")
    wording = RubricReward(RewardSettings(ranking=0, atomic=1, format=1), form="lines")
    reward = pickle.loads(pickle.dumps(ComposedReward(order, wording, Composition(gate="positive_only"))))
    texts = [
        "1. [0.4] Do not answer yet.\n2. [0.3] Do not repeat an earlier call.\n3. [0.3] Search.\n",
        "1. [0.5] Answer now.\n2. [0.5] Repeat an earlier call.\n",
        "no rubric at all",
    ]
    paid = wrong = 0
    for point in collected[:10]:
        found = run(reward, texts, [point.model_dump_json()] * 3)
        for text, value in zip(texts, found, strict=True):
            right = order.score(text, point).value
            assert (value == 0) == (right == 0)
            paid += value > 0
            wrong += right == 0 and wording.score(text, point).value > 0
    assert paid
    assert wrong  # well worded, and paid nothing


def test_the_soft_minimum_prefers_the_even_rollout(rows: list[str]) -> None:
    texts = [".6 .6 .6", "1 .8 0", ".9 .9 .9", ".1 .1 .1"]
    sharp = SoftMinimumReward([Field(at) for at in range(3)], k=Schedule(start=2, end=2))
    found = run(sharp, texts, [rows[0]] * 4)
    assert found[2] == max(found)
    assert found[0] > found[1]  # equal means
    assert sum(found) == pytest.approx(0)
    assert np.std(found, ddof=1) == pytest.approx(1)


def test_groups_without_contrast_give_zero_and_outages_none(rows: list[str]) -> None:
    reward = SoftMinimumReward([Field(0), Field(1)])
    found = run(reward, ["1 1", "1 1", "? ?", "1 0", "0 0", "? 1"], [rows[0]] * 3 + [rows[1]] * 3)
    assert found[:3] == [0.0, 0.0, None]
    assert None not in found[3:]
    assert run(reward, [], []) == []
    with pytest.raises(ConfigError, match="at least two"):
        SoftMinimumReward([Field(0)])
