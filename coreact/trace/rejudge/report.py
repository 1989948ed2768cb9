"""What judging again changed: agreement, flips, scores, passes, and what could not be judged.

What the evaluator says now is compared with what was judged of the same action before (while the run went
on, or later by another evaluator), wherever both know the criterion: the same id and text. Statuses that
nobody could tell are missing, not a rating. Counts are kept, not judgements, so that a report on a large
store stays small; every flip is listed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from statistics import fmean
from typing import Literal

from coreact.judge import Cause, Cost, Status
from coreact.judge.panel.agreement import cohen_kappa, krippendorff_alpha
from coreact.rubric import Record
from coreact.trace.records import Evaluator
from coreact.trace.rejudge.judging import LeftOut, Outcome, Rejudged

Passing = Literal["passed", "failed", "undecided"]


class Flip(Record):
    """A criterion that is now judged otherwise; both could tell. Texts are untrusted."""

    run: str
    step: int | None
    attempt: int | None
    action: int | None
    sample: int
    criterion: str
    text: str
    before: Status
    after: Status
    reason_before: str
    reason_after: str
    by_before: str
    by_after: str
    """`check`, or the id of a judge."""

    @property
    def place(self) -> str:
        """Where, as `run@step.attempt`."""
        return self.run if self.step is None else f"{self.run}@{self.step}.{self.attempt}"


class StatusAgreement(Record):
    """How far the statuses of then and now agree, on one criterion or on all."""

    criterion: str
    """Its id; empty: all of them."""
    text: str
    """Its text; empty where it differs from step to step."""
    items: int
    """Where both could tell."""
    same: int
    before_only: int
    """Where only the judgement of then could tell."""
    after_only: int
    """Where only that of now could."""
    kappa: float | None = None
    """Cohen's kappa in [-1, 1]; None where it is not defined, or was not asked for."""
    alpha: float | None = None
    """Krippendorff's alpha, nominal, at most 1; None likewise."""

    @property
    def share(self) -> float | None:
        """Share of the items on which they agree, in [0, 1]."""
        return self.same / self.items if self.items else None


class ScoreChange(Record):
    """The scores of one run's actions, where both judgements have one."""

    run: str
    items: int
    before: float
    """Mean in [0, 1]."""
    after: float


class PassChange(Record):
    """How many actions went from one outcome to another."""

    before: Passing
    after: Passing
    items: int


class RejudgeReport(Record):
    """What came of judging again."""

    evaluator: Evaluator
    runs: int
    """Runs that were looked at."""
    made: int
    """New judgements."""
    known: int
    """Judgements that were there already; they are compared like new ones."""
    left_out: tuple[LeftOut, ...]
    """What could not be judged again, and why."""
    compared: int
    """Judgements of something that had one to compare with."""
    overall: StatusAgreement
    criteria: tuple[StatusAgreement, ...]
    """By criterion id, most items first."""
    flips: tuple[Flip, ...]
    scores: tuple[ScoreChange, ...]
    """One a run; actions of a run are not independent of each other."""
    passes: tuple[PassChange, ...]
    statuses: dict[Status, int]
    """All statuses of the evaluator."""
    faults: dict[Cause | Literal["check"], int]
    """`unknown` verdicts of a broken instrument, by cause; `check`: a check that could not be run."""
    cost: Cost
    """Of the new judgements, and of the rubrics that were written for them."""


