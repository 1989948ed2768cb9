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
    """The rubric was ranked by, and told no candidate from another."""
    format: float | None = None
    """Of a rubric that was read, in [0, 1], higher is better, as `atomic` and `focus`; None where none was,
    or where the reward does not look at it."""
    atomic: float | None = None
    focus: float | None = None
    repetition: float | None = None
    """Share of repeated text, in [0, 1], lower is better; None where nobody looked."""
    leaked: bool = False
    criteria: int = 0
    """Criteria that were read and let in."""
    checked: int = 0
    """Those of them that code decides."""
    calls: int = 0
    """Calls of a judge."""
