"""The rounds of one answer as records, and what follows from them: which is best, whether to go on.

Pure functions of what was judged, so that a run that is resumed from a checkpoint decides what it
would have decided. The best answer is returned, not the last one; a round that lost what nobody
objected to never becomes the best; and an answer nobody could judge is never called accepted.
"""

from __future__ import annotations

from typing import Literal

from coreact.judge.records import Cost, Judgement
from coreact.refine.diagnosis import Failure
from coreact.refine.feedback import Feedback
from coreact.refine.follow_up import Finding
from coreact.refine.settings import RefineSettings
from coreact.rubric import Record, Rubric

Outcome = Literal["accepted", "unmet", "unverified"]
"""About the answer that is returned. `accepted`: it passed; `unmet`: it was judged and did not pass;
`unverified`: nobody could judge it."""

Ended = Literal["accepted", "unjudged", "plateau", "rounds", "failed"]
"""Why no further round follows: the last answer passed; it could not be judged; nothing got better
(or the same words came again); all rounds were used; no revision could be made."""


class Round(Record):
    """One judged answer."""

    index: int
    answer: str
    judgement: Judgement
    failures: tuple[Failure, ...] = ()
    findings: tuple[Finding, ...] = ()
    lost: tuple[str, ...] = ()
    """What the best answer before had and this one lost unasked."""
    feedback: Feedback | None = None
    """What its reviser is told; None where it was accepted or could not be judged."""
    repeats: int | None = None
    """Index of the round that had the same answer already; its verdict stands."""
    message_id: str = ""
    """Id of the message the answer stands in, where there is one."""
    errors: tuple[str, ...] = ()
    """What failed: a judge, a diagnosis, a follow-up."""
    cost: Cost = Cost()
    """Judging, diagnosis and follow-ups; not the answer itself."""

    @property
    def accepted(self) -> bool:
        """Whether it passed and lost nothing."""
        return self.judgement.passed is True and not self.lost

    @property
    def worth(self) -> tuple[bool, float, float]:
        """Sort key, higher is better: nothing lost, then passed (unknown between), then the score."""
        passed = {True: 1.0, None: 0.5, False: 0.0}[self.judgement.passed]
        score = self.judgement.score
        return (not self.lost, passed, 0.5 if score is None else score)


class Progress(Record):
    """Everything that is known about one answer so far. Plain data; a checkpoint holds it."""

    rubric: Rubric | None = None
    """Written or given once, then the same in every round."""
    writer: str = ""
    """Who wrote it; empty where it was given."""
    rounds: tuple[Round, ...] = ()
    errors: tuple[str, ...] = ()
    """What failed outside of a round: writing the rubric, a revision."""
    failed: bool = False
    """The last revision could not be made."""
    cost: Cost = Cost()
    """All rounds together, and writing the rubric and the revisions where we made them."""

    @property
    def best(self) -> Round | None:
        """The best round; of equal ones the earliest. None before the first."""
        return max(self.rounds, key=lambda one: (*one.worth, -one.index), default=None)

    def returned(self, best: Round | None) -> Outcome:
        """What can be said about the answer of a round that is returned."""
        if best is None or best.judgement.passed is None:
            return "unverified"
        return "accepted" if best.accepted else "unmet"

    @property
    def outcome(self) -> Outcome:
        """What can be said about the best answer."""
        return self.returned(self.best)

    @property
    def all_errors(self) -> tuple[str, ...]:
        """Every error, once, in order."""
        return tuple(dict.fromkeys((*self.errors, *(text for one in self.rounds for text in one.errors))))


def ended(progress: Progress, settings: RefineSettings) -> Ended | None:
    """Why no further round follows, or None where the answer is to be revised."""
    best = progress.best
    if best is None:
        return "unjudged"
    last = progress.rounds[-1]
    if last.accepted:
        return "accepted"
    if last.judgement.passed is None:
        return "unjudged"
    if progress.failed:
        return "failed"
    if last.repeats is not None:
        return "plateau"
    if len(progress.rounds) >= settings.max_rounds:
        return "rounds"
    return "plateau" if last.index - best.index >= settings.patience else None