class Comparison:
    """Adds up what judging again brings, part by part, and reports on it at any time."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._runs: set[str] = set()
        self._made = self._known = self._compared = 0
        self._left_out: list[LeftOut] = []
        self._pairs: dict[str, Counter[tuple[Status, Status]]] = defaultdict(Counter)
        self._texts: dict[str, str] = {}
        self._flips: list[Flip] = []
        self._scores: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._passes: Counter[tuple[Passing, Passing]] = Counter()
        self._statuses: Counter[Status] = Counter()
        self._faults: Counter[Cause | Literal["check"]] = Counter()
        self._cost = Cost()

    @property
    def made(self) -> int:
        """New judgements so far."""
        return self._made

    @property
    def runs(self) -> int:
        """Runs that were looked at so far."""
        return len(self._runs)

    def add(self, part: Rejudged) -> None:
        """Take what came of a part."""
        self._left_out += part.left_out
        self._runs.update(one.run for one in part.left_out)
        self._cost += part.written
        for outcome in part.outcomes:
            self._add(outcome)

    def _add(self, outcome: Outcome) -> None:
        record = outcome.record
        self._runs.add(record.run)
        if outcome.made:
            self._made += 1
            self._cost += record.judgement.cost
        else:
            self._known += 1
        for verdict in record.judgement.verdicts:
            self._statuses[verdict.status] += 1
            if verdict.fault == "instrument":
                self._faults[verdict.cause or "check"] += 1
        if outcome.before is None:
            return
        self._compared += 1
        before, after = outcome.before.judgement, record.judgement
        self._passes[_passing(before.passed), _passing(after.passed)] += 1
        if before.score is not None and after.score is not None:
            self._scores[record.run].append((before.score, after.score))
        said = {verdict.criterion: verdict for verdict in before.verdicts}
        texts = {criterion.id: criterion.text for criterion in outcome.before.rubric}
        ours = {criterion.id: criterion.text for criterion in record.rubric}
        for now in after.verdicts:
            then, text = said.get(now.criterion), ours.get(now.criterion)
            if then is None or text is None or texts.get(now.criterion) != text:
                continue
            self._pairs[now.criterion][then.status, now.status] += 1
            known = self._texts.setdefault(now.criterion, text)
            self._texts[now.criterion] = known if known == text else ""
            if then.status != now.status and "unknown" not in (then.status, now.status):
                self._flips.append(
                    Flip(
                        run=record.run,
                        step=record.step,
                        attempt=record.attempt,
                        action=record.action,
                        sample=record.sample,
                        criterion=now.criterion,
                        text=text,
                        before=then.status,
                        after=now.status,
                        reason_before=then.reason,
                        reason_after=now.reason,
                        by_before=then.decided_by,
                        by_after=now.decided_by,
                    )
                )

    def report(self, *, coefficients: bool = True) -> RejudgeReport:
        """The report on what was added so far.

        Args:
            coefficients: compute kappa and alpha as well.

        Raises:
            MissingExtraError: coefficients are asked for, and the extra `judge` is not installed.
        """
        total: Counter[tuple[Status, Status]] = Counter()
        for pairs in self._pairs.values():
            total.update(pairs)
        rows = [_agreement(one, self._texts[one], pairs, coefficients) for one, pairs in self._pairs.items()]
        return RejudgeReport(
            evaluator=self._evaluator,
            runs=len(self._runs),
            made=self._made,
            known=self._known,
            left_out=tuple(
                sorted(self._left_out, key=lambda one: (one.run, -1 if one.step is None else one.step))
            ),
            compared=self._compared,
            overall=_agreement("", "", total, coefficients),
            criteria=tuple(sorted(rows, key=lambda row: (-row.items, row.criterion))),
            flips=tuple(sorted(self._flips, key=_order)),
            scores=tuple(
                ScoreChange(
                    run=run,
                    items=len(found),
                    before=fmean(then for then, _ in found),
                    after=fmean(now for _, now in found),
                )
                for run, found in sorted(self._scores.items())
            ),
            passes=tuple(
                PassChange(before=then, after=now, items=count)
                for (then, now), count in sorted(self._passes.items())
            ),
            statuses=dict(sorted(self._statuses.items())),
            faults=dict(sorted(self._faults.items())),
            cost=self._cost,
        )


def _order(flip: Flip) -> tuple[object, ...]:
    places = (-1 if at is None else at for at in (flip.step, flip.attempt, flip.action))
    return (flip.run, *places, flip.sample, flip.criterion)


def _passing(passed: bool | None) -> Passing:
    return "undecided" if passed is None else "passed" if passed else "failed"


def _agreement(
    criterion: str, text: str, pairs: Counter[tuple[Status, Status]], coefficients: bool
) -> StatusAgreement:
    told = {pair: count for pair, count in pairs.items() if "unknown" not in pair}
    kappa = alpha = None
    if coefficients:
        ratings: Iterable[tuple[Status, Status]] = [
            pair for pair, count in sorted(told.items()) for _ in range(count)
        ]
        then, now = [one for one, _ in ratings], [other for _, other in ratings]
        kappa = cohen_kappa(then, now).value
        alpha = krippendorff_alpha([then, now], level="nominal").value
    return StatusAgreement(
        criterion=criterion,
        text=text,
        items=sum(told.values()),
        same=sum(count for (one, other), count in told.items() if one == other),
        before_only=sum(n for (one, other), n in pairs.items() if other == "unknown" != one),
        after_only=sum(n for (one, other), n in pairs.items() if one == "unknown" != other),
        kappa=kappa,
        alpha=alpha,
    )
