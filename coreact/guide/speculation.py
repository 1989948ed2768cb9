"""Tools that start while their call is still being judged, and whose result is dropped if it may not run.

Judging by a model takes as long as many a tool. A call of a tool that is known to change nothing may run in
that time: `start` begins it when the judge is asked, `settle` drops what the decision did not choose, and the
tool node takes what is left with `take` or `atake`. What fails ahead of time is run again in the usual way,
so an error looks the same whether or not a call was started early.

Only plain tools are started: read-only by their metadata, free by the call, with no injected arguments. Tool
wrappers of other middlewares are not around such a call, and one that is dropped has still been made: the
tool's owner sees it. That is why it has to be asked for.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.runnables.config import RunnableConfig, set_config_context
from langchain_core.tools import BaseTool
from langgraph.config import get_config

from coreact.rubric import Action, ToolCall

_KEPT = 4096
"""Calls kept at most, over all runs: some are never asked for, as where a run is interrupted."""

Started = Future[Any] | asyncio.Task[Any]
Key = tuple[str, int, str]
"""Run, step, identity of the call."""


class Speculation:
    """Calls that were started early. Safe to share between runs, threads and event loops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: OrderedDict[Key, Started] = OrderedDict()
        self._pool: ThreadPoolExecutor | None = None

    def start(
        self, run: str, step: int, action: Action, tools: Sequence[BaseTool | Mapping[str, Any]]
    ) -> None:
        """Begin a call in another thread, if it is one that may be begun."""
        call, tool = action.call, _startable(action, tools)
        if call is None or tool is None:
            return
        with self._lock:
            if (run, step, call.key) in self._started:
                return
            if self._pool is None:
                self._pool = ThreadPoolExecutor(thread_name_prefix="coreact-ahead")
            started = self._pool.submit(_apart().run, tool.invoke, _request(call))
            self._keep((run, step, call.key), started)

    def astart(
        self, run: str, step: int, action: Action, tools: Sequence[BaseTool | Mapping[str, Any]]
    ) -> None:
        """Begin a call beside the running coroutine, if it is one that may be begun."""
        call, tool = action.call, _startable(action, tools)
        if call is None or tool is None:
            return
        with self._lock:
            if (run, step, call.key) in self._started:
                return
            task = asyncio.get_running_loop().create_task(tool.ainvoke(_request(call)), context=_apart())
            task.add_done_callback(_ended)
            self._keep((run, step, call.key), task)

    def settle(self, run: str, step: int, chosen: Collection[str]) -> None:
        """Drop what was started in a run up to this step, but the chosen calls of this step.

        Args:
            run: the run.
            step: the step that was decided.
            chosen: identities (`ToolCall.key`) of the calls that may run.
        """
        with self._lock:
            gone = [
                key for key in self._started if key[0] == run and not (key[1] == step and key[2] in chosen)
            ]
            for key in gone:
                _drop(self._started.pop(key))

    def take(self, run: str, step: int, call: ToolCall) -> ToolMessage | None:
        """The result of a call that was started, waiting for it; None: make it as usual."""
        started = self._taken(run, step, call)
        if not isinstance(started, Future):
            return None
        error = started.exception()
        return None if error is not None else _result(started.result(), call)

    async def atake(self, run: str, step: int, call: ToolCall) -> ToolMessage | None:
        """The same, without blocking the event loop."""
        started = self._taken(run, step, call)
        if started is None:
            return None
        waited = asyncio.wrap_future(started) if isinstance(started, Future) else started
        if waited.get_loop() is not asyncio.get_running_loop():  # begun by a loop that has ended
            return None
        try:
            await asyncio.wait([waited])
        except asyncio.CancelledError:  # whoever waits is gone, and nobody else knows of it any more
            _drop(started)
            raise
        failed = waited.cancelled() or waited.exception() is not None
        return None if failed else _result(waited.result(), call)

    def _taken(self, run: str, step: int, call: ToolCall) -> Started | None:
        with self._lock:
            return self._started.pop((run, step, call.key), None)

    def _keep(self, key: Key, started: Started) -> None:
        self._started[key] = started
        while len(self._started) > _KEPT:
            _drop(self._started.popitem(last=False)[1])


def _apart() -> Context:
    """A context that is watched as the model's node is, and is no part of it.

    Without the node's own configuration a tool cannot interrupt it or write to its streams: it fails, and is
    then run in the usual way, where it can.
    """
    try:
        config = get_config()
    except RuntimeError:  # outside of a graph
        return copy_context()
    apart: RunnableConfig = {"tags": [*(config.get("tags") or ()), "nostream"]}
    for name in ("callbacks", "metadata"):
        if name in config:
            apart[name] = config[name]
    with set_config_context(apart) as context:
        # The original is reset on leaving, while the call may run in it or still wait to.
        return context.copy()


def _startable(action: Action, tools: Sequence[BaseTool | Mapping[str, Any]]) -> BaseTool | None:
    call = action.call
    if call is None or call.malformed is not None:
        return None
    found = next((tool for tool in _plain(tools) if tool.name == call.name), None)
    if found is None:
        return None
    metadata = found.metadata or {}
    free = metadata.get("read_only") is True and not metadata.get("cost")
    return found if free and not _is_injected(found) else None


def _plain(tools: Sequence[BaseTool | Mapping[str, Any]]) -> Iterator[BaseTool]:
    return (tool for tool in tools if isinstance(tool, BaseTool))


def _is_injected(tool: BaseTool) -> bool:
    """Whether the tool node would hand it more than the model wrote: state, store, runtime."""
    if isinstance(tool.args_schema, dict):  # a schema from elsewhere: all of it is the model's to fill
        return False
    return set(getattr(tool.get_input_schema(), "model_fields", ())) != set(tool.args)


def _request(call: ToolCall) -> dict[str, Any]:
    return {"type": "tool_call", "name": call.name, "args": dict(call.arguments), "id": call.id}


def _result(result: Any, call: ToolCall) -> ToolMessage | None:
    if not isinstance(result, ToolMessage):
        return None
    return result.model_copy(update={"tool_call_id": call.id})


def _drop(started: Started) -> None:
    if isinstance(started, Future):
        started.cancel()
        return
    loop = started.get_loop()
    if loop.is_closed():
        return
    loop.call_soon_threadsafe(started.cancel)


def _ended(task: asyncio.Task[Any]) -> None:
    """Look at what a call raised: where nobody asks for it, the loop complains."""
    if not task.cancelled():
        task.exception()
