"""Verdict and Judgement: what was decided about each criterion, by whom, on what evidence.

Score and passed are computed by code from the verdicts; a model's own "pass" is never read.
Five statuses, because a judge that broke, a criterion that does not apply and a failed step are
three different things. Scoring lives in `scoring`; running checks in `runner`.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from coreact.errors import Cause as Cause
from coreact.rubric import Record

Status = Literal["met", "partial", "unmet", "not_applicable", "unknown"]
"""`unknown`: nobody could tell; it counts neither for nor against."""

Fault = Literal["none", "model", "instrument"]
"""Whose fault an `unknown` is: nobody's, the judged model's, or the judge's (masked in training)."""


class Cost(Record):
    """What something cost. Unknown parts are 0 except `usd`, which is None."""

    calls: int = Field(default=0, ge=0)
    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    seconds: float = Field(default=0.0, ge=0)
    usd: float | None = Field(default=None, ge=0)

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Cost) -> Cost:
        usd = None if self.usd is None and other.usd is None else (self.usd or 0) + (other.usd or 0)
        return Cost(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            seconds=self.seconds + other.seconds,
            usd=usd,
        )


class Evidence(Record):
    """A verbatim quote and the message it stands in."""

    message_id: str
    quote: str
    start: int | None = Field(default=None, ge=0)
    """Where the quote begins in the message's text, in characters; None where nobody looked."""
    end: int | None = Field(default=None, ge=0)
    """Where it ends, exclusive."""


CHECK = "check"
"""Who decided, where code did."""


class Verdict(Record):
    """One criterion's verdict. The reason stands before the status in every schema."""

    criterion: str
    """Criterion id."""
    reason: str
    status: Status
    evidence: tuple[Evidence, ...] = ()
    decided_by: str = CHECK
    """`check`, `nobody`, or the id of a judge."""
    fault: Fault = "none"
    cause: Cause | None = None
    """What broke, where `fault` is `instrument`."""
    claimed: Status | None = None
    """What the judge said before code changed it; None where code changed nothing."""
    confidence: float | None = Field(default=None, ge=0, le=1)
    """How sure the judge says it is, or the share of a panel's votes: not calibrated."""

    @model_validator(mode="after")
    def _broken_is_unknown(self) -> Self:
        if self.fault == "instrument" and self.status != "unknown":
            raise ValueError("a verdict of a broken instrument is `unknown`")
        return self


class Judgement(Record):
    """All verdicts on one action under one rubric, and what code computes from them."""

    rubric: str
    """Lock of the rubric."""
    verdicts: tuple[Verdict, ...]
    score: float | None = Field(ge=0, le=1)
    """Share of the judged weight that is met, higher is better; None where nothing was judged."""
    passed: bool | None
    """True or False where no `unknown` could change it, otherwise None."""
    judged: int = Field(ge=0)
    """Criteria decided as met, partial or unmet."""
    total: int = Field(ge=0)
    """Criteria that applied: judged plus unknown."""
    cost: Cost = Cost()

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if self.judged > self.total:
            raise ValueError("more criteria judged than applied")
        return self

    @property
    def unmet(self) -> tuple[Verdict, ...]:
        """The verdicts an agent must act on: unmet and partial ones."""
        return tuple(v for v in self.verdicts if v.status in ("unmet", "partial"))

    @property
    def met(self) -> tuple[Verdict, ...]:
        """The verdicts that hold and must not be lost in a retry."""
        return tuple(v for v in self.verdicts if v.status == "met")
