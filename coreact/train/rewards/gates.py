"""How a score of the outcome and a score of the process become one reward: the gates.

The same two numbers per rollout, and published ways to combine them, where s is the share of the process:

| gate | right (outcome 1) | wrong (outcome 0) | made for |
| --- | --- | --- | --- |
| `none` | (1 - s) + s·process | s·process | dense rewards; with a schedule for s, Atom-Searcher |
| `positive_only` | (1 - s) + s·process / best of group | 0 | no farming of process (CaRR, LongTraceRL) |
| `negative_only` | 1 | s·process | tasks whose groups hold hardly any right rollout (WCR) |

Credit by stage has another shape, one number per stage, and lives in `stagewise`; gains over a reference or a
first attempt in `improvement`. An outcome between 0 and 1, such as F1, moves between the two columns in a
straight line. What nobody could tell is NaN in the result, unless the gate does not need it: a wrong
answer is worth 0 under `positive_only` whatever its process. A broken judge is never a wrong answer.

Sources: CaRR (arXiv 2601.06021), LongTraceRL (2605.31584), waypoint coverage (2605.05702), Atom-Searcher
(2508.12800).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from coreact.rubric import State
from coreact.rubric.settings import Settings
from coreact.rubric.words import fold
from coreact.train.rewards.arrays import Array, numbers
from coreact.train.rewards.schedules import Schedule

Gate = Literal["none", "positive_only", "negative_only"]
"""Which rollouts the process score counts for: all, the right ones, the wrong ones."""


class Composition(Settings):
    """How outcome and process become one reward."""

    gate: Gate = "none"
    share: float | Schedule = Field(default=0.3)
    """s, the share of the process score, in [0, 1), or how it moves over training. 0.3 is CaRR's and
    LongTraceRL's; for `negative_only` the paper's map is unseen and a share of at most 0.3 a
    reconstruction."""
    relative: bool = True
    """Under `positive_only`: divide the process score by the best one of the group, right or wrong, as both
    papers describe it. The code released with CaRR leaves it out."""

    @model_validator(mode="after")
    def _wrong_stays_below_right(self) -> Self:
        ends = (self.share.start, self.share.end) if isinstance(self.share, Schedule) else (self.share,)
        if not all(0 <= end < 1 for end in ends):
            raise ValueError("the share of the process score is in [0, 1)")
        return self

    def share_at(self, progress: float) -> float:
        """S at a share of the training, in [0, 1]."""
        return self.share.at(progress) if isinstance(self.share, Schedule) else self.share


def composed(
    outcomes: Any, processes: Any, settings: Composition | None = None, *, progress: float = 0.0
) -> Array:
    """The rewards of groups of rollouts.

    Args:
        outcomes: `(..., members)` in [0, 1], 1 is right; None or NaN where nobody could tell.
        processes: the same shape, in [0, 1], higher is better: a rubric's score, the share of a chain's facts
            that count, the share of waypoints found.
        settings: the gate.
        progress: how far training has gone, in [0, 1]; only a schedule looks at it.

    Returns:
        The same shape, in [0, 1]; NaN where what the gate needs is unknown.

    Raises:
        ValueError: the shapes differ, or a score is outside of [0, 1].
    """
    settings = settings or Composition()
    outcome, process = _scores(outcomes, "outcomes"), _scores(processes, "processes")
    if outcome.shape != process.shape:
        raise ValueError(f"{outcome.shape} outcomes for {process.shape} process scores")
    share = settings.share_at(progress)
    if settings.gate == "positive_only":
        credit = _relative(process) if settings.relative else process
        rewards = outcome * ((1 - share) + share * credit)
        return np.where(outcome == 0, 0.0, rewards)
    if settings.gate == "negative_only":
        return np.where(outcome == 1, 1.0, outcome + (1 - outcome) * share * process)
    if share == 0:
        return outcome
    return (1 - share) * outcome + share * process


def waypoint_coverage(
    state: State, waypoints: Sequence[Sequence[str]], *, known: Collection[str] = ()
) -> float | None:
    """The share of the entities on a question's way that stand in what the agent observed, in [0, 1].

    Names are compared folded and as whole words. Different from the paper as far as it is known: only
    observations of calls that succeeded count, since a name that the agent wrote itself may be guessed.

    Args:
        state: the trajectory.
        waypoints: for each entity its name and aliases.
        known: names that tell nothing: the answer, and what the question itself names. An entity that bears
            one of them is no waypoint.

    Returns:
        None where no waypoint is left.
    """
    told = {fold(name) for name in known}
    ways = [names for one in waypoints if (names := {fold(name) for name in one} - {""}) and not names & told]
    if not ways:
        return None
    seen = [
        step.observation.folded for step in state.steps if step.succeeded and step.observation is not None
    ]
    found = sum(any(f" {name} " in text for name in names for text in seen) for names in ways)
    return found / len(ways)


def _relative(process: Array) -> Array:
    """Process scores over the best one of their group; 0 where the best is 0."""
    best = np.where(np.isnan(process), 0.0, process).max(axis=-1, keepdims=True, initial=0.0)
    return np.where(best > 0, process / np.where(best > 0, best, 1.0), process)


def _scores(values: Any, what: str) -> Array:
    array = numbers(values, what=what)
    if (array < 0).any() or (array > 1).any():
        raise ValueError(f"{what}: a score is outside of [0, 1]")
    return np.asarray(array)
