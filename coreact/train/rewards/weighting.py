"""Weights to train by, which move, beside the weights to evaluate by, which do not.

Three published ways, each with the same result, weights by criterion id that `reweighted`
(`coreact.generate.refinement.weights`) makes a rubric of:

- `whitened_weights`: what is said twice counts once (RRD, arXiv 2602.05125);
- `Emphasis`: criteria that tell the current rollouts apart count more (POW3R, arXiv 2605.20164);
- `progress_weights`: objectives that get better, and still can, count more (SPARD, arXiv 2604.07837), with
  `task_weights` to draw tasks that inform the objectives of the hour.

The first two keep the total of each kind of criterion, so no kind is starved. No function changes a rubric or
an array that it is given. All figures that the papers leave unseen are reconstructions, and say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from coreact.generate.refinement.weights import Votes, training_weights
from coreact.rubric import Record, Rubric
from coreact.rubric.settings import Settings
from coreact.train.rewards.arrays import Array, numbers

_STEEPEST = 3.0  # of a gain over its spread: e³ is 20 times the weight of standing still
_QUIETEST = 1e-2  # a spread of gains below it is no evidence of steadiness


class PolicyAware(Settings):
    """How quickly and how far training weights follow the rollouts.

    The values are reconstructions: the paper's are unseen.
    """

    blend: float = Field(default=0.5, ge=0, le=1)
    """λ: 0 keeps the evaluation weights, 1 goes by the rollouts alone."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """β: how much of the old factor stays each time."""
    low: float = Field(default=0.25, ge=0, le=1)
    """Least factor. 0 with blend 1 takes all weight from a criterion that never tells rollouts apart."""
    high: float = Field(default=4.0, ge=1, allow_inf_nan=False)
    """Greatest factor."""
    reliable: float = Field(default=0.0, ge=0, le=1)
    """Least reliability of a criterion's verdicts for which a spread above its kind's mean is believed: a
    judge that errs at random looks like a criterion that discriminates."""


class Emphasis(Record):
    """POW3R's factors, by criterion id: plain data that a checkpoint can hold.

    The factor of a criterion is the spread of its verdicts within groups over the mean spread of its kind,
    blended with 1, averaged over time and clipped. A criterion without an entry has the factor 1.
    """

    factors: dict[str, float] = Field(default_factory=dict)

    def after(
        self,
        rubric: Rubric,
        votes: Any,
        settings: PolicyAware | None = None,
        *,
        reliability: Mapping[str, float] | None = None,
    ) -> Emphasis:
        """The factors after one more epoch.

        Args:
            rubric: its criteria are the last axis of `votes`, in order.
            votes: `(groups, members, criteria)` in [0, 1]; None or NaN where nobody could judge. A criterion
                that no group judged twice keeps its factor.
            settings: how quickly and how far.
            reliability: of each criterion's verdicts in [0, 1], where it was measured, such as the agreement
                of two judgings.

        Raises:
            ValueError: the votes do not fit the rubric.
        """
        settings = settings or PolicyAware()
        spread = dict(zip([c.id for c in rubric], _spread(votes, len(rubric.criteria)), strict=True))
        factors = {}
        for ids in _kinds(rubric).values():
            known = [spread[one] for one in ids if spread[one] == spread[one]]
            mean = sum(known) / len(known) if known else 0.0
            for one in ids:
                old = self.factors.get(one, 1.0)
                if mean <= 0 or spread[one] != spread[one]:  # nothing varies, or nothing is known
                    factors[one] = old
                    continue
                ratio = spread[one] / mean
                if (reliability or {}).get(one, 1.0) < settings.reliable:
                    ratio = min(ratio, 1.0)
                target = (1 - settings.blend) + settings.blend * ratio
                moved = settings.momentum * old + (1 - settings.momentum) * target
                factors[one] = min(settings.high, max(settings.low, moved))
        return Emphasis(factors={criterion.id: factors[criterion.id] for criterion in rubric})

    def weights(self, rubric: Rubric) -> Mapping[str, float]:
        """Training weights: those of the rubric times the factors, scaled so that each kind keeps its total.

        Returns:
            By criterion id, each at least 0, adding up to 1. A kind whose factors are all 0 keeps its
            weights.
        """
        shares = {criterion.id: rubric.share(criterion) for criterion in rubric}
        found: dict[str, float] = {}
        for ids in _kinds(rubric).values():
            moved = {one: shares[one] * self.factors.get(one, 1.0) for one in ids}
            if not sum(moved.values()) > 0:
                moved = {one: shares[one] for one in ids}
            scale = sum(shares[one] for one in ids) / sum(moved.values())
            found.update((one, weight * scale) for one, weight in moved.items())
        return {criterion.id: found[criterion.id] for criterion in rubric}


def whitened_weights(rubric: Rubric, votes: Votes) -> Mapping[str, float]:
    """Weights by how verdicts vary together, each kind keeping its total; see `training_weights`.

    Args:
        rubric: its criteria are the columns.
        votes: a row a rollout.

    Raises:
        MissingExtraError: the extra `judge` is not installed.
        ValueError: the votes do not fit the rubric.
    """
    return training_weights(rubric, votes, keep_kinds=True)


class Progress(Settings):
    """How weights follow progress. The values are reconstructions: the paper's formulas are unseen."""

    window: int = Field(default=8, ge=2)
    """Latest steps whose gains are looked at."""
    floor: float = Field(default=0.2, ge=0, le=1)
    """Share of the weight that is dealt out evenly, so that nothing is forgotten."""


