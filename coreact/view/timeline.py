"""A stored run as its page shows it: each step with its candidates, verdicts, evidence and later judgements.

The records say what happened; here is only put together what belongs together on a page. Nothing is
judged here: scores are the stored ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from coreact.judge import Judgement, Verdict
from coreact.judge.scoring.joint import joint_rubric
from coreact.rubric import Action, Criterion, Rubric
from coreact.trace import (
    Attempt,
    Disposition,
    JudgementRecord,
    ObservationRecord,
    StepRecord,
    Trajectory,
    step_score,
)
from coreact.view.evidence import Evidences, Piece, Quote

Place = tuple[int | None, int | None, int | None]


class VerdictRow(NamedTuple):
    """A verdict beside its criterion; the criterion is None where the rubric does not have it."""

    verdict: Verdict
    criterion: Criterion | None
    quotes: list[Quote]
    disputed: bool
    """Somebody else decided otherwise."""


class LaterRow(NamedTuple):
    """A later judgement with its verdicts."""

    record: JudgementRecord
    rows: list[VerdictRow]
    superseded: bool


class Candidate(NamedTuple):
    """One action of an attempt with what was said of it."""

    attempt: Attempt
    position: int
    """Position of the attempt in its step."""
    number: int
    """Position of the action in the attempt."""
    action: Action
    disposition: Disposition | None
    outcome: Judgement | None
    rows: list[VerdictRow]
    later: list[LaterRow]
    reviewable: bool
    """Whether a person can judge it by the step's rubric."""


class Observed(NamedTuple):
    """An observation, cut where evidence marks it."""

    record: ObservationRecord
    pieces: list[Piece]


class Line(NamedTuple):
    """A step in one line: what is shown until its whole is asked for."""

    step: int
    action: str
    score: float | None
    low: bool
    """It failed, or its score is below its rubric's threshold, or something went wrong."""
    disputed: bool
    attempts: int
    error: bool


@dataclass(frozen=True)
class StepPage:
    """One decision, whole."""

    record: StepRecord
    line: Line
    attempts: tuple[tuple[Attempt, list[Candidate]], ...]
    observations: tuple[Observed, ...]


