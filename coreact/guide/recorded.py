"""Tools that answer from a record: the same names and schemas, and for each recorded call what it gave back.

    tools = recorded_tools([store.trajectory(run)])
    agent = create_agent(model, tools)

Another model, prompt or guidance can so be tried on the very observations of earlier runs, without their
corpus, network or keys. Content, artifact and status are those of the record, byte for byte. `Replay` answers
a whole run, its model included, and wants the same run; these tools want only calls that were made before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any, Literal

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, ToolException
from pydantic import PrivateAttr

from coreact.errors import ConfigError, ReplayDivergenceError
from coreact.guide.replay import lost, replayed_error
from coreact.guide.tools import read
from coreact.rubric import ToolContract
from coreact.trace import CallRecord, Trajectory
from coreact.trace.calls import tool_key

OnMiss = Literal["raise", "tell"]
"""What happens where a call is not on the record: `raise` a `ReplayDivergenceError`, or `tell` the agent
so in a result of status `error`."""

NOT_RECORDED = "This call is not on the record, so it has no result. Calls of the recorded runs are answered."
"""What the agent is told."""


class RecordedTool(BaseTool):
    """One tool of recorded runs.

    Calls with equal arguments are answered in the order in which they were recorded, and the last record of
    them for ever after. Safe to use from several threads; runs that should not share that order need tools of
    their own.
    """

    on_miss: OnMiss = "raise"
    _calls: dict[str, list[CallRecord]] = PrivateAttr(default_factory=dict)
    _misses: list[dict[str, Any]] = PrivateAttr(default_factory=list)
    _lock: Any = PrivateAttr(default_factory=Lock)

    @property
    def misses(self) -> tuple[dict[str, Any], ...]:
        """Arguments of the calls that were not on the record."""
        return tuple(self._misses)

    def _to_args_and_kwargs(
        self, tool_input: str | dict[str, Any], tool_call_id: str | None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        # Arguments are compared as they were recorded, so nothing validates or completes them here.
        return (), {"arguments": tool_input, "call_id": tool_call_id}

    def _run(self, arguments: Any, call_id: str | None) -> Any:
        record = self._next(tool_key(self.name, arguments))
        if record is None or lost(record):
            return self._missed(arguments)
        if record.error is not None:
            raise replayed_error(record)
        result = read(record.response or {}, old=record.request.get("call_id"), new=call_id)
        if call_id is None and isinstance(result, ToolMessage):  # called by hand: no message is asked for
            return result.content
        return result

    async def _arun(self, arguments: Any, call_id: str | None) -> Any:
        return self._run(arguments, call_id)

    def _next(self, key: str) -> CallRecord | None:
        with self._lock:
            waiting = self._calls.get(key)
            if not waiting:
                return None
            return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def _missed(self, arguments: Any) -> Any:
        with self._lock:
            self._misses.append(arguments if isinstance(arguments, dict) else {"input": arguments})
        if self.on_miss == "tell":
            raise ToolException(NOT_RECORDED)  # becomes a result of status `error`, as of any tool
        run = next((call.run for calls in self._calls.values() for call in calls), "")
        raise ReplayDivergenceError(
            f"The call {self.name}({str(arguments)[:200]}) is not on the record.",
            run=run,
            step=0,
            remedy="Record a run that makes it, or use on_miss='tell', so that the agent can do otherwise.",
        )


def recorded_tools(trajectories: Iterable[Trajectory], *, on_miss: OnMiss = "raise") -> list[RecordedTool]:
    """The tools that recorded runs had, answering from them.

    Args:
        trajectories: runs recorded in full, with their calls, in the order in which they answer.
        on_miss: what a call does that is not on the record.

    Raises:
        ConfigError: a run was not recorded in full, the runs disagree about a tool, or there is no tool.
    """
    contracts: dict[str, ToolContract] = {}
    calls: defaultdict[str, defaultdict[str, list[CallRecord]]] = defaultdict(lambda: defaultdict(list))
    for trajectory in trajectories:
        _check(trajectory)
        for step in trajectory.steps:
            for known in step.tools or ():
                if contracts.setdefault(known.name, known) != known:
                    raise ConfigError(
                        f"Run {trajectory.run.id} had another tool {known.name!r} than the runs before it.",
                        remedy="Make tools of runs that had the same.",
                    )
        for call in trajectory.calls:
            if call.kind == "tool":
                calls[str(call.request.get("tool", ""))][call.key].append(call)
    if not contracts:
        raise ConfigError("No tool is on the record.", remedy="Give runs of an agent that had tools.")
    return [_tool(one, calls[one.name], on_miss) for one in contracts.values()]


def _check(trajectory: Trajectory) -> None:
    run = trajectory.run
    if run.origin != "coreact" or run.capture != "full":
        raise ConfigError(
            f"Run {run.id} ({run.origin}, capture {run.capture!r}) does not hold what its tools gave.",
            remedy="Only runs that were recorded here and in full can answer.",
        )


def _tool(known: ToolContract, calls: Mapping[str, list[CallRecord]], on_miss: OnMiss) -> RecordedTool:
    about = {"role": known.role, "read_only": known.read_only}
    made = RecordedTool(
        name=known.name,
        description=known.description,
        args_schema=dict(known.parameters),
        metadata={name: value for name, value in about.items() if value is not None},
        handle_tool_error=True,
        on_miss=on_miss,
    )
    made._calls = {key: list(records) for key, records in calls.items()}
    return made
