"""Collects branching points from live or stored runs into a folder, many at a time, and goes on after a kill.

What costs anything (models, judges, tools) happens in `routes`; here runs are put side by side, what they
visit is written down as it happens, and an error costs the question that it struck. Four things end a
collection early: a model, a teacher or a panel that is dead, a disk that takes nothing more, a setting that
no question can be collected with, and LangGraph's control flow. All that was visited by then is stored, and
the same call goes on from there.

Source: the collection of Co-ReAct (arXiv 2605.23590). What differs: steps are written one by one rather
than at the end of a trajectory, tool errors stay local, the best action need not be the one followed, and a
decision that nobody could judge has no label.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from langgraph.errors import GraphBubbleUp
from pydantic import Field

from coreact.errors import ConfigError, JudgingError, MissingExtraError, ModelCallError
from coreact.rubric import Record
from coreact.rubric.canonical import digest
from coreact.trace.export.splitting import folded
from coreact.trace.journal import held
from coreact.trace.records import Trajectory
from coreact.train.branch.choice import Choice
from coreact.train.branch.environment import LIMIT, SYSTEM, RolloutEnvironment, WorldEnvironment
from coreact.train.branch.looking import Looker
from coreact.train.branch.roll_in import RollIn
from coreact.train.branch.routes import LiveRun, Route, StoredRun
from coreact.train.branch.summary import Collected, summarize
from coreact.train.branch.visits import Ended, Notebook, Visit

Report = Callable[[Visit | Ended], None]
"""Told of each visit and of each question ended, as it happens."""


class CollectSettings(Record):
    """How live runs are collected from."""

    roll_in: RollIn = RollIn()
    steps: int = Field(default=LIMIT, ge=1)
    """Tool calls that a run may take, and so decisions visited at most."""
    system: str = SYSTEM
    """System prompt of the agent that acts. Models are asked with it, and states hold it as those of a
    running agent do, so that a generator is trained on the prompts it will meet."""
    seed: int = Field(default=0, ge=0)
    """Of all draws."""
    concurrency: int = Field(default=16, ge=1)
    """Questions under way at the same time. To keep a server busy take twice as many as its throttle lets
    through, since each question waits for its own last step. Changes no result."""


async def collect_live(
    environment: RolloutEnvironment,
    question_ids: Sequence[str],
    folder: Path,
    *,
    looker: Looker,
    settings: CollectSettings | None = None,
    report: Report | None = None,
) -> Collected:
    """Run through questions and keep every decision.

    Args:
        environment: where actions are taken.
        question_ids: the questions, each once. With a teacher, its share goes from the first to the last.
        folder: where visits go; a collection that was interrupted goes on there.
        looker: samplers, teacher and whoever tells what candidates are worth.
        settings: how; default: following the best.
        report: is told what happens.

    Raises:
        ConfigError: there is no question, one is there twice, the rule needs a teacher and there is none,
            the folder cannot be made, or another session collects into it.
        ExperimentMismatchError: the folder holds a collection under other settings.
        ModelCallError, JudgingError: a model, the teacher or the panel is dead; what was visited is stored.
        StoreError: the disk takes nothing more; what was visited before is stored.
    """
    chosen = settings or CollectSettings()
    ids = list(question_ids)
    if not ids or len(set(ids)) < len(ids):
        raise ConfigError(f"{len(ids)} questions, {len(set(ids))} different.", remedy="Name each once.")
    if chosen.roll_in.rule == "teacher" and looker.ids["teacher"] is None:
        raise ConfigError("Rolling in with a teacher needs one.", remedy="Name a teacher, or another rule.")

    def routes() -> Iterator[Route]:
        for at, question_id in enumerate(ids):
            yield LiveRun(
                environment,
                question_id,
                looker,
                roll_in=chosen.roll_in,
                beta=chosen.roll_in.beta.at(at / max(1, len(ids) - 1)),
                limit=chosen.steps,
                seed=chosen.seed,
                system=chosen.system,
            )

    asked: dict[str, object] = {
        "of": "live runs",
        "world": environment.name,
        "questions": f"{len(ids)}, {digest(ids)[-16:]}",
        **_version(environment),
        **chosen.model_dump(mode="json", exclude={"concurrency"}),
        **looker.ids,
    }
    return await collect_routes(folder, asked, routes(), concurrency=chosen.concurrency, report=report)


async def collect_stored(
    trajectories: Iterable[Trajectory],
    folder: Path,
    *,
    looker: Looker,
    environment: RolloutEnvironment | None = None,
    questions: dict[str, str] | None = None,
    choice: Choice | None = None,
    seed: int = 0,
    concurrency: int = 16,
    report: Report | None = None,
) -> Collected:
    """Look anew at every decision of stored runs.

    Args:
        trajectories: the runs, e.g. `store.trajectories()`; read as they are needed.
        folder: where visits go; a collection that was interrupted goes on there.
        looker: samplers and whoever tells what candidates are worth. Gains are measured where the run took
            place in `environment`; elsewhere a panel can tell, or nobody.
        environment: the world the runs took place in, or None.
        questions: ids of the world's questions by their text (case and blanks aside), to know a run's
            question by; of a `WorldEnvironment` they are known.
        choice: which of the runs; None: all, held-out questions included.
        seed: of all draws.
        concurrency: runs looked at at the same time, at least 1.
        report: is told what happens.

    Raises:
        ConfigError: there is no run, the folder cannot be made, or another session collects into it.
        ExperimentMismatchError: the folder holds a collection under other settings.
        ModelCallError, JudgingError: a model, the teacher or the panel is dead; what was visited is stored.
        StoreError: the store cannot be read, or the disk takes nothing more.
    """
    known = dict(questions or {})
    if isinstance(environment, WorldEnvironment):
        known = {one.question: one.id for one in environment.questions.values()} | known
    known = {folded(text): key for text, key in known.items()}

    def routes() -> Iterator[Route]:
        for trajectory in trajectories if choice is None else choice.of(trajectories):
            question_id = known.get(folded(trajectory.run.question))
            yield StoredRun(
                trajectory,
                looker,
                environment=None if question_id is None else environment,
                question_id=question_id,
                seed=seed,
            )

    settings: dict[str, object] = {
        "of": "stored runs",
        "world": None if environment is None else environment.name,
        **({} if environment is None else _version(environment)),
        "seed": seed,
        **({} if choice is None else choice.settings),
        **looker.ids,
    }
    done = await collect_routes(
        folder, settings, routes(), concurrency=concurrency, report=report, choice=choice
    )
    if not done.questions:
        raise nothing_stored(choice)
    return done


def nothing_stored(choice: Choice | None) -> ConfigError:
    """The error where no stored run was collected from."""
    if choice is not None and choice.left_out:
        other = "dev" if choice.half == "train" else "train"
        return ConfigError(
            f"The questions of all {choice.left_out} stored runs belong to the half {other!r}.",
            remedy=f"Record runs of other questions; these are collected from with --half {other}.",
        )
    return ConfigError(
        "There is no stored run to collect from.",
        remedy="Record runs first (`coreact run`), or name another store.",
    )


def _version(environment: RolloutEnvironment) -> dict[str, object]:
    return {"version": environment.world.version} if isinstance(environment, WorldEnvironment) else {}


async def collect_routes(
    folder: Path,
    settings: Mapping[str, object],
    routes: Iterator[Route],
    *,
    concurrency: int,
    report: Report | None = None,
    choice: Choice | None = None,
) -> Collected:
    """Walk routes into a folder, go on there where that was begun before, and count what it holds.

    Args:
        folder: where visits go.
        settings: what the collection is known by.
        routes: the ways to walk, each made when it is walked.
        concurrency: routes under way at the same time, at least 1.
        report: is told what happens.
        choice: what chose the runs of the routes, if it did.

    Raises:
        ConfigError: the folder cannot be made, or another session collects into it.
        ExperimentMismatchError: the folder holds a collection under other settings.
        StoreError: the disk takes nothing more; what was visited before is stored.
    """
    with held(folder):
        book = Notebook(folder, settings)
        book.settle(await _walk_all(book, routes, concurrency, report or (lambda _: None)))
        return summarize(folder, other_half=0 if choice is None else choice.left_out)


async def _walk_all(
    book: Notebook, routes: Iterator[Route], concurrency: int, tell: Report
) -> list[tuple[str, str]]:
    """Walk all routes; the order they came in."""
    order: list[tuple[str, str]] = []

    def waiting() -> Iterator[Route]:
        for route in routes:
            order.append((route.question_id, route.run))
            if not book.done(route.question_id, route.run):
                yield route

    queue = waiting()  # shared: each worker takes the next one when it has done its last

    async def work() -> None:
        for route in queue:
            await _walk(route, book, tell)

    workers = [asyncio.create_task(work()) for _ in range(concurrency)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return order


async def _walk(route: Route, book: Notebook, tell: Report) -> None:
    begun = book.begun(route.question_id, route.run)
    ended = partial(Ended, question_id=route.question_id, run=route.run)
    visits = route.visits(begun)
    count = len(begun)
    while True:
        try:
            visit = await anext(visits, None)
        except (GraphBubbleUp, ModelCallError, JudgingError, ConfigError, MissingExtraError):
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: an error costs the question that it struck
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            end = ended(how="failed", visits=count, error=reason)
            break
        if visit is None:
            end = ended(how=route.how, visits=count, passed_over=dict(sorted(route.passed_over.items())))
            break
        book.visit(visit)
        count += 1
        tell(visit)
    book.end(end)
    tell(end)
