"""What a completion earned, and for what: the record that every reward of a completion returns."""

from __future__ import annotations

from pydantic import Field

from coreact.rubric import Record


class Reward(Record):
    """What a completion earned, and for what."""

    value: float | None = Field(default=None, ge=0, le=1)
    """The reward, higher is better; None where the sample is to be left out."""
    masked: str = ""
    """Why it is to be left out; empty where it is not."""
    problem: str = ""
    """Why it earned 0 without being ranked: unreadable, padded, leaking; empty where it was ranked."""
    spearman: float | None = None
    """Rank correlation of the induced order with the gains, in [-1, 1], as it is; None where not ranked."""
    control: float | None = None
    """The same without the rubric; None where no control was asked for."""
    rank: float | None = None
    """The rank part in [0, 1], after shrinking and control."""
    tied: bool = False
    """The rubric told no candidate from another."""
    format: float = 0.0
    atomic: float = 0.0
    focus: float = 0.0
    repetition: float = 0.0
    """Share of repeated text, in [0, 1], lower is better."""
    leaked: bool = False
    criteria: int = 0
    """Criteria that were read and let in."""
    checked: int = 0
    """Those of them that code decides."""
    calls: int = 0
    """Calls of a judge."""
