"""What an attempt is worth as a training label, by whoever is chosen to say so, or why it has none.

Three rules stand above all formats. A verdict that is unknown because an instrument broke says nothing of
the agent, so its attempt has no label at all. A pass that unknown verdicts could change is no label either.
And a judgement that another one supersedes does not count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from coreact.judge import Judgement, Status, Verdict
from coreact.judge.scoring import training_label
from coreact.judge.scoring.joint import joint_rubric
from coreact.rubric import Criterion, Rubric
from coreact.trace.records import JudgementRecord, StepRecord, Trajectory

RUN = "run"
"""The evaluator that a run was decided by."""

HUMAN = "human"
"""Any human who judged a run later."""

Reason = Literal[
    "not_judged",
    "instrument",
    "undecided",
    "too_little_judged",
]
"""Why an attempt has no label: nobody judged it; an instrument broke; unknown verdicts could change whether
it passes; less of its rubric was judged than is asked for."""

_WORST: tuple[Status, ...] = ("unmet", "partial", "unknown", "met", "not_applicable")
_NOT_JUDGES = ("check", "nobody", "")


@dataclass(frozen=True, slots=True)
class Label:
    """What one attempt is worth."""

    score: float | None
    """Mean score in [0, 1] of its actions, higher is better; None where it has no label."""
    passed: bool | None
    """Whether all its actions pass; None where that is undecided or it has no label."""
    rubric: Rubric | None
    judged: tuple[Judgement, ...] = ()
    """What it rests on: one judgement an action."""
    evaluators: frozenset[str] = frozenset()
    """Judges that decided a verdict, with their versions where these are known; checks are none."""
    masked: Reason | None = None
    """Why it has no score; None where it has one."""

    @property
    def undecided(self) -> Reason | None:
        """Why it cannot be labelled as good or bad; None where it can."""
        return self.masked or ("undecided" if self.passed is None else None)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts on all its actions."""
        return tuple(verdict for one in self.judged for verdict in one.verdicts)

    def status(self, criterion: Criterion) -> Status | None:
        """The worst verdict on a criterion among the actions; None where there is none."""
        found = {verdict.status for verdict in self.verdicts if verdict.criterion == criterion.id}
        return next((status for status in _WORST if status in found), None)


class Labeller:
    """Labels the attempts of one run.

    Args:
        trajectory: the run.
        evaluator: `run`: what the run was decided by; `human`: what humans judged later; else the name or
            version of a later evaluator, whose last judgement that none supersedes counts.
        min_judged: least share in [0, 1] of the criteria that apply that must have been judged.
    """

    def __init__(self, trajectory: Trajectory, *, evaluator: str = RUN, min_judged: float = 0.0) -> None:
        self._min_judged = min_judged
        self._later: dict[tuple[int | None, int | None], dict[int | None, JudgementRecord]] | None = None
        if evaluator != RUN:
            self._later = {}
            for one in trajectory.standing:
                if _is_by(one, evaluator):
                    place = self._later.setdefault((one.step, one.attempt), {})
                    place.pop(one.action, None)  # the last one stands last
                    place[one.action] = one

    def label(self, step: StepRecord, at: int) -> Label:
        """The label of one attempt.

        Args:
            step: its step.
            at: its position among the step's attempts.
        """
        attempt = step.attempts[at]
        if self._later is None:
            rubric = step.rubric
            if rubric is not None and attempt.own is not None and attempt.own_judgements:
                rubric = joint_rubric(rubric, attempt.own)
            outcomes = attempt.outcomes
            judges = {verdict.decided_by for one in outcomes for verdict in one.verdicts}
            return self._joined(rubric, outcomes, len(attempt.actions), judges.difference(_NOT_JUDGES))
        found = self._later.get((step.index, at), {})
        if not found:
            return Label(None, None, None, masked="not_judged")
        newest = list(found.values())[-1].rubric
        counted = [one for one in found.values() if one.rubric.lock == newest.lock]
        who = {f"{one.evaluator.name} {one.evaluator.version}".strip() for one in counted}
        return self._joined(newest, [one.judgement for one in counted], len(attempt.actions), who)

    def _joined(
        self, rubric: Rubric | None, judged: Iterable[Judgement], actions: int, who: Iterable[str]
    ) -> Label:
        """One label of the judgements of an attempt's actions."""
        told = tuple(judged)
        evaluators = frozenset(who)
        masked = _masked(told, actions, self._min_judged)
        if masked is not None:
            return Label(None, None, rubric, told, evaluators, masked)
        passes = [one.passed for one in told]
        passed = False if False in passes else None if None in passes else True
        score = fmean(one.score for one in told if one.score is not None)
        return Label(round(score, 12), passed, rubric, told, evaluators)


def essential(criterion: Criterion) -> bool:
    """Whether a criterion is no matter of degree: hard, about safety, or with a veto."""
    return criterion.veto or criterion.kind in ("hard", "safety")


def fails_essentials(label: Label, other: Label) -> bool:
    """Whether an attempt fails an essential criterion that the other one meets."""
    if label.rubric is None:
        return False
    return any(
        label.status(criterion) in ("unmet", "partial") and other.status(criterion) == "met"
        for criterion in label.rubric
        if essential(criterion)
    )


def evaluators_of(labels: Iterable[Label]) -> frozenset[str]:
    """Everybody who decided a verdict of these labels."""
    return frozenset(name for label in labels for name in label.evaluators)


def _is_by(one: JudgementRecord, evaluator: str) -> bool:
    if evaluator == HUMAN:
        return one.evaluator.kind == "human"
    return evaluator in (one.evaluator.name, one.evaluator.version)


def _masked(judged: tuple[Judgement, ...], actions: int, min_judged: float) -> Reason | None:
    if not judged or len(judged) < actions or all(one.total == 0 for one in judged):
        return "not_judged"
    # What training may not use is decided in one place; a judgement with no score at all has no label.
    if any(verdict.fault == "instrument" for one in judged for verdict in one.verdicts):
        return "instrument"
    if any(training_label(one) is None for one in judged):
        return "undecided"
    total = sum(one.total for one in judged)
    if sum(one.judged for one in judged) < min_judged * total:
        return "too_little_judged"
    return None
