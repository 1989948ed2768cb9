"""A judge that errs on purpose, in a known way: how a run is tested against its verifier.

A verifier's error rate says little about what training makes of it. Random errors slow learning; systematic
wrong rejections slow it too; systematic wrong acceptances are found by the policy and end its progress
("Delay, Plateau, or Collapse", on systematic verifier error). So the errors put in here have a pattern:
which way, how often, and on what. A draw depends on the seed, the criterion and the action only, so that a
run repeats, and the same judgement errs the same way in every process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from coreact.judge import Judge, Ruling, Verdict
from coreact.rubric import Action, Criterion, Record, State, digest
from coreact.rubric.words import stands_in


class VerifierError(Record):
    """One way to err."""

    kind: Literal["false_positive", "false_negative"]
    """`false_positive`: rules met what is not; `false_negative`: rules unmet what is met."""
    rate: float = Field(default=1.0, ge=0, le=1)
    """Share of the verdicts it could change that it changes."""
    action: str = ""
    """Words that must stand together in the action; empty: any action. With words the error is systematic."""
    criterion: str = ""
    """Words that must stand together in the criterion; empty: any criterion."""

    def changes(self, verdict: Verdict, criterion: Criterion, action: Action) -> bool:
        """Whether it can change a verdict, the rate left aside."""
        right = "unmet" if self.kind == "false_positive" else "met"
        if verdict.status not in (right, "partial"):
            return False
        return (not self.action or stands_in(self.action, str(action))) and (
            not self.criterion or stands_in(self.criterion, criterion.text)
        )


class ErringJudge:
    """A judge whose verdicts are changed by known errors; what it does not know stays unknown.

    Args:
        judge: who rules.
        errors: what is put in; the first one that changes a verdict wins.
        seed: decides which verdicts a rate below 1 meets.
    """

    def __init__(self, judge: Judge, errors: Sequence[VerifierError], *, seed: int = 0) -> None:
        self.id = f"{judge.id}+errors-{_hex([*(e.model_dump() for e in errors), seed])[:8]}"
        self.errors = tuple(errors)
        self._judge = judge
        self._seed = seed

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """The judge's ruling, with the errors in it. `claimed` keeps what was said before."""
        return self._with_errors(self._judge.judge(criteria, action, state), criteria, action)

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """The same, without blocking the event loop."""
        return self._with_errors(await self._judge.ajudge(criteria, action, state), criteria, action)

    def _with_errors(self, ruling: Ruling, criteria: tuple[Criterion, ...], action: Action) -> Ruling:
        asked = {criterion.id: criterion for criterion in criteria}
        verdicts = (
            self._changed(verdict, asked[verdict.criterion], action)
            if verdict.criterion in asked
            else verdict
            for verdict in ruling.verdicts
        )
        return Ruling(tuple(verdicts), ruling.cost)

    def _changed(self, verdict: Verdict, criterion: Criterion, action: Action) -> Verdict:
        for at, error in enumerate(self.errors):
            if error.changes(verdict, criterion, action) and self._draw(at, criterion, action) < error.rate:
                return verdict.model_copy(
                    update={
                        "status": "met" if error.kind == "false_positive" else "unmet",
                        "claimed": verdict.status,
                        "decided_by": self.id,
                    }
                )
        return verdict

    def _draw(self, at: int, criterion: Criterion, action: Action) -> float:
        """A number in [0, 1) that hangs on what is judged alone."""
        what = [self._seed, at, criterion.text, action.model_dump(exclude={"call": {"id"}})]
        return int(_hex(what)[:13], 16) / 16**13


def _hex(value: object) -> str:
    return digest(value).rpartition(":")[2]
