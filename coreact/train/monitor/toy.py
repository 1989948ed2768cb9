"""The smallest policy that can be trained and can cheat: a table of probabilities, improved by GRPO in numpy.

For each context the policy chooses one of a list of responses, whatever they are to the caller: texts that a
judge reads, rubrics, numbers. Its optimiser is the real one in small: groups of samples, advantages within a
group (`coreact.train.rewards.advantages`), clipped ratios, a penalty on the divergence from where it began.
So a reward, a judge or a monitor can be tried against a policy that optimises it, in a second and without
torch. Nothing here says anything about language models: there is no generalisation between responses.

`anticipated` is the same run with groups of infinite size and a reward without noise. What happens there
happens in the sampled run too, give or take chance, which makes "the expected step" of an alarm a number
that can be computed before the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from coreact.rubric import Record
from coreact.train.monitor.figures import Figures
from coreact.train.rewards.advantages import EPSILON, group_advantages
from coreact.train.rewards.arrays import Array, numbers

ToyReward = Callable[[int, int], float | None]
"""What a response is worth in a context, both 0-based, higher is better; None where nobody could tell."""


class ToySettings(Record):
    """How the table is trained."""

    steps: int = Field(default=200, ge=1)
    group: int = Field(default=8, ge=2)
    """Samples of a context at a step; every context is sampled at every step."""
    rate: float = Field(default=0.2, gt=0)
    """What the gradient of the log-odds is multiplied by."""
    passes: int = Field(default=1, ge=1)
    """Gradient steps on one batch of samples; the ratio is clipped from the second on."""
    clip: float = Field(default=0.2, gt=0)
    """How far the ratio of a sample's probability to that at sampling may move."""
    kl: float = Field(default=0.0, ge=0)
    """Weight of the divergence from the policy at the beginning."""
    seed: int = 0


class ToyStep(NamedTuple):
    """One step of a run."""

    step: int
    """Steps done, from 1."""
    policy: Array
    """Probabilities after the step, `(contexts, responses)`."""
    reward: float | None
    """Mean of the rewards that were known, before the update; None where all were masked."""
    entropy: float
    """Mean over contexts, in nats, after the step."""
    kl: float
    """Mean divergence from the policy at the beginning, in nats, after the step."""
    masked: float
    """Share of the samples without a reward."""
    zero_variance: float
    """Share of the groups that taught nothing."""

    @property
    def figures(self) -> Figures:
        """What a monitor is fed; panel and referee are the caller's to add."""
        return Figures(
            step=self.step,
            proxy=self.reward,
            entropy=self.entropy,
            kl=self.kl,
            masked=self.masked,
            zero_variance=self.zero_variance,
        )


def improve(start: Any, reward: ToyReward, settings: ToySettings) -> Iterator[ToyStep]:
    """Train a table on a reward; yields each step.

    Args:
        start: probabilities at the beginning, `(contexts, responses)`, above 0; rows are normalised.
        reward: asked once for every sample, in order.
        settings: how.

    Raises:
        ValueError: a probability is not above 0.
    """
    logits, beginning = _logits(start), _softmax(_logits(start))
    contexts = len(logits)
    random = np.random.default_rng(settings.seed)
    rows = np.arange(contexts)[:, None]
    for step in range(1, settings.steps + 1):
        old = _softmax(logits)
        at_most = old.cumsum(axis=1)[:, None, :-1]
        drawn = (random.random((contexts, settings.group, 1)) > at_most).sum(axis=-1)
        asked = [[reward(at, int(one)) for one in row] for at, row in enumerate(drawn)]
        rewards = numbers(asked, what="rewards")
        advantages = group_advantages(rewards)
        for _ in range(settings.passes):
            now = _softmax(logits)
            ratio = now[rows, drawn] / old[rows, drawn]
            clipped = np.where(advantages > 0, ratio > 1 + settings.clip, ratio < 1 - settings.clip)
            pull = np.where(clipped, 0.0, ratio * advantages) / settings.group
            gradient = -now * pull.sum(axis=1, keepdims=True)
            np.add.at(gradient, (np.broadcast_to(rows, drawn.shape), drawn), pull)
            logits = logits + settings.rate * (gradient - settings.kl * _kl_gradient(now, beginning))
        known = rewards[~np.isnan(rewards)]
        yield _told(
            step,
            _softmax(logits),
            beginning,
            reward=float(known.mean()) if known.size else None,
            masked=1 - known.size / rewards.size,
            zero_variance=float((advantages == 0).all(axis=1).mean()),
        )


def anticipated(start: Any, rewards: Any, settings: ToySettings) -> Iterator[ToyStep]:
    """The run that `improve` makes on average: groups of infinite size, one pass, no noise in the reward.

    Args:
        start: see `improve`.
        rewards: the expected reward of each response, `(contexts, responses)`.
        settings: `group`, `passes`, `clip` and `seed` mean nothing here.
    """
    logits, beginning = _logits(start), _softmax(_logits(start))
    table = numbers(rewards, what="rewards", dimensions=2)
    for step in range(1, settings.steps + 1):
        now = _softmax(logits)
        mean = (now * table).sum(axis=1, keepdims=True)
        spread = np.sqrt((now * (table - mean) ** 2).sum(axis=1, keepdims=True))
        gradient = now * (table - mean) / (spread + EPSILON)
        logits = logits + settings.rate * (gradient - settings.kl * _kl_gradient(now, beginning))
        yield _told(
            step, _softmax(logits), beginning, reward=float(mean.mean()), masked=0.0, zero_variance=0.0
        )


def expected(policy: Array, worth: Any) -> float:
    """Mean worth of what a policy does.

    Args:
        policy: probabilities, `(contexts, responses)`.
        worth: of each response, of the same shape.
    """
    return float((policy * numbers(worth, what="worth", dimensions=2)).sum(axis=1).mean())


def _told(step: int, policy: Array, beginning: Array, **measured: Any) -> ToyStep:
    log = np.log(policy)
    return ToyStep(
        step=step,
        policy=policy,
        entropy=float(-(policy * log).sum(axis=1).mean()),
        kl=float((policy * (log - np.log(beginning))).sum(axis=1).mean()),
        **measured,
    )


def _logits(start: Any) -> Array:
    table = numbers(start, what="start", dimensions=2)
    if not (table > 0).all():
        raise ValueError("start: every response needs a probability above 0, or it is never sampled")
    logits: Array = np.log(table / table.sum(axis=1, keepdims=True))
    return logits


def _softmax(logits: Array) -> Array:
    raised = np.exp(np.maximum(logits - logits.max(axis=1, keepdims=True), -300.0))
    policy: Array = raised / raised.sum(axis=1, keepdims=True)
    return policy


def _kl_gradient(now: Array, beginning: Array) -> Array:
    log = np.log(now / beginning)
    gradient: Array = now * (log - (now * log).sum(axis=1, keepdims=True))
    return gradient
