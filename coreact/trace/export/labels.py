"""What an attempt is worth as a training label, by whoever is chosen to say so, or why it has none.

Three rules stand above all formats. A verdict that is unknown because an instrument broke says nothing of
the agent, so its attempt has no label at all. A pass that unknown verdicts could change is no label either.
And a judgement that another one supersedes does not count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal

from coreact.judge import Judgement, Status, Verdict
from coreact.judge.scoring import training_label
from coreact.judge.scoring.exact import share
from coreact.judge.scoring.joint import joint_rubric
from coreact.judge.scoring.settling import CREDIT
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
    judged: Mapping[int, Judgement] = field(default_factory=dict)
    """What it rests on: judgements by the position of their action; where it is masked, gaps are possible."""
    evaluators: frozenset[str] = frozenset()
    """Judges that decided a verdict, with their versions where these are known; checks are none."""
    masked: Reason | None = None
    """Why it has no score; None where it has one."""
    bounds: tuple[float, float] = (0.0, 1.0)
    """The least and the greatest score that it could have were nothing unknown; equal where nothing is."""

    @property
    def undecided(self) -> Reason | None:
        """Why it cannot be labelled as good or bad; None where it can."""
        return self.masked or ("undecided" if self.passed is None else None)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts on all its actions."""
        return tuple(verdict for one in self.judged.values() for verdict in one.verdicts)

    def status(self, criterion: Criterion) -> Status | None:
        """The worst verdict on a criterion among the actions; None where there is none."""
        found = {verdict.status for verdict in self.verdicts if verdict.criterion == criterion.id}
        return next((status for status in _WORST if status in found), None)

    def may_be(self, criterion: Criterion, statuses: Collection[Status]) -> bool:
        """Whether the worst verdict on a criterion is one of these, or may be where one is unknown."""
        found = {verdict.status for verdict in self.verdicts if verdict.criterion == criterion.id}
        return self.status(criterion) in statuses or "unknown" in found


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
            told = dict(enumerate(outcomes[: len(attempt.actions)]))
            return self._joined(rubric, told, len(attempt.actions), judges.difference(_NOT_JUDGES))
        place = self._later.get((step.index, at), {})
        found = {action: one for action, one in place.items() if action in range(len(attempt.actions))}
        if not found:
            return Label(None, None, None, masked="not_judged")
        newest = list(found.values())[-1].rubric
        counted = [
            (action, found[action])
            for action in range(len(attempt.actions))
            if action in found and found[action].rubric.lock == newest.lock
        ]
        who = {f"{one.evaluator.name} {one.evaluator.version}".strip() for _, one in counted}
        told = {action: one.judgement for action, one in counted}
        return self._joined(newest, told, len(attempt.actions), who)

    def _joined(
        self, rubric: Rubric | None, told: Mapping[int, Judgement], actions: int, who: Iterable[str]
    ) -> Label:
        """One label of the judgements of an attempt's actions."""
        evaluators = frozenset(who)
        judged = tuple(told.values())
        masked = _masked(judged, actions, self._min_judged)
        if masked is not None:
            return Label(None, None, rubric, told, evaluators, masked)
        passes = [one.passed for one in judged]
        passed = False if False in passes else None if None in passes else True
        score = fmean(one.score for one in judged if one.score is not None)
        ends = [_bounds(rubric, one) for one in judged]
        bounds = (round(fmean(low for low, _ in ends), 12), round(fmean(high for _, high in ends), 12))
        return Label(round(score, 12), passed, rubric, told, evaluators, bounds=bounds)


def essential(criterion: Criterion) -> bool:
    """Whether a criterion is no matter of degree: hard, about safety, or with a veto."""
    return criterion.veto or criterion.kind in ("hard", "safety")


def surely_above(label: Label, other: Label) -> bool:
    """Whether an attempt has the higher score, and no unknown verdict could change that."""
    return label.bounds[0] > other.bounds[1]


def may_fail_essentials(label: Label, other: Label) -> bool:
    """Whether an attempt may, by what is unknown, fail an essential criterion that the other may meet.

    Passing counts as one: an attempt of several actions may have the higher score and fail by one of them.
    """
    if label.passed is not True and other.passed is not False and None in (label.passed, other.passed):
        return True
    bad: tuple[Status, ...] = ("unmet", "partial")
    good: tuple[Status, ...] = ("met",)
    return any(
        label.may_be(criterion, bad) and other.may_be(criterion, good)
        for criterion in label.rubric or ()
        if essential(criterion)
    )


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


def _bounds(rubric: Rubric | None, judged: Judgement) -> tuple[float, float]:
    """Between which scores a judgement may lie. What hangs on an unknown criterion may count or not.

    A criterion that turns out not to apply changes the mean as one with the mean as its credit would, so
    all that may change is a credit in [0, 1].
    """
    if judged.score is not None and judged.judged == judged.total:
        return judged.score, judged.score
    status = {verdict.criterion: verdict.status for verdict in judged.verdicts}
    known = [(one.weight, CREDIT[status[one.id]]) for one in rubric or () if status.get(one.id) in CREDIT]
    if rubric is None or share(known) != judged.score:
        return 0.0, 1.0  # another rule made the score: that of a model's own criteria takes off from it
    open_: set[str] = {name for name, one in status.items() if one == "unknown"}
    for criterion in rubric:  # in the rubric's order, a criterion stands behind those it depends on
        if open_.intersection(criterion.depends_on):
            open_.add(criterion.id)
    sure = [
        (one.weight, CREDIT[status[one.id]])
        for one in rubric
        if one.id not in open_ and status.get(one.id) in CREDIT
    ]
    loose = [one.weight for one in rubric if one.id in open_]
    ends = (share([*sure, *((weight, end) for weight in loose)]) for end in (0.0, 1.0))
    low, high = (0.0 if end is None else end for end in ends)
    return low, high
