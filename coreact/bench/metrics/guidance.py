"""Helpfulness to harmfulness of guidance: errors that it fixed against right things that it spoiled.

The measure of the tool-call reviewer (arXiv 2604.27233, which reports 3:1 for its best one). A mean hides
harm, so outcomes are paired: the same task plain and guided, or the first attempt of a step and the one that
was selected in the end. At the level of steps the run's own verdicts cannot show harm, since they chose the
step: pass the name of somebody else who judged the run later. What one side could not tell is counted apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from coreact.bench.metrics.share import Share, ratio
from coreact.rubric import Criterion
from coreact.trace import StepRecord, Trajectory
from coreact.trace.judged import Judged, Place, judged_by


@dataclass
class Balance:
    """How often guidance fixed and spoiled."""

    fixed: int = 0
    """Wrong before, right after."""
    spoiled: int = 0
    """Right before, wrong after."""
    kept_right: int = 0
    kept_wrong: int = 0
    unknown: int = 0
    """Pairs of which one side could not be told; in none of the figures."""

    def add(self, before: bool | None, after: bool | None) -> None:
        """Count one pair: was it right before, is it right after."""
        if before is None or after is None:
            self.unknown += 1
        elif before:
            self.kept_right, self.spoiled = self.kept_right + after, self.spoiled + (not after)
        else:
            self.fixed, self.kept_wrong = self.fixed + after, self.kept_wrong + (not after)

    @property
    def helpfulness(self) -> Share:
        """Share of the errors that were fixed, in [0, 1], higher is better."""
        wrong = self.fixed + self.kept_wrong
        return Share(ratio(self.fixed, wrong), wrong, wrong)

    @property
    def harmfulness(self) -> Share:
        """Share of the right ones that were spoiled, in [0, 1], lower is better."""
        right = self.spoiled + self.kept_right
        return Share(ratio(self.spoiled, right), right, right)

    @property
    def ratio(self) -> float | None:
        """Fixed for each spoiled one: above 1 guidance helps more than it harms. None where none was."""
        return ratio(self.fixed, self.spoiled)

    @property
    def net(self) -> int:
        """Fixed less spoiled."""
        return self.fixed - self.spoiled

    def __str__(self) -> str:
        unknown = f", {self.unknown} unknown" if self.unknown else ""
        return f"{self.fixed}:{self.spoiled} (fixed:spoiled{unknown})"


def outcome_balance(
    plain: Mapping[str, float | None], guided: Mapping[str, float | None], *, right_from: float = 1.0
) -> Balance:
    """The balance at the level of outcomes, from two arms on the same tasks.

    Args:
        plain: a score by task, or by task and seed, of the arm without guidance; None: not known.
        guided: the same of the arm with guidance. Keys that only one of both has are unknown.
        right_from: score from which on an outcome counts as right.
    """
    balance = Balance()
    for key in {**plain, **guided}:
        scores = (plain.get(key), guided.get(key))
        balance.add(*(None if score is None else score >= right_from for score in scores))
    return balance


@dataclass
class StepBalance:
    """The balance at the level of steps, over one or several runs."""

    steps: Balance = field(default_factory=Balance)
    """First attempts against selected ones, as somebody judged them."""
    verdicts: dict[str, Balance] = field(default_factory=dict)
    """For each criterion id of the evaluator's rubric: did the first attempt meet it, and the selected."""
    blamed: dict[str, Balance] = field(default_factory=dict)
    """For each criterion id of the run's own rubric: of the steps whose first attempt it spoke against, how
    many became better and how many worse."""

    @property
    def hurting(self) -> tuple[str, ...]:
        """Criteria that spoiled more steps than they fixed, the worst first."""
        worst = sorted(self.blamed.items(), key=lambda item: (item[1].net, item[0]))
        return tuple(name for name, balance in worst if balance.net < 0)


def step_balance(trajectories: Iterable[Trajectory], evaluator: str | None = None) -> StepBalance:
    """What guidance did to the steps of judged runs.

    Only steps with a selected attempt count; where that is the first one, guidance changed nothing and the
    step is kept as it was.

    Args:
        trajectories: runs as stored, with all attempts.
        evaluator: name or version of whoever judged the attempts later. None: the verdicts that the run was
            decided by, which can show what was fixed by their own lights but no harm.

    Raises:
        ConfigError: nobody of this name judged a run later.
    """
    found = StepBalance()
    for trajectory in trajectories:
        own = judged_by(trajectory)
        seen = own if evaluator is None else judged_by(trajectory, evaluator)
        for pair in _pairs(trajectory):
            before, after = _right(seen, pair.before), _right(seen, pair.after)
            found.steps.add(before, after)
            first, last = _statuses(seen, pair.before), _statuses(seen, pair.after)
            for name in {**first, **last}:
                found.verdicts.setdefault(name, Balance()).add(first.get(name), last.get(name))
            if pair.before != pair.after:
                for name, met in _statuses(own, pair.before).items():
                    if met is False:
                        found.blamed.setdefault(name, Balance()).add(before, after)
    return found


class _Pair(NamedTuple):
    before: tuple[Place, ...]
    """The actions of the first attempt."""
    after: tuple[Place, ...]
    """The actions of the selected one."""


def _pairs(trajectory: Trajectory) -> Iterator[_Pair]:
    for step in trajectory.steps:
        selected = next((at for at, attempt in enumerate(step.attempts) if attempt.selected), None)
        if selected is not None:
            yield _Pair(_places(step, 0), _places(step, selected))


def _places(step: StepRecord, attempt: int) -> tuple[Place, ...]:
    return tuple(Place(step.index, attempt, at) for at in range(len(step.attempts[attempt].actions)))


def _right(seen: Mapping[Place, Judged], places: Sequence[Place]) -> bool | None:
    """Whether all actions pass; None where one could not be told and none fails."""
    passed = [seen[place].judgement.passed if place in seen else None for place in places]
    if False in passed:
        return False
    return None if None in passed or not passed else True


def _statuses(seen: Mapping[Place, Judged], places: Sequence[Place]) -> dict[str, bool | None]:
    """For each criterion that applies whether all actions meet it."""
    met: dict[str, bool | None] = {}
    for judged in (seen[place] for place in places if place in seen):
        for verdict in judged.judgement.verdicts:
            if verdict.status == "not_applicable":
                continue
            holds = None if verdict.status == "unknown" else verdict.status == "met"
            earlier = met.get(verdict.criterion, True)
            met[verdict.criterion] = (
                False if False in (holds, earlier) else None if None in (holds, earlier) else True
            )
    return met


def criteria_of(trajectories: Iterable[Trajectory]) -> dict[str, Criterion]:
    """The criteria of the runs' own rubrics by id, to word a report; the last of several with one id."""
    return {
        criterion.id: criterion
        for trajectory in trajectories
        for step in trajectory.steps
        if step.rubric is not None
        for criterion in step.rubric
    }
