"""Goes through a stored experiment again without any model, and takes the metrics anew.

An arm whose episode was one judged run and nothing else is run again: its graph really runs, and model,
tools, generator and judge answer from the record (`coreact.guide.Replay`). It must come to the same messages
byte for byte; where it does not, the code of the arm has changed, and that is an error. Of all other episodes
(the plain agent keeps no judged run, an arm of several samples has several, the research agent asks models
beside its run) only the metrics are taken anew.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult

from coreact.bench.experiment.episode import UNMEASURED, Bench, measured, run_episode
from coreact.bench.experiment.journal import Notebook, read_notebook
from coreact.bench.experiment.prices import Prices
from coreact.bench.experiment.records import Outcome, Session
from coreact.bench.records import Arm, Suite, Task
from coreact.errors import ConfigError, ExperimentMismatchError, ReplayDivergenceError, RunNotFoundError
from coreact.guide import Replay
from coreact.trace import SQLiteTraceStore, Trajectory
from coreact.trace.folders import make_folder


class AbsentModel(BaseChatModel):
    """Stands where a model would; asking it is an error."""

    @property
    def _llm_type(self) -> str:
        return "absent"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        """Bind nothing."""
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise ConfigError("A replay has no model, and one was asked.", remedy="Run the arm live.")


async def replay(
    source: Path,
    target: Path,
    *,
    suite: Suite,
    arms: Mapping[str, Arm],
    session: Session,
    on_outcome: Callable[[Outcome], object] = lambda _: None,
) -> Notebook:
    """Replay the experiment in one folder into another.

    Args:
        source: a folder that `run_experiment` wrote.
        target: where the new outcomes go.
        suite: the suite of the experiment; its measuring may have changed, its content may not.
        arms: arms by name; episodes of others are only measured.
        session: this start of the command.
        on_outcome: called with each outcome as it comes.

    Raises:
        ExperimentMismatchError: the suite is another one.
        ReplayDivergenceError: an arm took another way than it did.
        ConfigError: source and target are the same, the target cannot be made, or a task is not in the suite.
    """
    before = read_notebook(source)
    make_folder(target)
    notebook = Notebook(target)
    if (before.manifest, before.outcomes) == (notebook.manifest, notebook.outcomes):
        raise ConfigError("A replay must not write into its source.", remedy="Give another --out.")
    assert before.manifest is not None  # noqa: S101 - read_notebook saw to it
    if (suite.name, suite.version) != (before.manifest.suite, before.manifest.suite_version):
        there = f"{before.manifest.suite} {before.manifest.suite_version}"
        raise ExperimentMismatchError(source, (f"suite: {there} there, {suite.name} {suite.version} here",))
    tasks = {task.id: task for task in suite.tasks}
    notebook.open(
        before.manifest.model_copy(update={"metrics": tuple(suite.metrics), "sessions": (session,)})
    )
    bench = Bench(
        suite=suite,
        tools=suite.tools(),
        tool_calls=int(before.manifest.settings["tool_calls"]),
        shown=int(before.manifest.settings["shown"]),
        prices=Prices(),
        clock=time.perf_counter,
    )
    with ExitStack() as stack:
        store = None
        if before.traces.exists():
            store = stack.enter_context(closing(SQLiteTraceStore(before.traces)))
        for old in before.outcomes:
            if old.task not in tasks:
                raise ConfigError(
                    f"The task {old.task!r} is not in the suite.", remedy="Open the suite as it was opened."
                )
            if notebook.done(old.key):
                continue
            arm = arms.get(old.arm)
            trajectory = _recorded(old, store) if arm is not None and arm.is_one_run else None
            if arm is not None and trajectory is not None:
                await _again(bench, arm, tasks[old.task], old, trajectory)
            excluded = None if old.excluded == UNMEASURED else old.excluded
            new = await measured(
                suite,
                old.arm,
                tasks[old.task],
                old.episode,
                seed=old.seed,
                excluded=excluded,
                origin="measured" if trajectory is None else "rerun",
            )
            notebook.add(new)
            on_outcome(new)
    return notebook


def _recorded(old: Outcome, store: SQLiteTraceStore | None) -> Trajectory | None:
    """The one judged run of an episode that came to its end; None where it cannot be run again."""
    if store is None or len(old.episode.runs) != 1 or old.episode.error is not None:
        return None
    try:
        found = store.trajectory(old.episode.runs[0])
    except RunNotFoundError:
        return None
    return found if found.calls else None


async def _again(bench: Bench, arm: Arm, task: Task, old: Outcome, trajectory: Trajectory) -> None:
    """Run an episode from its record and compare.

    Raises:
        ReplayDivergenceError: it came to something else.
    """
    absent = AbsentModel()
    again = await run_episode(
        bench, arm, task, seed=old.seed, model=absent, writer=absent, replay=Replay(trajectory)
    )
    if again.episode.error is not None or _said(again) != _said(old):
        why = again.episode.error or "it came to other messages"
        raise ReplayDivergenceError(
            f"The arm {old.arm!r} did not repeat its episode on {old.task!r}, seed {old.seed}: {why}.",
            run=trajectory.run.id,
            step=0,
            remedy="The arm's code has changed since; run it live, or replay with the version of the record.",
        )


def _said(outcome: Outcome) -> str:
    """The messages, without the ids that LangChain draws anew for the user's."""
    plain = []
    for message in outcome.episode.messages:
        data = {name: value for name, value in message["data"].items() if name != "id"}
        plain.append([message["type"], data])
    return json.dumps(plain, sort_keys=True)
