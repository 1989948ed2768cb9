"""One run as it is compared: what it did, what came back, and how one evaluator judged it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import NamedTuple

from coreact.judge import Cost
from coreact.rubric import Action
from coreact.trace.diff.result import Column, Later, Move
from coreact.trace.judged import Judged, Place, mean_score
from coreact.trace.records import Evaluator, ObservationRecord, StepRecord, Trajectory


class Done(NamedTuple):
    """An action of a selected attempt, with what belongs to it."""

    move: Move
    key: str
    """Equal where two runs did the same."""
    judged: Judged | None
    observed: tuple[tuple[str, bool], ...]


class Seen:
    """A run as it is compared: its moves, and its judgements by one evaluator."""

    def __init__(self, trajectory: Trajectory, judged: Mapping[Place, Judged]) -> None:
        self.trajectory = trajectory
        self.judged = judged
        self.observed: dict[int, list[ObservationRecord]] = defaultdict(list)
        for seen in trajectory.observations:
            self.observed[seen.step].append(seen)
        self.done = [done for step in trajectory.steps for done in self._of(step)]

    @property
    def keys(self) -> list[str]:
        """What was done, in order; equal keys for the same deed."""
        return [done.key for done in self.done]

    @property
    def score(self) -> float | None:
        """Mean score in [0, 1] of the judged steps, those taken over included; None where none has one."""
        scores: dict[int, list[float]] = defaultdict(list)
        for done in self.done:
            if done.move.score is not None:
                scores[done.move.step].append(done.move.score)
        return fmean(map(fmean, scores.values())) if scores else None

    def take_over(self, parent: Seen) -> None:
        """Put in front what the run did before it was forked, where its own record begins with the fork."""
        own, forked_at = {step.index for step in self.trajectory.steps}, self.trajectory.run.forked_at or 0
        before = [
            done._replace(move=done.move.model_copy(update={"copied": True}))
            for done in parent.done
            if done.move.step < forked_at and done.move.step not in own
        ]
        self.done = [*before, *self.done]

    def _of(self, step: StepRecord) -> Iterator[Done]:
        at = next((at for at, attempt in enumerate(step.attempts) if attempt.selected), None)
        if at is None:
            return
        forked_at = self.trajectory.run.forked_at
        for position, action in enumerate(step.attempts[at].actions):
            judged = self.judged.get(Place(step.index, at, position))
            call = action.call
            move = Move(
                step=step.index,
                attempt=at,
                action=position,
                tool=None if call is None else call.name,
                text=(action.answer or "") if call is None else str(action),
                disposition=step.dispositions[position] if position < len(step.dispositions) else None,
                score=None if judged is None else judged.judgement.score,
                passed=None if judged is None else judged.judgement.passed,
                copied=forked_at is not None and step.index < forked_at,
            )
            came = tuple(
                (seen.text, seen.failed)
                for seen in self.observed[step.index]
                if call is not None and seen.call_id == call.id
            )
            yield Done(move, _key(action), judged, came)


def _key(action: Action) -> str:
    return "answer" if action.call is None else action.call.key


def column(seen: Seen, judged_as: str | None) -> Column:
    """A run as a whole."""
    run, end, steps = seen.trajectory.run, seen.trajectory.end, seen.trajectory.steps
    later = Counter(one.evaluator for one in seen.trajectory.standing)
    return Column(
        run=run.id,
        question=run.question,
        agent=run.agent,
        status="running" if end is None else end.status,
        parent=run.parent,
        forked_at=run.forked_at,
        judged_by=judged_as,
        steps=len(steps),
        retries=sum(attempt.source == "retry" for step in steps for attempt in step.attempts),
        score=seen.score,
        answer=None if end is None else end.answer,
        seconds=None if end is None else max(0, end.ended_ns - run.started_ns) / 1e9,
        cost=sum((step.cost for step in steps), Cost()),
        later=tuple(
            Later(evaluator=who, judgements=count, score=_score_by(seen.trajectory, who))
            for who, count in later.items()
        ),
    )


def _score_by(trajectory: Trajectory, who: Evaluator) -> float | None:
    own = {
        Place(*one.place): Judged(one.rubric, one.judgement)
        for one in trajectory.standing
        if one.evaluator == who
    }
    return mean_score(trajectory, own)
