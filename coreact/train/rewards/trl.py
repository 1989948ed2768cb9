"""The reward as TRL calls it: one list of completions in, one list of numbers out, None where masked.

A class of this module and not a closure, because TRL's asynchronous trainer pickles rewards into a child
process. Importing it does not import TRL.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from coreact.rubric.branching import BranchingPoint
from coreact.train.points import point_of as read_point
from coreact.train.rewards.contract import PointReward
from coreact.train.rewards.earned import Reward

Completion = str | Sequence[Mapping[str, Any]]
"""A plain text, or the messages of a conversation, whose last one is the reply."""


class TrlReward:
    """Hands completions to a `RubricReward`, or to another reward of one completion, for `GRPOTrainer`.

    Rows need the column `point`: the branching point as JSON text. What is masked is returned as None, which
    TRL leaves out, and counted by reason in `masked`.

    Args:
        reward: the reward.
        name: what TRL logs it as: `rewards/NAME/mean`.
    """

    def __init__(self, reward: PointReward, *, name: str = "rubric_reward") -> None:
        self.reward = reward
        self.__name__ = name
        self.masked: Counter[str] = Counter()
        """How many completions were masked so far, by reason."""
        self.scored = 0
        """How many completions came in so far."""

    async def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Completion],
        *,
        point: Sequence[str],
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """Reward completions.

        Args:
            prompts: not looked at: the point says all.
            completions: one for each row, as texts or messages.
            point: the points' JSON, one for each completion.
            log_metric: TRL's; gets the means of the parts of the reward.
            columns: whatever else TRL passes; not looked at.

        Returns:
            A number in [0, 1] for each completion, or None.

        Raises:
            ValueError: there is not one point for each completion, or a point is none.
        """
        rewards = [one for (one,) in await scores_of((self.reward,), completions, point)]
        self.scored += len(rewards)
        self.masked.update(one.masked for one in rewards if one.value is None)
        if log_metric is not None:
            for name, value in parts_of(rewards).items():
                log_metric(name, value)
        return [one.value for one in rewards]


async def scores_of(
    rewards: Sequence[PointReward], completions: Sequence[Completion], point: Sequence[str]
) -> list[tuple[Reward, ...]]:
    """What each completion earns by each reward, side by side; equal completions for a point are scored once.

    Raises:
        ValueError: there is not one point for each completion, or a point is none.
    """
    asked = list(zip(map(text_of, completions), point, strict=True))
    distinct = list(dict.fromkeys(asked))
    found = await asyncio.gather(
        *(reward.ascore(text, point_of(row)) for text, row in distinct for reward in rewards)
    )
    wide = len(rewards)
    by_sample = {one: tuple(found[at * wide : (at + 1) * wide]) for at, one in enumerate(distinct)}
    return [by_sample[one] for one in asked]


def text_of(completion: Completion) -> str:
    """The text of a completion."""
    if isinstance(completion, str):
        return completion
    content = completion[-1].get("content") if completion else ""
    return content if isinstance(content, str) else ""


@lru_cache(maxsize=1024)
def point_of(row: str) -> BranchingPoint:
    """The point of a row's JSON text, remembered: a group of completions shares it.

    Raises:
        ValueError: it is none.
    """
    return read_point(row)


def parts_of(rewards: Sequence[Reward]) -> dict[str, float]:
    """Means for a training log, each over the completions that have the part; what none has is left out."""
    held: dict[str, list[float]] = {}
    for one in rewards:
        told: dict[str, float | None] = {
            "spearman": one.spearman,
            "control": one.control,
            "format": one.format,
            "atomic": one.atomic,
            "repetition": one.repetition,
            "criteria": one.criteria or None,  # of those that could be read
            "tied": None if one.rank is None else one.tied,
            "unreadable": bool(one.problem),
            "masked": bool(one.masked),
        }
        for name, value in told.items():
            if value is not None:
                held.setdefault(f"rubric/{name}", []).append(float(value))
    return {name: sum(values) / len(values) for name, values in held.items()}
