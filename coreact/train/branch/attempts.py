"""Collects what stored runs tried: attempts at one step as the candidates of a branching point.

`coreact.train.stored` makes the points and says how far they can be trusted. Here they become a collection as
any other: a folder with a visit for each point, an end for each run, and counts of all else, that goes on
where it was stopped and takes in runs that the store has gained since. Nobody proposes, judges or acts.

A run is read once. Verdicts that are added to it later (`coreact trace rejudge`, human review) are another
collection, in another folder.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path

from coreact.errors import ExportError
from coreact.trace.export.labels import RUN
from coreact.trace.export.splitting import folded
from coreact.trace.records import Trajectory
from coreact.train.branch.choice import Choice, asked_id
from coreact.train.branch.collecting import Report, collect_routes, nothing_stored
from coreact.train.branch.routes import Route, did
from coreact.train.branch.summary import Collected
from coreact.train.branch.visits import End, Visit
from coreact.train.stored import NOTHING_JUDGED, Weighed, weighed


class AttemptedRun:
    """The steps of a stored run at which it made several attempts of different worth.

    Args:
        trajectory: the run.
        question_id: id of its question in a known world; None: `asked_id`.
        evaluator: whose judgements count, see `coreact.train.stored.stored_points`.
    """

    def __init__(
        self, trajectory: Trajectory, *, question_id: str | None = None, evaluator: str = RUN
    ) -> None:
        self.question_id = question_id or asked_id(trajectory)
        self.run = trajectory.run.id
        self.how: End = "stored"
        self.passed_over: dict[str, int] = {}
        self._trajectory = trajectory
        self._evaluator = evaluator

    async def visits(self, begun: Sequence[Visit] = ()) -> AsyncIterator[Visit]:
        """The visits after those begun.

        Raises:
            MessagesError: the run holds a message that is none.
        """
        known = {visit.step for visit in begun}
        for at, one in enumerate(
            weighed(self._trajectory, evaluator=self._evaluator, question=self.question_id)
        ):
            if one.point is None:
                self.passed_over[one.why] = self.passed_over.get(one.why, 0) + 1
            elif one.step.index not in known:
                yield self._visit(one, at)

    def _visit(self, one: Weighed, at: int) -> Visit:
        assert one.point is not None  # noqa: S101 - those without one are passed over
        followed = did(one.step)
        actions = one.point.actions
        return Visit(
            question_id=self.question_id,
            step=one.step.index,
            run=self.run,
            point=one.point,
            worth="verdicts",
            rolled_in=tuple(repeat("stored", at)),
            driver=None if followed is None else "stored",
            followed=followed,
            followed_candidate=actions.index(followed) if followed in actions else None,
            proposed=len(one.step.attempts),
            dropped=dict(sorted(one.dropped.items())),
        )


async def collect_attempts(
    trajectories: Iterable[Trajectory],
    folder: Path,
    *,
    choice: Choice | None = None,
    evaluator: str = RUN,
    questions: dict[str, str] | None = None,
    report: Report | None = None,
) -> Collected:
    """Make branching points of the attempts of stored runs.

    Args:
        trajectories: the runs, e.g. `store.trajectories()`; read as they are needed.
        folder: where visits go; a collection that was interrupted goes on there.
        choice: which of the runs; None: all, held-out questions included.
        evaluator: whose judgements count: `run`, `human`, or the name or version of a later evaluator.
        questions: ids of known questions by their text (case and blanks aside), so that points of one
            question belong together wherever they come from.
        report: is told what happens.

    Raises:
        ConfigError: there is no run, the folder cannot be made, or another session collects into it.
        ExperimentMismatchError: the folder holds a collection under other settings.
        ExportError: nothing in these runs was judged by the evaluator.
        StoreError: the store cannot be read, or the disk takes nothing more.
    """
    known = {folded(text): key for text, key in (questions or {}).items()}

    def routes() -> Iterator[Route]:
        for trajectory in trajectories if choice is None else choice.of(trajectories):
            yield AttemptedRun(
                trajectory, question_id=known.get(folded(trajectory.run.question)), evaluator=evaluator
            )

    settings: dict[str, object] = {
        "of": "attempts of stored runs",
        "evaluator": evaluator,
        **({} if choice is None else choice.settings),
    }
    done = await collect_routes(folder, settings, routes(), concurrency=1, report=report, choice=choice)
    if not done.questions:
        raise nothing_stored(choice)
    if not done.visits and not done.errors and not set(done.passed_over) - {NOTHING_JUDGED}:
        raise ExportError(
            f"No step of {done.questions} stored runs was judged by {evaluator!r}.",
            remedy="Run agents with a rubric generator, or judge the runs with `coreact trace rejudge`"
            " and name the --evaluator, with another --out.",
        )
    return done
