"""What is learned from a stage is learned in that stage, and only there."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.train.rewards.advantages import group_advantages
from coreact.train.rewards.stagewise import coupling, stage_advantages, stage_returns, token_advantages

PLAN, GATHER, REVIEW, WRITE = range(4)


def test_the_coupling_is_upper_triangular_with_ones_on_the_diagonal() -> None:
    assert coupling(3).tolist() == np.eye(3).tolist()
    assert coupling(3, later=0.5).tolist() == [[1, 0.5, 0.25], [0, 1, 0.5], [0, 0, 1]]
    assert coupling(2, later=1).tolist() == [[1, 1], [0, 1]]
    for stages, later in ((0, 0.5), (2, 1.5), (2, -0.1)):
        with pytest.raises(ValueError, match="stages"):
            coupling(stages, later=later)


def test_returns_by_hand() -> None:
    scores = [[0.2, 0.4, 1.0]]
    returns = stage_returns(scores, [[1, 0.5, 0.1], [0, 1, 0.3], [0, 0, 1]])
    np.testing.assert_allclose(returns, [[0.2 + 0.2 + 0.1, 0.4 + 0.3, 1.0]])


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=2, max_size=5))
def test_without_coupling_each_stage_is_a_group_of_its_own(scores: list[list[float]]) -> None:
    found = stage_advantages(stage_returns(scores, coupling(3)))
    for stage in range(3):
        expected = group_advantages([row[stage] for row in scores])
        np.testing.assert_allclose(found[:, stage], expected, atol=1e-12)


def test_rollouts_that_differ_in_review_only_differ_on_review_tokens_only() -> None:
    scores = [[0.5, 0.5, 1.0, 0.5], [0.5, 0.5, 0.0, 0.5]]
    advantages = stage_advantages(stage_returns(scores, coupling(4)))
    stages = [
        [PLAN, PLAN, GATHER, -1, -1, REVIEW, REVIEW, WRITE],
        [PLAN, GATHER, -1, REVIEW, WRITE, WRITE, -1, -1],
    ]
    tokens = token_advantages(advantages, stages)
    assert tokens.shape == (2, 8)
    of_review = np.array(stages) == REVIEW
    assert (tokens[0][of_review[0]] > 0).all()
    assert (tokens[1][of_review[1]] < 0).all()
    assert not tokens[~of_review].any()


def test_coupling_pays_a_plan_for_what_came_of_it_but_never_an_answer_for_its_plan() -> None:
    scores = [[0.5, 0.5, 0.5, 1.0], [0.5, 0.5, 0.5, 0.0]]
    later = stage_advantages(stage_returns(scores, coupling(4, later=0.5)))
    assert (later[0] > 0).all()
    scores = [[1.0, 0.5, 0.5, 0.5], [0.0, 0.5, 0.5, 0.5]]
    first = stage_advantages(stage_returns(scores, coupling(4, later=0.5)))
    assert first[0, PLAN] > 0
    assert not first[:, GATHER:].any()
    with pytest.raises(ValueError, match="earlier"):
        stage_returns(scores, np.ones((4, 4)))


def test_a_stage_nobody_could_judge_is_masked_with_all_that_rests_on_it() -> None:
    scores = [[1.0, None, 0.5], [0.0, 0.5, 0.5], [0.5, 0.2, 0.5]]
    alone = stage_returns(scores, coupling(3))
    np.testing.assert_equal(np.isnan(alone), [[False, True, False]] + [[False] * 3] * 2)
    coupled = stage_returns(scores, coupling(3, later=0.5))
    np.testing.assert_equal(np.isnan(coupled[0]), [True, True, False])
    advantages = stage_advantages(coupled)
    assert advantages[0, :2].tolist() == [0, 0]
    assert advantages[1, GATHER] == pytest.approx(-advantages[2, GATHER])  # the others are still compared
    assert advantages[1, GATHER] > 0


def test_a_stage_that_a_rollout_does_not_have_is_no_failure() -> None:
    scores = [[0.5, 0.0, 0.5], [0.5, 0.8, 0.5]]
    present = [[True, False, True], [True, True, True]]
    returns = stage_returns(scores, coupling(3, later=1), present=present)
    np.testing.assert_equal(returns, [[1.0, math.nan, 0.5], [1.8, 1.3, 0.5]])
    scores[0][1] = math.nan  # absent and unjudged: nothing is unknown about it
    np.testing.assert_equal(stage_returns(scores, coupling(3, later=1), present=present), returns)


def test_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match="λ of shape"):
        stage_returns([[1.0, 0.5]], coupling(3))
    with pytest.raises(ValueError, match="present"):
        stage_returns([[1.0, 0.5]], coupling(2), present=[[True]])
    for stages in ([[2, 0]], [[-2, 0]], [[0.5, 0.0]]):
        with pytest.raises(ValueError, match="whole number"):
            token_advantages([[0.1, 0.2]], stages)
    with pytest.raises(ValueError, match="rows"):
        token_advantages([[0.1, 0.2]], [[0], [1]])


def test_trls_loss_takes_advantages_by_token() -> None:
    """One row a completion, as `GRPOTrainer` asks for: an axis of tokens is used as it is."""
    torch = pytest.importorskip("torch", reason="needs the extra `train`")
    tokens = torch.tensor(token_advantages([[1.0, -1.0], [0.5, 0.0]], [[0, 0, 1], [1, 0, -1]]))
    assert tokens.dim() == 2
    logits = torch.zeros(2, 3, requires_grad=True)
    (-(torch.exp(logits - logits.detach()) * tokens).sum()).backward()
    np.testing.assert_allclose(-logits.grad.numpy(), [[1, 1, -1], [0, 0.5, 0]])
