"""Guidance for hand-written graphs: wrap the model node, and the tools behind it.

    builder.add_node("model", guide(call_model, tools=tools))
    builder.add_node("tools", ToolNode(tools, wrap_tool_call=refuse_held, awrap_tool_call=arefuse_held))

The graph's state is `CoReActState`, or any state with `messages` and `coreact` keys. The wrapped
node is called with the rubric at the end of `messages`; what it returned for the chosen attempt is
passed on unchanged, with the public status beside it. Asking a human is left to the graph: a held
action stands in the status' `held` with the disposition `asked`, and a later node may interrupt
there. A call runs once that node has taken it out of `held`; until then it is refused.

`refuse_held` records nothing. Where tools are to be on the record, or answered from one, wrap them in
`ToolCalls(recorder=…, replay=…)` instead.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import BaseTool
from langgraph.prebuilt.tool_node import ToolCallRequest

from coreact.errors import ConfigError, MessagesError
from coreact.generate import RubricGenerator
from coreact.generate.constraining import Constraint
from coreact.guide.calls import ModelCalls
from coreact.guide.drivers import adrive, drive
from coreact.guide.host import proposal_of, status_of
from coreact.guide.loop import Decision
from coreact.guide.replay import Replay, Said
from coreact.guide.requests import Proposal
from coreact.guide.session import DecisionGuide, Opened
from coreact.guide.settings import GuideSettings
from coreact.guide.tools import ToolCalls, plain_update
from coreact.host.messages import SOURCE, SOURCE_KEY, retold
from coreact.host.state import STATUS_KEY
from coreact.host.streams import current_writer
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
    replay: Replay | None = None,
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
        replay: answers the node's model calls, the generator's and the judge's from a recorded run, without
            calling the node; see `Replay`.
        **settings: the fields of `GuideSettings`.

    Returns:
        A node for `add_node`, sync and async.

    Raises:
        ConfigError: a setting is unknown, or a coroutine function is called without `ainvoke`.
    """
    wanted = GuideSettings.of(**settings)
    if wanted.constrain:
        raise ConfigError(
            "guide() cannot constrain a model: the node calls it, with the tools it was bound to.",
            remedy="Use CoReActMiddleware, or leave `constrain` off.",
        )
    if wanted.speculate:
        raise ConfigError(
            "guide() cannot start tools early: they are wrapped apart from the model's node.",
            remedy="Use CoReActMiddleware, or leave `speculate` off.",
        )
    node = _GuidedNode(
        model_node,
        tools=tools,
        decisions=DecisionGuide(
            settings=wanted,
            generator=generator,
            judge=judge,
            recorder=recorder,
            agent=agent,
            replay=replay,
        ),
    )
    return RunnableLambda(node.call, afunc=node.acall, name="guide")


def refuse_held(request: ToolCallRequest, execute: Callable[[ToolCallRequest], Any]) -> Any:
    """Tool wrapper for `ToolNode(tools, wrap_tool_call=refuse_held)`: held calls get their feedback."""
    return _UNRECORDED.run(request, execute)


async def arefuse_held(request: ToolCallRequest, execute: Callable[[ToolCallRequest], Awaitable[Any]]) -> Any:
    """The same for graphs that run async: `ToolNode(tools, awrap_tool_call=arefuse_held)`."""
    return await _UNRECORDED.arun(request, execute)


