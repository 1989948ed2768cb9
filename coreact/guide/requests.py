"""What the decision loop asks for, and what it is answered: plain records between it and its drivers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from coreact.errors import CoReActError
from coreact.generate.constraining import Constraint
from coreact.judge import Cost, Verdict
from coreact.rubric import Action, Criterion, Rubric, State
from coreact.rubric.remarks import Remark
from coreact.trace import Attempt, Rung


@dataclass(frozen=True, kw_only=True)
class WriteRubric:
    """Ask for a rubric. Reply: `RubricWritten` or `Failed`."""

    state: State
    writer: Literal["generator", "heuristic"] = "generator"


@dataclass(frozen=True, kw_only=True)
class RubricWritten:
    """A rubric, who wrote it, what it cost, and what was done to its draft."""

    rubric: Rubric
    generator: str
    cost: Cost = field(default_factory=Cost)
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CallModel:
    """Ask the agent's model for proposals. Reply: a tuple of `Proposal` and `Failed`, `count` long.

    Raising instead of replying ends the decision, as it would in the plain agent.
    """

    guidance: str
    """Text to add to this one request; empty: the plain request."""
    feedback: str
    """Text on the rejected attempt to add after it; empty on a first attempt."""
    count: int = 1
    attempt: int = 0
    """Index of the first attempt asked for."""
    constraint: Constraint | None = None
    """What the reply is to be held to while it is decoded, where the server can."""


@dataclass(frozen=True, kw_only=True)
class Together:
    """Ask for a rubric and for proposals that do not wait for each other. Reply: both replies, in this order.

    So a rubric that is not shown costs no time beside the model's own.
    """

    write: WriteRubric
    call: CallModel


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What the model proposed."""

    actions: tuple[Action, ...]
    payload: Any
    """The driver's own object (a model response); the loop hands it back untouched."""
    message: dict[str, Any] = field(default_factory=dict)
    """The assistant message as plain JSON, for the record."""
    text: str = ""
    """The text of that message, in which a rubric of its own may stand."""
    unheld: str = ""
    """Why the constraint could not be put on the request; empty where it was, or where there was none."""
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True, kw_only=True)
class JudgeCriteria:
    """Ask the judge about criteria that no check decides. Reply: `Judged`, also where it failed."""

    criteria: tuple[Criterion, ...]
    action: Action
    state: State
    rung: Rung


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The judge's verdicts, one for each criterion asked about; `unknown` where it failed."""

    verdicts: tuple[Verdict, ...]
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A request could not be served. The error is typed; its text goes on the record."""

    error: CoReActError
    cost: Cost = field(default_factory=Cost)
    remarks: tuple[Remark, ...] = ()
    """What was wrong with a rubric that was written and may not guide."""


@dataclass(frozen=True, kw_only=True)
class Announce:
    """Tell whoever watches. Reply: None."""

    event: Literal["rubric", "attempt"]
    rubric: Rubric
    attempt: Attempt | None = None


Request = WriteRubric | CallModel | Together | JudgeCriteria | Announce
Reply = RubricWritten | tuple[Proposal | Failed, ...] | Judged | Failed | None
