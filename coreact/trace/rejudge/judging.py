"""One stored run judged anew: the transcript stays as it is, the judge or the rubric is another one.

Each action of each attempt is judged in the very state in which it was proposed, by the rules of the running
agent: checks first and free, the judge about the rest, the score by arithmetic. Nothing that was judged
before is changed; what comes out are records to append. What an agent judged by criteria that it wrote for
itself is not judged again. Nothing here reads or writes a store.

Whoever judged the same thing by the same rubric before is not asked again, except where its instrument had
failed in a way that passes (no connection, a full queue, an empty purse): the new judgement then supersedes
the old one. Judgements of different evaluators, and further samples of one, never supersede each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import NamedTuple, Protocol

from coreact.errors import ConfigError, CoReActError
from coreact.judge import Cause, Cost, Judge, Judgement, Ruling, judgement, run_checks, undecided
from coreact.judge.asking import Asking, Request, aserve, serve, work
from coreact.judge.consult import aconsult, consult
from coreact.rubric import Action, Record, Rubric, State, Step
from coreact.trace.judged import Judged, Place, judged_by, judged_later
from coreact.trace.records import Evaluator, JudgementRecord, StepRecord, Trajectory
from coreact.trace.rejudge.evaluators import evaluator_of
from coreact.trace.rejudge.walking import RunStates

Keep = Callable[[JudgementRecord], object]
"""Takes a judgement as it is made."""

_PASSING: frozenset[Cause | None] = frozenset({"transport", "rate_limit", "budget", "bug"})


class WrittenRubric(Protocol):
    """What a writer gives back, whatever else there is to it."""

    @property
    def rubric(self) -> Rubric:
        """The rubric."""

    @property
    def cost(self) -> Cost:
        """What writing it cost."""


class RubricWriter(Protocol):
    """Whoever writes a rubric for a state, such as any generator of `coreact.generate`."""

    def write(self, state: State, /) -> WrittenRubric:
        """Write it; raises a `CoReActError` where it cannot."""

    async def awrite(self, state: State, /) -> WrittenRubric:
        """The same, without blocking the event loop."""


class LeftOut(Record):
    """Something that could not be judged again."""

    run: str
    step: int | None
    """None: the run as a whole."""
    reason: str


class Outcome(NamedTuple):
    """A judgement of the evaluator, and what was judged of the same thing while the run went on."""

    record: JudgementRecord
    before: Judged | None
    made: bool
    """Whether it was made now; False: it was there already."""


class Rejudged(NamedTuple):
    """What came of judging again."""

    outcomes: tuple[Outcome, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    written: Cost = Cost()
    """What writing rubrics cost."""

    @property
    def judgements(self) -> tuple[JudgementRecord, ...]:
        """The new judgements, to be appended."""
        return tuple(one.record for one in self.outcomes if one.made)

    def __add__(self, other: object) -> Rejudged:
        if not isinstance(other, Rejudged):
            return NotImplemented
        return Rejudged(
            self.outcomes + other.outcomes, self.left_out + other.left_out, self.written + other.written
        )


class RejudgeTask:
    """How runs are to be judged again.

    Args:
        judge: whoever decides what no check decides; None: checks alone. Where it is asked several times it
            must not remember its verdicts.
        rubric: a rubric for all steps, or, if its scope is `answer` or `trajectory`, for the run's answer; a
            writer that is asked for one in each step's state; or None: the rubric that the step has.
        selected_only: leave out the attempts that were rejected.
        samples: how many judgements of this evaluator there should be of each thing.
        again: make that many more, whatever there is.
        against: name or version of an evaluator that judged later, to compare with; None: what each run was
            decided by.

    Raises:
        ConfigError: no sample is asked for, or several of checks, which would all say the same.
    """

    def __init__(
        self,
        judge: Judge | None = None,
        rubric: Rubric | RubricWriter | None = None,
        *,
        selected_only: bool = False,
        samples: int = 1,
        again: bool = False,
        against: str | None = None,
    ) -> None:
        if samples < 1 or (judge is None and (samples > 1 or again)):
            raise ConfigError(
                f"Judging with {samples} sample(s){' again' if again else ''} tells nothing.",
                remedy="Ask a judge for at least one; checks say the same each time.",
            )
        self.evaluator: Evaluator = evaluator_of(judge)
        """Who the judgements are by."""
        self.judge = judge
        self.rubric = rubric
        self.selected_only = selected_only
        self.samples = samples
        self.again = again
        self.against = against

    def parts(self, trajectory: Trajectory, *, keep: Keep | None = None) -> Iterator[Asking[Rejudged]]:
        """The run's steps, or its answer, as procedures that do not depend on each other.

        Args:
            trajectory: the run.
            keep: called with each judgement as it is made.
        """
        run = _Run(self, trajectory, keep or _drop)
        if trajectory.run.capture == "off":
            yield run.nothing("Nothing of its content was kept.")
        elif isinstance(self.rubric, Rubric) and self.rubric.scope != "step":
            yield run.answer(self.rubric)
        else:
            for step in trajectory.steps:
                yield run.step(step)

    def rejudge(self, trajectory: Trajectory) -> Rejudged:
        """Judge one run, blocking."""
        return sum((serve(part) for part in self.parts(trajectory)), Rejudged())

    async def arejudge(self, trajectory: Trajectory) -> Rejudged:
        """The same, without blocking the event loop."""
        return sum([await aserve(part) for part in self.parts(trajectory)], Rejudged())


def rejudge(
    trajectory: Trajectory, judge: Judge | None = None, rubric: Rubric | RubricWriter | None = None
) -> Rejudged:
    """Judge one stored run anew by a judge and a rubric, as `RejudgeTask` takes them; blocking."""
    return RejudgeTask(judge, rubric).rejudge(trajectory)


async def arejudge(
    trajectory: Trajectory, judge: Judge | None = None, rubric: Rubric | RubricWriter | None = None
) -> Rejudged:
    """The same as `rejudge`, without blocking the event loop."""
    return await RejudgeTask(judge, rubric).arejudge(trajectory)


# --- one run ----------------------------------------------------------------------------------


class _Case(NamedTuple):
    """One action to be judged."""

    place: Place
    rubric: Rubric
    action: Action
    state: State


class _Run:
    """One run while it is judged again."""

    def __init__(self, task: RejudgeTask, trajectory: Trajectory, keep: Keep) -> None:
        self._task = task
        self._trajectory = trajectory
        self._states = RunStates(trajectory)
        self._keep = keep
        against = task.against
        self._before = judged_by(trajectory) if against is None else judged_later(trajectory, against)
        self._known: dict[tuple[Place, str], list[JudgementRecord]] = defaultdict(list)
        for one in trajectory.standing:
            if one.evaluator == task.evaluator:
                self._known[Place(*one.place), one.rubric.lock].append(one)

    def step(self, step: StepRecord) -> Asking[Rejudged]:
        """Judge what was proposed in one step."""
        written = Cost()
        try:
            state = yield work(self._states.at, step.index)
            rubric = step.rubric if self._task.rubric is None else self._task.rubric
            if rubric is not None and not isinstance(rubric, Rubric):
                draft = yield Request(partial(rubric.write, state), partial(rubric.awrite, state))
                rubric, written = draft.rubric, draft.cost
        except CoReActError as error:
            return self._left_out(error.what, step.index)
        if rubric is None:
            return self._left_out("The step has no rubric.", step.index)
        outcomes: list[Outcome] = []
        for at, attempt in enumerate(step.attempts):
            if attempt.selected or not self._task.selected_only:
                for position, (action, here) in enumerate(_as_proposed(attempt.actions, state)):
                    case = _Case(Place(step.index, at, position), rubric, action, here)
                    outcomes += yield from self._judged(case)
        return Rejudged(tuple(outcomes), written=written)

    def answer(self, rubric: Rubric) -> Asking[Rejudged]:
        """Judge the answer, in the state in which it was given."""
        answered = [
            step.index
            for step in self._trajectory.steps
            if step.chosen is not None and any(action.stops for action in step.chosen.actions)
        ]
        if self._trajectory.end is None or not answered:
            return self._left_out("The run has no answer.")
        try:
            state = yield work(self._states.at, answered[-1])
        except CoReActError as error:
            return self._left_out(error.what)
        answer = Action(answer=self._trajectory.end.answer)
        return Rejudged(tuple((yield from self._judged(_Case(Place(), rubric, answer, state)))))

    def nothing(self, why: str) -> Asking[Rejudged]:
        """Judge nothing of it."""
        yield from ()
        return self._left_out(why)

    def _left_out(self, why: str, step: int | None = None) -> Rejudged:
        return Rejudged(left_out=(LeftOut(run=self._trajectory.run.id, step=step, reason=why),))

    def _judged(self, case: _Case) -> Asking[list[Outcome]]:
        there, task = self._known[case.place, case.rubric.lock], self._task
        before = self._before.get(case.place)
        outcomes: list[Outcome] = []
        for old in () if task.again else there:
            if failed := _failed_for_now(old.judgement):
                old = yield from self._asked(case, sample=old.sample, corrects=old.id)
            outcomes.append(Outcome(old, before, made=failed))
        free = count(max((one.sample for one in there), default=-1) + 1)
        while len(outcomes) < task.samples:
            made = yield from self._asked(case, sample=next(free))
            outcomes.append(Outcome(made, before, made=True))
        return outcomes

    def _asked(self, case: _Case, *, sample: int, corrects: str | None = None) -> Asking[JudgementRecord]:
        place, rubric, action, state = case
        checked, judge = run_checks(rubric, action, state), self._task.judge
        ruling = Ruling(())
        if checked.open and judge is not None:
            asked = (judge, checked.open, action, state)
            ruling = yield Request(partial(consult, *asked), partial(aconsult, *asked))
        elif checked.open:
            ruling = Ruling(undecided(checked.open, reason="there is no judge", by="nobody", broken=False))
        record = JudgementRecord(
            run=self._trajectory.run.id,
            step=place.step,
            attempt=place.attempt,
            action=place.action,
            judged_ns=self._trajectory.recorded_ns(place.step),
            rubric=rubric,
            judgement=judgement(rubric, (*checked.decided, *ruling.verdicts), cost=ruling.cost),
            evaluator=self._task.evaluator,
            sample=sample,
            supersedes=corrects,
        )
        self._keep(record)
        return record


def _as_proposed(actions: Sequence[Action], state: State) -> Iterator[tuple[Action, State]]:
    """Actions of one message, each in the state in which the running agent judges it.

    A call sees the calls before it in the same message as made, without results, so that one that does
    the same as its sibling is a repeat.
    """
    for action in actions:
        yield action, state
        if action.call is not None:
            state = state.after(Step(call=action.call), decisions=0)


def _failed_for_now(judged: Judgement) -> bool:
    return any(one.fault == "instrument" and one.cause in _PASSING for one in judged.verdicts)


def _drop(_: JudgementRecord) -> None:
    """Keep nothing: the caller takes what is returned."""