def progress_weights(levels: Any, settings: Progress | None = None) -> Array:
    """Weights of objectives by how reliably they rise and how much they still can.

    A reconstruction: softmax of mean gain over spread of gains within the window, times the room left up to
    1, then the floor. The room is *ours*: by gains alone an objective that stands still at the top looks like
    one that stands still half-way.

    Args:
        levels: `(steps, objectives)` in [0, 1], the mean score of each at each step, oldest first; None or
            NaN where it was not scored.
        settings: window and floor.

    Returns:
        `(objectives,)`, at least floor / objectives each, adding up to 1; uniform before the second step and
        where there is no room left anywhere.

    Raises:
        ValueError: a level is outside of [0, 1].
    """
    settings = settings or Progress()
    array = _shares(levels, "levels", dimensions=2)[-settings.window :]
    even = np.full(array.shape[1], 1 / array.shape[1])
    if len(array) < 2:
        return np.asarray(even)
    gains = np.diff(_carried(array), axis=0)
    known = ~np.isnan(gains)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, gains, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, gains - mean, 0.0) ** 2).sum(axis=0) / count)
    steady = np.clip(mean / np.maximum(spread, _QUIETEST), -_STEEPEST, _STEEPEST)
    return _floored(np.exp(steady) * (1 - np.nan_to_num(_carried(array)[-1], nan=0.5)), settings.floor)


def task_weights(dispersion: Any, weights: Sequence[float], *, floor: float = 0.2) -> Array:
    """Probabilities to draw tasks by: how far their rollouts differ in the objectives that count now.

    A reconstruction: p ∝ Σ over objectives of dispersion · weight, then the floor.

    Args:
        dispersion: `(tasks, objectives)`, the spread of each objective's scores among a task's rollouts, at
            least 0; None or NaN counts as 0.
        weights: of the objectives, at least 0.
        floor: share of the probability that is dealt out evenly.

    Returns:
        `(tasks,)`, adding up to 1; uniform where no task has any dispersion.
    """
    array = np.nan_to_num(numbers(dispersion, what="dispersion", dimensions=2), nan=0.0)
    heavy = numbers(list(weights), what="weights", dimensions=1)
    if heavy.shape[0] != array.shape[1] or not (heavy >= 0).all() or (array < 0).any():
        raise ValueError("dispersions and weights are at least 0, with one weight for each objective")
    return _floored(array @ heavy, floor)


def _spread(votes: Any, criteria: int) -> list[float]:
    """Each criterion's variance within a group, mean over groups; NaN where no group judged it twice."""
    array = _shares(votes, "votes", dimensions=3)
    if array.shape[-1] != criteria:
        raise ValueError(f"{array.shape[-1]} votes in a row for {criteria} criteria")
    known = ~np.isnan(array)
    count = known.sum(axis=1)
    mean = np.where(known, array, 0.0).sum(axis=1) / np.maximum(count, 1)
    squares = (np.where(known, array - mean[:, None, :], 0.0) ** 2).sum(axis=1)
    usable = count > 1
    variance = np.where(usable, squares / np.maximum(count, 1), 0.0).sum(axis=0)
    groups = usable.sum(axis=0)
    return [float(v / n) if n else float("nan") for v, n in zip(variance, groups, strict=True)]


def _kinds(rubric: Rubric) -> Mapping[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for criterion in rubric:
        kinds.setdefault(criterion.kind, []).append(criterion.id)
    return kinds


def _shares(values: Any, what: str, *, dimensions: int) -> Array:
    array = numbers(values, what=what, dimensions=dimensions)
    if (array < 0).any() or (array > 1).any():
        raise ValueError(f"{what}: a value is outside of [0, 1]")
    return array


def _carried(levels: Array) -> Array:
    """Each unknown level replaced by the last known one before it."""
    filled = levels.copy()
    for at in range(1, len(filled)):
        gap = filled[at] != filled[at]
        filled[at][gap] = filled[at - 1][gap]
    return filled


def _floored(raw: Array, floor: float) -> Array:
    total = raw.sum()
    shares = raw / total if total > 0 else np.full(len(raw), 1 / max(len(raw), 1))
    return np.asarray(floor / max(len(raw), 1) + (1 - floor) * shares)
