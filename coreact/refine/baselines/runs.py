"""The agent inside of a baseline: built for its share of the budget, run, and its failure survived.

A run that fails is a reply like any other, so that one bad sample does not take the others with it.
LangGraph's control flow is no failure and passes through. Nothing here decides what to run or to choose.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.errors import GraphBubbleUp

from coreact.errors import ConfigError, MessagesError, ModelCallError
from coreact.host.messages import StateReader, turn_of
from coreact.judge.asking import Request
from coreact.judge.replies import UnreadableError, said
from coreact.refine.baselines.record import Ledger, Tried
from coreact.rubric import State

AgentBuilder = Callable[[int, int], Runnable[Any, Any]]
"""Makes the agent for one run from the tool calls that it may make and the number of the sample, from 0.

The limit counts the calls since the user's last message, those that stand in the given history included.
Samples differ by what the builder makes of their number: a model with another seed or temperature.
"""

Agent = Runnable[Any, Any] | AgentBuilder
"""An agent as it is (its limit was set where it was built), or how to build one for a share of the budget."""


class Run(NamedTuple):
    """What came of running an agent once."""

    sample: int
    messages: tuple[BaseMessage, ...]
    """All of them, the given ones included; empty where it failed."""
    tool_calls: int | None
    """Tool calls beyond those that were given; None where it failed."""
    error: Exception | None = None

    @property
    def answer(self) -> str:
        """Text of the last message, but for a thought before it; empty where it failed."""
        if not self.messages or not isinstance(last := self.messages[-1], AIMessage):
            return ""
        try:
            return said(last)
        except UnreadableError:  # cut short, declined or empty: then it is what stands there
            return str(last.text)


class Agents:
    """Where the runs of a baseline come from.

    Args:
        agent: the agent, or how to build it.
        tool_calls: tool calls in all, over everything the baseline starts; only with a builder.
        runs: runs that share them.

    Raises:
        ConfigError: a builder without a budget, a budget without a builder, or less than one call a run.
    """

    def __init__(self, agent: Agent, *, tool_calls: int | None, runs: int = 1) -> None:
        if isinstance(agent, Runnable):
            if tool_calls is not None:
                raise ConfigError(
                    "tool_calls cannot be kept: the agent is built already.",
                    remedy="Give a function (tool_calls, sample) that builds the agent, or no tool_calls.",
                )
        elif tool_calls is None:
            raise ConfigError(
                "The agent is to be built, and nobody says for how many tool calls.",
                remedy="Give tool_calls=…, or an agent that is built already.",
            )
        if runs < 1 or (tool_calls is not None and tool_calls < runs):
            raise ConfigError(
                f"{tool_calls} tool calls cannot be shared by {runs} runs.",
                remedy="Allow at least one call for each run, and at least one run.",
            )
        self._build: AgentBuilder = (lambda _, __: agent) if isinstance(agent, Runnable) else agent
        self.limit = tool_calls
        self.shares: tuple[int | None, ...] = (
            (None,) * runs
            if tool_calls is None
            else tuple(tool_calls // runs + (at < tool_calls % runs) for at in range(runs))
        )
        """Tool calls of each run, as even as can be, what is left over to the earliest."""

    def run(
        self,
        messages: Sequence[BaseMessage],
        config: RunnableConfig,
        *,
        sample: int = 0,
        tool_calls: int | None = None,
        **options: Any,
    ) -> Request:
        """Run the agent. Reply: `Run`; it raises LangGraph's control flow only.

        Args:
            messages: the conversation to go on from.
            config: callbacks, tags and metadata.
            sample: number of the run.
            tool_calls: calls it may make; its own share if None.
            **options: for `invoke` of a compiled graph.
        """
        own = self.shares[min(sample, len(self.shares) - 1)] or 0  # 0 for an agent that is built already
        share = own if tool_calls is None else tool_calls
        given = {"messages": [message.model_copy() for message in messages]}
        config = of_sample(config, sample)
        count = len(given["messages"])

        def call() -> Run:
            try:
                return _run(sample, count, self._build(share, sample).invoke(given, config, **options))
            except GraphBubbleUp:
                raise
            except Exception as error:  # noqa: BLE001 - the boundary: see the module's docstring
                return Run(sample, (), None, error)

        async def acall() -> Run:
            try:
                return _run(sample, count, await self._build(share, sample).ainvoke(given, config, **options))
            except GraphBubbleUp:
                raise
            except Exception as error:  # noqa: BLE001 - the boundary: see the module's docstring
                return Run(sample, (), None, error)

        return Request(call, acall)


def put(run: Run, ledger: Ledger) -> None:
    """Put a run on the record."""
    ledger.tool_calls += run.tool_calls or 0
    failed = run.error is not None
    ledger.tried.append(Tried(sample=run.sample, answer=run.answer, tool_calls=run.tool_calls, failed=failed))
    if run.error is not None:
        ledger.failed(f"sample {run.sample}", run.error)


def completed(runs: Sequence[Run]) -> list[int]:
    """Indices of the runs that gave an answer, at least one.

    Raises:
        Exception: what the first run raised, where none gave an answer.
    """
    done = [at for at, run in enumerate(runs) if run.error is None]
    if not done and runs[0].error is not None:
        raise runs[0].error
    return done


def of_sample(config: RunnableConfig, sample: int) -> RunnableConfig:
    """The config of one run: with a thread of its own, so that samples do not share a checkpoint."""
    configurable = config.get("configurable") or {}
    if sample == 0 or "thread_id" not in configurable or "checkpoint_ns" in configurable:
        return config
    return {**config, "configurable": {**configurable, "thread_id": f"{configurable['thread_id']}:{sample}"}}


def _run(sample: int, given: int, out: Any) -> Run:
    messages = out.get("messages") if isinstance(out, Mapping) else None
    if isinstance(out, Mapping) and out.get("__interrupt__"):
        raise ModelCallError(
            "The agent stopped to ask a human, and a run inside of a baseline cannot be resumed.",
            remedy="Use an agent that asks nobody.",
        )
    if not messages or not isinstance(messages[-1], AIMessage):
        raise ModelCallError(
            "The agent's messages do not end with an answer.",
            remedy='Give a runnable that takes {"messages": […]} and returns them with the answer last.',
        )
    return Run(sample, tuple(messages), calls_in(messages[given:]))


def calls_in(messages: Sequence[BaseMessage]) -> int:
    """Tool calls that these messages make."""
    return sum(len(message.tool_calls) for message in messages if isinstance(message, AIMessage))


def all_of(requests: Sequence[Request]) -> Request:
    """Several requests as one: one after the other where it blocks, at once where it does not.

    Where one raises, those beside it are cancelled. Reply: the list of replies.
    """

    async def acall() -> list[Any]:
        tasks = [asyncio.ensure_future(request.acall()) for request in requests]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return Request(lambda: [request.call() for request in requests], acall)


def state_of(messages: Sequence[BaseMessage], ledger: Ledger, **about: Any) -> State:
    """The question and what was observed; the question alone, with a remark, where that cannot be read.

    Args:
        messages: the conversation.
        ledger: where the remark goes.
        **about: for `StateReader.read`: tools and limit.
    """
    given: list[Any] = list(messages)
    try:
        return StateReader().read(given, **about)
    except MessagesError as error:
        ledger.failed("trajectory", error)
        return State.start(turn_of(given).question, **about)