_UNRECORDED = ToolCalls()


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
        calls = self._calls(opened, state)

        def ask(added: Sequence[AnyMessage], _: Constraint | None, said: Said | None) -> Any:
            shown = _shown(state, added)
            return self._node(shown) if said is None else _again(said, shown)

        if opened.state is None:
            return self._closed(calls.plain(ask), opened, None)
        decision = drive(
            self._guide.loop(opened),
            generator=self._guide.generator,
            judge=self._guide.judge,
            call_model=lambda wanted: calls.make(wanted, ask),
            watch=calls.watch,
            tape=opened.tape,
        )
        return self._closed(calls.settle(decision), opened, decision)

    async def acall(self, state: Any) -> dict[str, Any]:
        opened = self._open(state)
        calls = self._calls(opened, state)

        async def ask(added: Sequence[AnyMessage], _: Constraint | None, said: Said | None) -> Any:
            shown = _shown(state, added)
            return await self._anode(shown) if said is None else _again(said, shown)

        if opened.state is None:
            return self._closed(await calls.aplain(ask), opened, None)
        decision = await adrive(
            self._guide.loop(opened),
            generator=self._guide.generator,
            judge=self._guide.judge,
            call_model=lambda wanted: calls.amake(wanted, ask),
            watch=calls.watch,
            tape=opened.tape,
        )
        return self._closed(calls.settle(decision), opened, decision)

    def _open(self, state: Any) -> Opened:
        messages = list(state["messages"])
        system = messages.pop(0) if messages and isinstance(messages[0], SystemMessage) else None
        return self._guide.open(
            messages=messages,
            tools=self._tools,
            system=str(system.text) if system is not None else "",
            status=status_of(state),
        )

    def _calls(self, opened: Opened, state: Any) -> ModelCalls:
        return ModelCalls(
            self._guide.settings,
            opened,
            read=_proposal,
            strip=_stripped,
            tell=lambda update, added: _told(update, _shown(state, added)),
            write=current_writer(),
        )

    def _closed(self, update: Any, opened: Opened, decision: Decision | None) -> dict[str, Any]:
        message = _last_assistant(update)
        if message is None:
            raise _no_message()
        return {**_own(update), STATUS_KEY: self._guide.close(opened, decision, message=message)}

    async def _anode(self, state: Any) -> Any:
        if inspect.iscoroutinefunction(self._node):
            return await self._node(state)
        return await asyncio.to_thread(self._node, state)


def _stripped(update: Any, text: str) -> Any:
    message = _last_assistant(update)
    if message is None:
        return update
    messages = [retold(one, text) if one is message else one for one in _messages(update)]
    return {**update, "messages": messages}


def _told(update: Any, shown: Any) -> dict[str, Any]:
    """The update as plain JSON; what it repeats of the conversation as a number, the proposal as None."""
    messages, known = _messages(update), shown["messages"]
    pairs = enumerate(zip(messages, known, strict=False))
    kept = next((at for at, (new, old) in pairs if new is not old), min(len(messages), len(known)))
    proposal = _last_assistant(update)
    told = plain_update({**update, "messages": messages[kept:]})
    told["messages"] = [
        None if message is proposal else written
        for message, written in zip(messages[kept:], told["messages"], strict=True)
    ]
    return {**told, "kept": kept} if kept else told


def _again(said: Said, shown: Any) -> dict[str, Any]:
    """The update that `_told` told."""
    response = said.call.response or {}
    known = list(shown["messages"][: response.get("kept", 0)])
    return {**response.get("rest", {}), "messages": [*known, *said.messages]}


def _shown(state: Any, added: Sequence[AnyMessage]) -> Any:
    return {**state, "messages": [*state["messages"], *added]} if added else state


def _proposal(update: Any, seconds: float) -> Proposal:
    message = _last_assistant(update)
    if message is None:
        raise _no_message()
    return proposal_of(message, payload=update, seconds=seconds)


def _no_message() -> MessagesError:
    return MessagesError(
        "The guided node returned no assistant message.",
        index=0,
        remedy='Return {"messages": [ai_message]}.',
    )


def _own(update: Mapping[str, Any]) -> Mapping[str, Any]:
    # A node that returns the whole conversation must not carry the rubric into the history.
    messages = update["messages"]
    if not isinstance(messages, list | tuple):
        return update
    kept = [message for message in messages if not _is_for_one_request(message)]
    return update if len(kept) == len(messages) else {**update, "messages": kept}


def _is_for_one_request(message: Any) -> bool:
    return (
        isinstance(message, HumanMessage)
        and message.id is None
        and message.additional_kwargs.get(SOURCE_KEY) == SOURCE
    )


def _last_assistant(update: Any) -> AIMessage | None:
    found = reversed(_messages(update))
    return next((message for message in found if isinstance(message, AIMessage)), None)


def _messages(update: Any) -> list[Any]:
    found = update.get("messages", ()) if isinstance(update, Mapping) else ()
    return list(found) if isinstance(found, list | tuple) else [found]
