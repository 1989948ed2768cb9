"""Which samples meet which criteria: the votes that refinement rests on.

A vote is True, False, or None where nobody could tell: an instrument that failed has not voted, and neither
has a judge on a criterion that does not apply. All criteria of one round are put to the judge together, so
that a round costs one call a sample however many criteria it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from coreact.judge.asking import Asking, Request
from coreact.judge.consult import aconsult, consult
from coreact.judge.records import Cost, Status, Verdict
from coreact.judge.runner import Judge, Ruling, run_checks, undecided
from coreact.rubric import Action, Criterion, Rubric, State

Vote = bool | None
"""Whether a sample meets a criterion; None: nobody could tell."""

_VOTES: dict[Status, Vote] = {"met": True, "partial": False, "unmet": False}


class Ballot(NamedTuple):
    """The votes of one round, and what they cost."""

    votes: dict[str, tuple[Vote, ...]]
    """By criterion id, one for each sample in order. A criterion in part met is not met."""
    cost: Cost


class Tally(NamedTuple):
    """The votes on one criterion."""

    samples: tuple[Vote, ...]
    strong: Vote
    """Whether the strong reference meets it; None also where there is none."""
    weak: Vote

    @property
    def known(self) -> int:
        """Samples with a vote."""
        return sum(vote is not None for vote in self.samples)

    @property
    def yes(self) -> int:
        """Samples that meet it."""
        return sum(vote is True for vote in self.samples)

    @property
    def aligned(self) -> bool:
        """Whether it tells the references apart in favour of the strong one."""
        return self.strong is True and self.weak is False


def open_to_a_judge(criteria: Sequence[Criterion], samples: Sequence[Action], state: State) -> int:
    """How many samples a judge would have to look at, as the checks leave something open."""
    rubric = Rubric(criteria=tuple(map(_alone, criteria)))
    return sum(bool(run_checks(rubric, sample, state).open) for sample in samples)


def voted(
    criteria: Sequence[Criterion], samples: Sequence[Action], state: State, judge: Judge | None
) -> Asking[Ballot]:
    """Let checks, and a judge for what they leave open, vote on each sample by itself."""
    rubric = Rubric(criteria=tuple(map(_alone, criteria)))
    rows: list[dict[str, Vote]] = []
    spent = Cost()
    for sample in samples:
        checked = run_checks(rubric, sample, state)
        verdicts: tuple[Verdict, ...] = checked.decided
        if checked.open and judge is None:
            verdicts += undecided(checked.open, reason="there is no judge", by="nobody", broken=False)
        elif checked.open and judge is not None:
            ruling: Ruling = yield _consulting(judge, checked.open, sample, state)
            spent += ruling.cost
            verdicts += ruling.verdicts
        rows.append({verdict.criterion: _VOTES.get(verdict.status) for verdict in verdicts})
    return Ballot({one.id: tuple(row[one.id] for row in rows) for one in criteria}, spent)


def _consulting(judge: Judge, criteria: tuple[Criterion, ...], sample: Action, state: State) -> Request:
    return Request(
        lambda: consult(judge, criteria, sample, state), lambda: aconsult(judge, criteria, sample, state)
    )


def _alone(criterion: Criterion) -> Criterion:
    """The criterion by itself: whether what it depends on is met is another question."""
    return criterion.model_copy(update={"depends_on": ()}) if criterion.depends_on else criterion
