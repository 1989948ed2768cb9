"""Credit by stage: what a rollout did well in one stage is learned in that stage's tokens and nowhere else.

RubricEM (arXiv 2605.10899) scores each stage (plan, gather, review, synthesise) by a rubric of its own. The
return of a stage is its score plus what later stages made of it; the advantage is taken across the group
stage by stage, and every token of the stage shares it. What differs: a stage whose judge failed is masked,
where the paper falls back to the terminal score; a stage that a rollout does not have is no failure of it.

`coreact.generate.stages` says which stage a step belongs to. TRL's loss takes advantages per token as
`token_advantages` gives them, one row a completion.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from coreact.train.rewards.advantages import Scale, group_advantages
from coreact.train.rewards.arrays import Array, numbers


def coupling(stages: int, *, later: float = 0.0) -> Array:
    """λ: how much of each later stage's score a stage is credited with.

    Args:
        stages: how many there are, in order.
        later: factor for each stage further away, in [0, 1]: λ(k, j) = later^(j - k) for j > k. 0: each stage
            answers for itself; 1: for all that follows. The paper fixes the diagonal at 1 and earlier stages
            at 0; the other entries are unseen, so this form is a reconstruction.

    Returns:
        `(stages, stages)`, upper triangular.
    """
    if stages < 1 or not 0 <= later <= 1:
        raise ValueError(
            f"{stages} stages, coupled by {later}: at least 1, and a factor in [0, 1] are needed"
        )
    distance = np.arange(stages)[None, :] - np.arange(stages)[:, None]
    return np.where(distance >= 0, float(later) ** np.maximum(distance, 0), 0.0)


def stage_returns(scores: Any, weights: Any, *, present: Any = None) -> Array:
    """G(i, k) = Σ over j ≥ k of λ(k, j)·R(i, j).

    Args:
        scores: `(..., members, stages)` in [0, 1]; None or NaN where nobody could judge.
        weights: λ, `(stages, stages)`, from `coupling` or one's own; below the diagonal it must be 0, since
            a stage cannot be credited with what came before it.
        present: `(..., members, stages)`, true where the rollout has the stage; None: everywhere.

    Returns:
        The same shape; NaN where the rollout does not have the stage, or an unknown score counts in it.

    Raises:
        ValueError: the shapes do not fit, or λ credits a stage with an earlier one.
    """
    array, factors = numbers(scores, what="scores", least=2), numbers(weights, what="λ", dimensions=2)
    stages = array.shape[-1]
    if factors.shape != (stages, stages) or np.isnan(factors).any():
        raise ValueError(f"λ of shape {factors.shape} for {stages} stages")
    if np.tril(factors, -1).any():
        raise ValueError("λ credits a stage with an earlier one")
    there = np.ones(array.shape, dtype=bool) if present is None else np.asarray(present, dtype=bool)
    if there.shape != array.shape:
        raise ValueError(f"{there.shape} stages present for scores of shape {array.shape}")
    unknown = np.isnan(array) & there
    returns = np.where(there & ~unknown, array, 0.0) @ factors.T
    blurred = unknown.astype(float) @ (factors.T != 0) > 0
    return np.where(there & ~blurred, returns, np.nan)


def stage_advantages(returns: Any, *, scale: Scale = "group") -> Array:
    """The advantage of each stage, against the same stage of the other members.

    Args:
        returns: `(..., members, stages)`; NaN is masked.
        scale: what deviations are divided by.

    Returns:
        The same shape; 0 for what is masked, and for a stage in which the group has no contrast.
    """
    array = numbers(returns, what="returns", least=2)
    return np.swapaxes(group_advantages(np.swapaxes(array, -1, -2), scale=scale), -1, -2)


def token_advantages(advantages: Any, stages: Any) -> Array:
    """Each token's advantage: that of its stage.

    Args:
        advantages: `(..., stages)`, a row a rollout.
        stages: `(..., tokens)`, the position of each token's stage; -1 for tokens of none (what tools
            returned, padding).

    Returns:
        `(..., tokens)`; 0 for tokens of no stage.

    Raises:
        ValueError: there is no such stage, or the rows do not fit.
    """
    array, places = numbers(advantages, what="advantages"), np.asarray(stages)
    if array.shape[:-1] != places.shape[:-1]:
        raise ValueError(f"{array.shape[:-1]} rows of advantages for {places.shape[:-1]} rows of tokens")
    if places.dtype.kind not in "iu" or (places < -1).any() or (places >= array.shape[-1]).any():
        raise ValueError(f"a token's stage is a whole number from -1 to {array.shape[-1] - 1}")
    return np.where(places < 0, 0.0, np.take_along_axis(array, np.maximum(places, 0), axis=-1))
