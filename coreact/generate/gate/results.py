"""What a test of a rubric found, and the thresholds that it is held against.

A test has three outcomes. `passed` is None where it could not be made: there is no label, nothing to tell
apart, nobody to ask. What an untested rubric may do is the gate's policy and not decided here; an untested
one has never passed.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field

from coreact.errors import Cause
from coreact.judge.records import Cost
from coreact.rubric import Record
from coreact.rubric.remarks import Problem
from coreact.rubric.settings import Settings

GateTest = Literal["lint", "executable", "contracts", "discrimination", "effect", "consistency", "transfer"]
"""The tests of a rubric.

Without a label, so for any state: `lint`: it is well formed; `executable`: enough of it is decided by code;
`contracts`: it does not contradict what every call must keep; `discrimination`: it tells candidates apart.
With labels, so on stored branching points: `effect`: it moves judging towards the label (C2);
`consistency`: judging by it recovers the label (OpenRubrics); `transfer`: so does an independent reader
who has nothing else (Proxy-GRM)."""

ROUNDING = 1e-9
"""Differences below it are those of floating point."""


class GateResult(Record):
    """What one test found."""

    test: GateTest
    passed: bool | None
    """None: the test could not be made."""
    value: float | None = Field(default=None, allow_inf_nan=False)
    threshold: float | None = Field(default=None, allow_inf_nan=False)
    """What the value was held against, the control arm's value included where the test has one."""
    reason: str
    problem: Problem | None = None
    """What is wrong with the rubric, where the test was made and not passed."""
    cause: Cause | None = None
    """What broke, where the test could not be made because a judge failed."""

    def __str__(self) -> str:
        return f"{self.test}: {self.reason}"


class Examined(NamedTuple):
    """A result, and what asking for it cost."""

    result: GateResult
    cost: Cost


def untested(
    test: GateTest, reason: str, *, value: float | None = None, cause: Cause | None = None
) -> GateResult:
    """The result of a test that could not be made."""
    return GateResult(test=test, passed=None, value=value, reason=reason, cause=cause)


class Thresholds(Settings):
    """What a rubric must reach.

    The defaults are ours and mild; `coreact.generate.gate.calibrate` chooses the first three on stored
    branching points.
    """

    lint: float = Field(default=0.5, ge=0, le=1)
    """Largest share of criteria with a problem that is not serious; a serious one always fails."""
    executable: float = Field(default=0.0, ge=0, le=1)
    """Smallest share of the weight that checks decide."""
    discrimination: float = Field(default=0.2, ge=0, le=1)
    """Smallest share of candidate pairs that are told apart: one of six that stands out from the others
    that could be judged gives 0.27 or more."""
    effect: float = Field(default=0.0, ge=0, le=1)
    """By how much the margin must exceed both 0 and the control arm's margin."""
    consistency: float = Field(default=0.5, ge=0, le=1)
    """Smallest share of labelled pairs put in the right order (OpenRubrics' tau)."""
    transfer: float = Field(default=0.0, ge=0, le=1)
    """By how much readers must be right more often with the rubric than without it."""

    def allow(self, test: Literal["lint", "executable", "discrimination"], value: float) -> bool:
        """Whether a value of one of the tests that need no label is good enough."""
        if test == "lint":
            return value <= self.lint + ROUNDING
        least = self.executable if test == "executable" else self.discrimination
        return value >= least - ROUNDING
