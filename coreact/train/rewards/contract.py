"""What a reward of one completion must offer so that every adapter can hand it to a trainer.

`RubricReward` keeps it, and so do the rewards that rest on readers and log-probabilities instead of ranks.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from langchain_core.messages import AIMessage

from coreact.errors import ConfigError
from coreact.generate.prompt import Form
from coreact.generate.reading import read_reply
from coreact.judge.replies import UnreadableError, said
from coreact.rubric import Rubric
from coreact.rubric.branching import BranchingPoint
from coreact.train.rewards.earned import Reward

NO_CONTRAST = "the candidates of the point are worth the same"
"""Why a sample is left out whose point has nothing to rank."""


@runtime_checkable
class PointReward(Protocol):
    """Whoever can say what a completion earns at a branching point."""

    def score(self, completion: str, point: BranchingPoint) -> Reward:
        """The reward, blocking."""

    async def ascore(self, completion: str, point: BranchingPoint) -> Reward:
        """The same, without blocking the event loop."""


def rubric_of(completion: str, point: BranchingPoint, form: Form) -> Rubric | Reward:
    """The rubric that a completion holds, read as a running agent reads it; or what it earns unread.

    That is 0 without a rubric, and nothing at a point without contrast, whatever is written.
    """
    if not point.has_contrast:
        return Reward(masked=NO_CONTRAST)
    try:
        read = read_reply(said(AIMessage(completion)), point.state, form=form, source="policy")
    except UnreadableError as error:
        return Reward(value=0.0, problem=str(error))
    if read.rubric is None:
        return Reward(value=0.0, problem=read.problem or "it holds no criterion")
    return read.rubric


def for_lift(lift: float | None, rubric: Rubric, *, refused: str, masked: str) -> Reward:
    """What a rubric earns for what it changes in an independent judge or reader: (1 + lift) / 2.

    Args:
        lift: with the rubric less without it, in [-1, 1], higher is better; None where nothing can be said.
        rubric: the rubric.
        refused: why it was not shown, which earns 0; empty where it was.
        masked: why nothing can be said.
    """
    criteria = len(rubric.criteria)
    if refused:
        return Reward(value=0.0, problem=refused, criteria=criteria)
    if lift is None:
        return Reward(masked=masked, criteria=criteria)
    return Reward(value=(1 + lift) / 2, criteria=criteria)


def textual(form: Form) -> Form:
    """The form, if a completion can be read in it.

    Raises:
        ConfigError: records are read by a schema, not from text.
    """
    if form not in ("lines", "sheet"):
        raise ConfigError(
            f"Rubrics in the form {form!r} cannot be rewarded.",
            remedy="Train in the form `lines` or `sheet`: records are read by a schema, not from text.",
        )
    return form
