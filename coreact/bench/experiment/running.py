"""Runs the episodes that are not there yet, several at once, within a cap on what they may cost.

The arms of one task and seed stand side by side in the queue, so that a drift of the machine or of a server
hits all alike; each task begins with another arm, since a server answers a prompt faster whose beginning it
has just read. At the cap no new episode is started; those under way end, and a later session goes on. So it
does after Ctrl-C, which costs the episodes under way and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel

from coreact.bench.experiment.episode import Bench, run_episode
from coreact.bench.experiment.journal import Notebook
from coreact.bench.experiment.prices import Prices
from coreact.bench.experiment.records import ArmNote, Key, Manifest, Outcome, Session
from coreact.bench.records import Arm, Suite, Task
from coreact.errors import ConfigError
from coreact.generate import RubricGenerator
from coreact.trace import SQLiteTraceStore
from coreact.trace.journal import held

FAILURES = 10
"""So many episodes in a row that an instrument failed end a session: the server is down, not the arms."""

CONTROL = "plain"
"""The control where it is among the arms; else the first arm is."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What is compared, on what, and within which limits."""

    suite: Suite
    arms: Sequence[Arm]
    tasks: Mapping[int, Sequence[Task]]
    """Tasks of each seed; see `draw`."""
    model: Callable[[int], BaseChatModel]
    """The agent's model, by sampler seed; called for each episode."""
    writer: Callable[[int], BaseChatModel] | None = None
    """The model that writes rubrics, critiques and reflections; None: the agent's own."""
    generator: RubricGenerator | None = None
    """The trained generator of the arms that are guided by one. It may be shared by all episodes."""
    tool_calls: int
    """Tool calls that an arm may make in all, the same for every arm."""
    shown: int = 3
    """Documents that one search of the suite's tools shows."""
    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    """All else that every session must share, as plain JSON: model, temperature, the suite's options."""
    session: Session
    concurrency: int = 1
    """Episodes at once."""
    prices: Prices = field(default_factory=Prices)
    max_usd: float | None = None
    """Most money, over all sessions; needs prices."""
    max_tokens: int | None = None
    """Most tokens read and written, over all sessions."""
    seconds: float | None = None
    """Most seconds of an episode."""
    traces: bool = True
    """Whether judged runs are kept in the folder's trace store."""
    clock: Callable[[], float] = time.perf_counter

    @property
    def manifest(self) -> Manifest:
        """What the folder says of it."""
        names = [arm.name for arm in self.arms]
        return Manifest(
            suite=self.suite.name,
            suite_version=self.suite.version,
            metrics=tuple(self.suite.metrics),
            settings={
                **self.settings,
                "tool_calls": self.tool_calls,
                "shown": self.shown,
                **({} if self.seconds is None else {"seconds": self.seconds}),
            },
            arms={arm.name: ArmNote(about=arm.about, settings=dict(arm.settings)) for arm in self.arms},
            control=CONTROL if CONTROL in names else names[0],
            seeds=tuple(self.tasks),
            tasks=max(map(len, self.tasks.values())),
            sessions=(self.session,),
        )

    @property
    def queue(self) -> list[tuple[Key, Arm, Task]]:
        """Every episode, in the order in which they start."""
        return [
            (Key(arm.name, seed, task.id), arm, task)
            for seed, tasks in self.tasks.items()
            for at, task in enumerate(tasks)
            for arm in (*self.arms[at % len(self.arms) :], *self.arms[: at % len(self.arms)])
        ]


class Ended(NamedTuple):
    """How a session ended."""

    notebook: Notebook
    left: int
    """Episodes that were not run."""
    why: str | None
    """Why some are left; None: none is."""


async def run_experiment(
    experiment: Experiment, *, on_outcome: Callable[[Outcome], object] = lambda _: None
) -> Ended:
    """Run what is not there yet.

    Args:
        experiment: what to run.
        on_outcome: called with each outcome as it comes, and first with those that are there already.

    Raises:
        ExperimentMismatchError: the folder holds another experiment.
        ConfigError: two arms have one name, a cap cannot be held, the folder cannot be made, or another
            session runs in it.
        CoReActError: an arm cannot be built.
    """
    _check(experiment)
    with held(experiment.folder):
        return await _run(experiment, on_outcome)


