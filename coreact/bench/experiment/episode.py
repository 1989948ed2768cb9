"""One episode: an arm built anew, run on one task, counted and measured.

An error of the agent is a datum: the episode is measured by what it left (no answer, the passages found so
far). An error of the instrument says nothing about the arm, and more tool calls than allowed make it another
game: both are kept with their cause and count in no metric.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import BaseTool
from langgraph.errors import GraphBubbleUp

from coreact.bench.experiment.prices import Prices
from coreact.bench.experiment.records import COSTS, PASSING, Origin, Outcome
from coreact.bench.experiment.tally import Tally
from coreact.bench.records import Arm, Episode, Setup, Suite, Task, Usage
from coreact.errors import ConfigError
from coreact.generate import RubricGenerator
from coreact.guide import Replay
from coreact.host.messages import message_json
from coreact.judge.failure import classify
from coreact.trace import Recorder, RunRecord, TraceStore

OVER_BUDGET, UNMEASURED = "over budget", "measure"

_COSTS = frozenset(metric.name for metric in COSTS)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all episodes of an experiment share."""

    suite: Suite
    tools: Sequence[BaseTool]
    """The suite's, made once."""
    shown: int = 3
    """Documents that one search shows."""
    tool_calls: int
    prices: Prices
    clock: Callable[[], float]
    """Seconds from anywhere."""
    seconds: float | None = None
    """Most seconds of an episode; None: no limit."""


async def run_episode(
    bench: Bench,
    arm: Arm,
    task: Task,
    *,
    seed: int,
    model: BaseChatModel,
    writer: BaseChatModel,
    generator: RubricGenerator | None = None,
    store: TraceStore | None = None,
    replay: Replay | None = None,
) -> Outcome:
    """Run an arm on a task.

    Raises:
        CoReActError: the arm cannot be built.
        GraphBubbleUp: control flow of a graph around this one.
    """
    tally = Tally(bench.prices)
    runs: list[str] = []

    def noted(record: Any) -> None:
        if isinstance(record, RunRecord):
            runs.append(record.id)

    author = tally.counted(writer)
    agent = arm.build(
        Setup(
            model=author if writer is model else tally.counted(model),
            tools=[tally.counted(tool) for tool in bench.tools],
            tools_showing=lambda k: [tally.counted(tool) for tool in bench.suite.tools(k)],
            tool_calls=bench.tool_calls,
            shown=bench.shown,
            seed=seed,
            writer=author,
            generator=generator,
            recorder=None if store is None else Recorder(store, listeners=[noted]),
            replay=replay,
        )
    )
    asked = {"messages": [{"role": "user", "content": task.prompt}]}
    result: Mapping[str, Any] = {}
    error: str | None = None
    excluded: str | None = None
    started = bench.clock()
    limit = asyncio.timeout(bench.seconds)
    try:
        async with limit:
            given = await agent.ainvoke(asked, {"callbacks": [tally]})
            if not isinstance(given, Mapping):
                raise TypeError(f"the arm gave back {type(given).__name__} and not messages by that name")
            result = given
            if replay is not None:
                replay.check()
    except GraphBubbleUp:
        raise
    except Exception as failure:  # noqa: BLE001 - one failed episode is a datum, not the end of the experiment
        error = f"{type(failure).__name__}: {failure}"
        cause = classify(failure)
        excluded = cause if cause in PASSING else None
        if limit.expired():  # the same limit for every arm: who needs longer has failed
            error, excluded = f"It was not done after {bench.seconds:g} s.", None
    usage = tally.usage(max(0.0, bench.clock() - started))
    if result.get("__interrupt__"):
        error = "Interrupted: the agent waits for a human, and a bench has none."
    if usage.tool_calls > bench.tool_calls:
        excluded = OVER_BUDGET
        error = error or f"It made {usage.tool_calls} of {bench.tool_calls} tool calls."
    messages = [one for one in result.get("messages", ()) if isinstance(one, BaseMessage)]
    episode = Episode(
        answer=_answer(messages),
        found=tally.found,
        usage=usage,
        models=tally.names,
        runs=tuple(runs),
        messages=tuple(message_json(one) for one in messages),
        error=error,
    )
    return await measured(bench.suite, arm.name, task, episode, seed=seed, excluded=excluded)


async def measured(
    suite: Suite,
    arm: str,
    task: Task,
    episode: Episode,
    *,
    seed: int,
    excluded: str | None,
    origin: Origin = "live",
) -> Outcome:
    """An episode with its figures.

    Raises:
        ConfigError: the suite measures something that is none of its metrics.
    """
    figures: dict[str, float] = {}
    unmeasured: str | None = None
    if excluded is None:
        try:
            # In a thread: measuring may ask a judge, and the other episodes go on.
            found = _numbers(await asyncio.to_thread(suite.measure, task, episode))
        except Exception as failure:  # noqa: BLE001 - the episode stands, and can be measured again
            excluded = UNMEASURED
            unmeasured = f"It could not be measured: {type(failure).__name__}: {failure}"
        else:
            known = {one.name for one in suite.metrics}
            if unknown := sorted(found.keys() - known):
                raise ConfigError(
                    f"The suite {suite.name!r} measured {unknown[0]!r}, which is none of its metrics.",
                    remedy="Add it to the suite's `metrics`.",
                )
            # What an episode cost is the bench's to say, and the same on every suite.
            figures = {name: value for name, value in found.items() if name not in _COSTS}
            figures |= costs(episode.usage)
    return Outcome(
        arm=arm,
        seed=seed,
        task=task.id,
        cluster=task.cluster or task.id,
        episode=episode,
        metrics=figures,
        excluded=excluded,
        unmeasured=unmeasured,
        origin=origin,
    )


def _numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """What a suite measured, as numbers.

    Raises:
        ValueError: one is none: a mean over it would be none either. What is not known is left out.
    """
    numbers = {name: float(value) for name, value in found.items()}
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}")
    return numbers


def costs(usage: Usage) -> dict[str, float]:
    """What an episode cost, without what is not known."""
    unknown = {"input_tokens", "output_tokens"} if usage.unmetered else set()
    return {
        metric.name: float(value)
        for metric in COSTS
        if metric.name not in unknown and (value := getattr(usage, metric.name)) is not None
    }


def _answer(messages: Sequence[BaseMessage]) -> str:
    last = messages[-1] if messages else None
    return str(last.text) if isinstance(last, AIMessage) else ""
