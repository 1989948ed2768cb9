"""Rewards of whole groups, as TRL calls them: gates over outcome and process, and the soft minimum over
several.

`TrlReward` scores each completion by itself. Some rewards cannot: the group's best process score is the
measure of the others, and a z-score needs siblings. Rows with the same `point` are one group here, so all
rollouts of a prompt must be scored in one process: give each process a batch that is a multiple of
`num_generations`.

Picklable, if their rewards are; importing this does not import TRL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from coreact.errors import ConfigError
from coreact.train.rewards.advantages import soft_minimum_rows, standardised, whitened_batch
from coreact.train.rewards.arrays import Array, numbers
from coreact.train.rewards.contract import PointReward
from coreact.train.rewards.gates import Composition, composed
from coreact.train.rewards.schedules import SOFT_MINIMUM, Schedule, progress
from coreact.train.rewards.trl import Completion, scores_of


class _Grouped:
    """Scores a batch by several rewards."""

    def __init__(self, rewards: Sequence[PointReward], name: str) -> None:
        self.rewards = tuple(rewards)
        self.__name__ = name
        self.masked: Counter[str] = Counter()
        """How many scores were masked so far, by reason."""

    async def _scores(self, completions: Sequence[Completion], point: Sequence[str]) -> Array:
        """`(completions, rewards)`, NaN where masked."""
        found = await scores_of(self.rewards, completions, point)
        self.masked.update(score.masked for row in found for score in row if score.value is None)
        return numbers([[score.value for score in row] for row in found], what="scores")


class ComposedReward(_Grouped):
    """Outcome and process under a gate, for `GRPOTrainer(reward_funcs=…)`.

    Args:
        outcome: says whether a completion is right, in [0, 1].
        process: says how well it was done.
        settings: the gate; a schedule follows the trainer's steps.
        name: what TRL logs it as.
    """

    def __init__(
        self,
        outcome: PointReward,
        process: PointReward,
        settings: Composition,
        *,
        name: str = "composed_reward",
    ) -> None:
        super().__init__((outcome, process), name)
        self.settings = settings

    async def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Completion],
        *,
        point: Sequence[str],
        trainer_state: Any = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """Reward completions: a number in [0, 1] for each, None where what the gate needs is unknown."""
        scores = await self._scores(completions, point)
        done = _progress(trainer_state)
        rewards = np.full(len(scores), np.nan)
        for rows in _groups(point):
            rewards[rows] = composed(scores[rows, 0], scores[rows, 1], self.settings, progress=done)
        _log(log_metric, "outcome", scores[:, 0])
        _log(log_metric, "process", scores[:, 1])
        return _told(rewards)


class SoftMinimumReward(_Grouped):
    """RVPO over several rewards: the soft minimum of their z-scores, whitened over the batch.

    What it returns are advantages: set `scale_rewards="none"`. TRL still takes away the mean of each group,
    which the paper does not.

    Args:
        rewards: the objectives, at least two.
        k: sharpness over training.
        cap: largest absolute z-score.
        name: what TRL logs it as.

    Raises:
        ConfigError: there are fewer than two rewards.
    """

    def __init__(
        self,
        rewards: Sequence[PointReward],
        *,
        k: Schedule = SOFT_MINIMUM,
        cap: float = 2.0,
        name: str = "soft_minimum_reward",
    ) -> None:
        if len(rewards) < 2:
            raise ConfigError("A soft minimum needs at least two rewards.", remedy="Use `TrlReward` for one.")
        super().__init__(rewards, name)
        self.k = k
        self.cap = cap

    async def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Completion],
        *,
        point: Sequence[str],
        trainer_state: Any = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """Advantages of completions: 0 where a group has no contrast, None where nothing was scored."""
        scores = await self._scores(completions, point)
        soft = np.full(len(scores), np.nan)
        k = self.k.at(_progress(trainer_state))
        for rows in _groups(point):
            soft[rows] = soft_minimum_rows(standardised(scores[rows], cap=self.cap), k=k)
        advantages = whitened_batch(soft) if len(soft) else soft
        known = ~np.isnan(scores).all(axis=1) if len(scores) else np.zeros(0, dtype=bool)
        for at in range(scores.shape[1] if len(scores) else 0):
            _log(log_metric, f"objective_{at}", scores[:, at])
        return _told(np.where(known, np.nan_to_num(advantages, nan=0.0), np.nan))


def _groups(point: Sequence[str]) -> list[list[int]]:
    places: dict[str, list[int]] = {}
    for at, row in enumerate(point):
        places.setdefault(row, []).append(at)
    return list(places.values())


def _progress(state: Any) -> float:
    """How far a trainer is, in [0, 1]: 0 at its first step and where it does not say, 1 at its last."""
    steps = getattr(state, "max_steps", 0) or 0
    return progress(getattr(state, "global_step", 0), steps) if steps > 0 else 0.0


def _log(log_metric: Callable[[str, float], None] | None, name: str, values: Array) -> None:
    if log_metric is not None and not np.isnan(values).all():
        log_metric(f"composed/{name}", float(np.nanmean(values)))


def _told(values: Array) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]