async def _run(experiment: Experiment, on_outcome: Callable[[Outcome], object]) -> Ended:
    notebook = Notebook(experiment.folder)
    notebook.open(experiment.manifest)
    waiting: deque[tuple[Key, Arm, Task]] = deque()
    kept = {outcome.key: outcome for outcome in notebook.outcomes}
    for entry in experiment.queue:
        if notebook.done(entry[0]):
            on_outcome(kept[entry[0]])
        else:
            waiting.append(entry)
    with ExitStack() as stack:
        store = (
            stack.enter_context(closing(SQLiteTraceStore(notebook.traces)))
            if experiment.traces and waiting
            else None
        )
        session = _Running(experiment, notebook, waiting, store, on_outcome)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(experiment.concurrency, len(waiting))):
                    group.create_task(session.work())
        except ExceptionGroup as failures:  # what ended one worker ended all
            raise failures.exceptions[0] from None
    return Ended(notebook, len(waiting), session.why if waiting else None)


class _Running:
    """The workers' common state; they share one event loop, so nothing is locked."""

    def __init__(
        self,
        experiment: Experiment,
        notebook: Notebook,
        waiting: deque[tuple[Key, Arm, Task]],
        store: SQLiteTraceStore | None,
        on_outcome: Callable[[Outcome], object],
    ) -> None:
        self.why: str | None = None
        self._experiment = experiment
        self._notebook = notebook
        self._waiting = waiting
        self._store = store
        self._on_outcome = on_outcome
        self._failed = 0
        self._usd, self._tokens, self._unpriced, self._unmetered = 0.0, 0, 0, 0
        for outcome in notebook.attempts:
            self._spend(outcome)
        self._bench = Bench(
            suite=experiment.suite,
            tools=experiment.suite.tools(),
            tool_calls=experiment.tool_calls,
            shown=experiment.shown,
            prices=experiment.prices,
            clock=experiment.clock,
            seconds=experiment.seconds,
        )

    async def work(self) -> None:
        while self._waiting and not self._stopped():
            key, arm, task = self._waiting.popleft()
            model = self._experiment.model(key.seed)
            author = self._experiment.writer
            writer = model if author is None else author(key.seed)
            outcome = await run_episode(
                self._bench,
                arm,
                task,
                seed=key.seed,
                model=model,
                writer=writer,
                generator=self._experiment.generator,
                store=self._store,
            )
            if self._store is not None:
                await asyncio.to_thread(self._store.flush)  # the line names runs: they must be there
            self._notebook.add(outcome)
            self._spend(outcome)
            self._failed = self._failed + 1 if outcome.passing else 0
            self._on_outcome(outcome)

    def _spend(self, outcome: Outcome) -> None:
        usage = outcome.episode.usage
        self._tokens += usage.input_tokens + usage.output_tokens
        self._unmetered += bool(usage.unmetered)
        self._usd += max(usage.usd or 0.0, usage.usd_known)
        # An episode that failed before anything was priced cost what nobody knows; it stops no run.
        self._unpriced += usage.usd is None and outcome.episode.error is None

    def _stopped(self) -> bool:
        if self.why is None:
            self.why = self._reason()
        return self.why is not None

    def _reason(self) -> str | None:
        experiment = self._experiment
        if experiment.max_usd is not None:
            if self._unpriced:
                return f"the price of {self._unpriced} episodes is not known, so --max-usd cannot be held"
            if self._usd >= experiment.max_usd:
                return f"{self._usd:.4f} USD of {experiment.max_usd:g} are spent"
        if experiment.max_tokens is not None:
            if self._unmetered and not self._tokens:
                return "the model does not say how many tokens it used, so --max-tokens cannot be held"
            if self._tokens >= experiment.max_tokens:
                return f"{self._tokens} tokens of {experiment.max_tokens} are spent"
        if self._failed >= FAILURES:
            return f"{self._failed} episodes in a row failed at the model or the network"
        return None


def _check(experiment: Experiment) -> None:
    names = [arm.name for arm in experiment.arms]
    if not names:
        raise ConfigError("There is no arm to run.", remedy="Name at least one.")
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"Two arms are called {repeated!r}.", remedy="Give every arm a name of its own.")
    if experiment.concurrency < 1 or experiment.tool_calls < 0:
        raise ConfigError("concurrency must be at least 1, tool_calls at least 0.")
    if experiment.max_usd is not None and not experiment.prices:
        raise ConfigError(
            "A cap on money needs prices, and there are none.", remedy="Give a price table, or cap tokens."
        )