class Timeline:
    """One run, prepared for its page. Steps are prepared when they are asked for."""

    def __init__(self, trajectory: Trajectory) -> None:
        self.trajectory = trajectory
        self._later: dict[Place, list[JudgementRecord]] = defaultdict(list)
        for one in trajectory.judgements:
            self._later[one.place].append(one)
        self._standing = {one.id for one in trajectory.standing}
        self._observed: dict[int, list[ObservationRecord]] = defaultdict(list)
        for seen in trajectory.observations:
            self._observed[seen.step].append(seen)
        self._records = {step.index: step for step in trajectory.steps}

    @cached_property
    def evidences(self) -> Evidences:
        """The evidence of the whole run."""
        return Evidences(self.trajectory)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Every step in one line."""
        return tuple(self._line(step) for step in self.trajectory.steps)

    @property
    def whole(self) -> list[LaterRow]:
        """Judgements of the run as a whole."""
        return self._later_rows((None, None, None), set())

    def disputed(self, step: StepRecord) -> set[str]:
        """Ids of the criteria on which those who judged the selected attempt differ."""
        found: set[str] = set()
        for position, attempt in enumerate(step.attempts):
            if attempt.selected:
                for number in range(len(attempt.actions)):
                    found |= self._disputed(step, attempt, position, number)
        return found

    def step(self, index: int) -> StepPage:
        """One step, whole.

        Raises:
            IndexError: there is no such step.
        """
        step = self._records.get(index)
        if step is None:
            raise IndexError(f"run {self.trajectory.run.id} has no step {index}")
        return StepPage(
            record=step,
            line=self._line(step),
            attempts=tuple(
                (attempt, self._candidates(step, attempt, position))
                for position, attempt in enumerate(step.attempts)
            ),
            observations=tuple(Observed(seen, self.evidences.pieces(seen)) for seen in self._observed[index]),
        )

    def _line(self, step: StepRecord) -> Line:
        score, chosen = step_score(step), step.chosen
        failed = chosen is not None and any(one.passed is False for one in chosen.outcomes)
        weak = score is not None and step.rubric is not None and score < step.rubric.threshold
        shown = chosen or (step.attempts[-1] if step.attempts else None)
        return Line(
            step=step.index,
            action="; ".join(map(str, shown.actions)) if shown is not None else "no proposal",
            score=score,
            low=failed or weak or step.error is not None,
            disputed=bool(self.disputed(step)),
            attempts=len(step.attempts),
            error=step.error is not None,
        )

    def _candidates(self, step: StepRecord, attempt: Attempt, position: int) -> list[Candidate]:
        rubric = step.rubric
        if rubric is not None and attempt.own is not None:
            rubric = joint_rubric(rubric, attempt.own)
        outcomes = attempt.outcomes
        found = []
        for number, action in enumerate(attempt.actions):
            outcome = outcomes[number] if number < len(outcomes) else None
            disputed = self._disputed(step, attempt, position, number)
            found.append(
                Candidate(
                    attempt=attempt,
                    position=position,
                    number=number,
                    action=action,
                    disposition=step.dispositions[number]
                    if attempt.selected and number < len(step.dispositions)
                    else None,
                    outcome=outcome,
                    rows=[] if outcome is None else self._rows(outcome, rubric, disputed),
                    later=self._later_rows((step.index, position, number), disputed),
                    reviewable=number < len(attempt.judgements)
                    and complete(step.rubric, attempt.judgements[number]),
                )
            )
        return found

    def _disputed(self, step: StepRecord, attempt: Attempt, position: int, number: int) -> set[str]:
        later = self._later.get((step.index, position, number))
        if not later:
            return set()
        judged = [(one.rubric, one.judgement) for one in later if one.id in self._standing]
        if step.rubric is not None and number < len(attempt.judgements):
            judged.append((step.rubric, attempt.judgements[number]))
        return disagreement(judged)

    def _rows(self, judgement: Judgement, rubric: Rubric | None, disputed: set[str]) -> list[VerdictRow]:
        known = {} if rubric is None else {one.id: one for one in rubric}
        return [
            VerdictRow(
                verdict,
                known.get(verdict.criterion),
                self.evidences.quotes(verdict),
                verdict.criterion in disputed,
            )
            for verdict in judgement.verdicts
        ]

    def _later_rows(self, place: Place, disputed: set[str]) -> list[LaterRow]:
        return [
            LaterRow(one, self._rows(one.judgement, one.rubric, disputed), one.id not in self._standing)
            for one in self._later.get(place, ())
        ]


def complete(rubric: Rubric | None, judgement: Judgement) -> bool:
    """Whether a judgement has one verdict for each criterion of the rubric, so that it can be corrected."""
    if rubric is None or rubric.lock != judgement.rubric:
        return False
    return {one.criterion for one in judgement.verdicts} == {one.id for one in rubric} and len(
        judgement.verdicts
    ) == len(rubric)


def disagreement(judged: Sequence[tuple[Rubric, Judgement]]) -> set[str]:
    """Ids of the criteria that were decided in two ways; who could not tell takes no side.

    Criteria of two rubrics are the same where id and text are.
    """
    said: dict[tuple[str, str], set[str]] = defaultdict(set)
    for rubric, judgement in judged:
        texts = {one.id: one.text for one in rubric}
        for verdict in judgement.verdicts:
            if verdict.status != "unknown" and verdict.criterion in texts:
                said[verdict.criterion, texts[verdict.criterion]].add(verdict.status)
    return {criterion for (criterion, _), statuses in said.items() if len(statuses) > 1}


def verdicts_by_criterion(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    """The verdicts by the ids of their criteria."""
    return {one.criterion: one for one in verdicts}
