"""Guidance for hand-written graphs: wrap the model node, and the tools behind it.

    builder.add_node("model", guide(call_model, tools=tools))
    builder.add_node("tools", ToolNode(tools, wrap_tool_call=refuse_held))

The graph's state is `CoReActState`, or any state with `messages` and `coreact` keys. The wrapped
node is called with the rubric at the end of `messages`; what it returned for the chosen attempt is
passed on unchanged, with the public status beside it. Asking a human is left to the graph: a held
action stands in the status with the disposition `asked`, and a later node may interrupt there.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolMessage
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import BaseTool
from langgraph.config import get_stream_writer
from langgraph.errors import GraphBubbleUp
from langgraph.prebuilt.tool_node import ToolCallRequest

from coreact.errors import ConfigError, MessagesError
from coreact.generate import RubricGenerator
from coreact.guide.drivers import adrive, drive
from coreact.guide.host import (
    held_call,
    injected,
    later_failure,
    outcome,
    quiet_context,
    status_of,
    tolerated,
)
from coreact.guide.loop import Announce, CallModel, Failed, Proposal
from coreact.guide.messages import SOURCE, SOURCE_KEY
from coreact.guide.session import DecisionGuide, Opened, event_of, proposal_of
from coreact.guide.settings import GuideSettings
from coreact.guide.status import STATUS_KEY
from coreact.judge import Judge
from coreact.trace import Recorder

ModelNode = Callable[[Any], Any]
"""A node that reads `state["messages"]` and returns an update whose `messages` end in an
`AIMessage`; a plain function or a coroutine function."""


def guide(
    model_node: ModelNode,
    *,
    tools: Sequence[BaseTool | Mapping[str, Any]] = (),
    generator: RubricGenerator | None = None,
    judge: Judge | None = None,
    recorder: Recorder | None = None,
    agent: str = "",
    **settings: Any,
) -> Runnable[Any, Any]:
    """Wrap the model node of a `StateGraph` so that each of its decisions is guided and checked.

    Args:
        model_node: the node; it is called once an attempt, with the rubric in `messages`.
        tools: the tools that the model was bound to, for their contracts.
        generator: who writes the rubrics; the heuristic generator if None.
        judge: who decides what no check decides; nobody if None.
        recorder: where the judged run is stored.
        agent: name of the agent in the record.
        **settings: the fields of `GuideSettings`.

    Returns:
        A node for `add_node`, sync and async.

    Raises:
        ConfigError: a setting is unknown, or a coroutine function is called without `ainvoke`.
    """
    node = _GuidedNode(
        model_node,
        tools=tools,
        decisions=DecisionGuide(
            settings=GuideSettings.of(**settings),
            generator=generator,
            judge=judge,
            recorder=recorder,
            agent=agent,
        ),
    )
    return RunnableLambda(node.call, afunc=node.acall, name="guide")


def refuse_held(request: ToolCallRequest, execute: Callable[[ToolCallRequest], Any]) -> Any:
    """Tool wrapper for `ToolNode(tools, wrap_tool_call=refuse_held)`: held calls get their feedback."""
    _, held = held_call(request)
    if held is None:
        return execute(request)
    return ToolMessage(
        content=held["text"],
        tool_call_id=request.tool_call["id"],
        name=request.tool_call["name"],
        status="error",
        additional_kwargs={SOURCE_KEY: SOURCE},
    )


class _GuidedNode:
    def __init__(
        self,
        model_node: ModelNode,
        *,
        tools: Sequence[BaseTool | Mapping[str, Any]],
        decisions: DecisionGuide,
    ) -> None:
        self._node = model_node
        self._tools = tools
        self._guide = decisions

    def call(self, state: Any) -> dict[str, Any]:
        if inspect.iscoroutinefunction(self._node):
            raise ConfigError(
                "The guided node is a coroutine function, and the graph was invoked without async.",
                remedy="Use ainvoke or astream, or guide a plain function.",
            )
        opened = self._open(state)
        if opened.state is None:
            update = self._node(state)
            return self._closed(update, opened, None)
        decision = drive(
            self._guide.loop(opened),
            generator=self._guide.generator,
            judge=self._guide.judge,
            call_model=lambda wanted: self._calls(state, wanted),
            watch=lambda announced: _announce(opened, announced),
        )
        return self._closed(decision.proposal.payload, opened, decision)

    async def acall(self, state: Any) -> dict[str, Any]:
        opened = self._open(state)
        if opened.state is None:
            return self._closed(await self._anode(state), opened, None)
        decision = await adrive(
            self._guide.loop(opened),
            generator=self._guide.generator,
            judge=self._guide.judge,
            call_model=lambda wanted: self._acalls(state, wanted),
            watch=lambda announced: _announce(opened, announced),
        )
        return self._closed(decision.proposal.payload, opened, decision)

    def _open(self, state: Any) -> Opened:
        messages = list(state["messages"])
        system = messages.pop(0) if messages and isinstance(messages[0], SystemMessage) else None
        return self._guide.open(
            messages=messages,
            tools=self._tools,
            system=str(system.text) if system is not None else "",
            status=status_of(state),
        )

    def _closed(self, update: Any, opened: Opened, decision: Any) -> dict[str, Any]:
        return {**update, STATUS_KEY: self._guide.close(opened, decision, message=_last_assistant(update))}

    def _calls(self, state: Any, wanted: CallModel) -> tuple[Proposal | Failed, ...]:
        shown = _shown(state, wanted)
        if wanted.count == 1:
            return (self._one(shown, wanted),)
        with ThreadPoolExecutor(wanted.count) as pool:
            contexts = [copy_context() for _ in range(wanted.count)]
            futures = [pool.submit(context.run, self._one, shown, wanted) for context in contexts]
            return tolerated([outcome(future.exception(), future) for future in futures])

    async def _acalls(self, state: Any, wanted: CallModel) -> tuple[Proposal | Failed, ...]:
        shown = _shown(state, wanted)
        if wanted.count == 1:
            return (await self._aone(shown, wanted),)
        replies = await asyncio.gather(
            *(self._aone(shown, wanted) for _ in range(wanted.count)), return_exceptions=True
        )
        return tolerated(list(replies))

    def _one(self, shown: Any, wanted: CallModel) -> Proposal | Failed:
        started = time.perf_counter()
        try:
            with quiet_context() as context:
                update = context.run(self._node, shown)
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - a model's client may raise anything; see later_failure
            return later_failure(error, wanted)
        return _proposal(update, started)

    async def _aone(self, shown: Any, wanted: CallModel) -> Proposal | Failed:
        started = time.perf_counter()
        try:
            with quiet_context() as context:
                task = asyncio.get_running_loop().create_task(self._anode(shown), context=context)
                update = await task
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - a model's client may raise anything; see later_failure
            return later_failure(error, wanted)
        return _proposal(update, started)

    async def _anode(self, state: Any) -> Any:
        if inspect.iscoroutinefunction(self._node):
            return await self._node(state)
        return await asyncio.to_thread(self._node, state)


def _shown(state: Any, wanted: CallModel) -> Any:
    added = [injected(text) for text in (wanted.guidance, wanted.feedback) if text]
    return {**state, "messages": [*state["messages"], *added]} if added else state


def _announce(opened: Opened, announced: Announce) -> None:
    get_stream_writer()(event_of(opened, announced))


def _proposal(update: Any, started: float) -> Proposal:
    message = _last_assistant(update)
    if message is None:
        raise MessagesError(
            "The guided node returned no assistant message.",
            index=0,
            remedy='Return {"messages": [ai_message]}.',
        )
    return proposal_of(message, payload=update, seconds=time.perf_counter() - started)


def _last_assistant(update: Any) -> AIMessage | None:
    found = update.get("messages", ()) if isinstance(update, Mapping) else ()
    messages = [found] if isinstance(found, BaseMessage) else list(found)
    return next((message for message in reversed(messages) if isinstance(message, AIMessage)), None)
