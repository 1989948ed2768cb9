"""The tool calls of a guided agent: refused, run and observed, noted for the record, or answered from one.

    calls = ToolCalls(recorder=recorder)
    builder.add_node("tools", ToolNode(tools, wrap_tool_call=calls.run, awrap_tool_call=calls.arun))

`CoReActMiddleware` does the same by itself. A call is recorded with all it gave back, so that the run can be
replayed; what is no plain JSON (an artifact that is an object, a command that sends) is recorded as lost.
Interrupts and other control flow of LangGraph pass through and are no results.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, ToolMessage, messages_from_dict
from langgraph.errors import GraphBubbleUp
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

from coreact.control_tokens import without_control_tokens
from coreact.guide.host import held_call
from coreact.guide.replay import Replay, replayed_error
from coreact.guide.speculation import Speculation
from coreact.guide.status import HeldCall, StepStatus
from coreact.host.messages import SOURCE, SOURCE_KEY, message_json
from coreact.host.state import without_status
from coreact.host.streams import writer_of
from coreact.rubric import ToolCall
from coreact.trace import CallRecord, ObservationRecord, Recorder, Trajectory
from coreact.trace.calls import UNRECORDED, tool_key

Execute = Callable[[ToolCallRequest], Any]
AsyncExecute = Callable[[ToolCallRequest], Awaitable[Any]]


class ToolCalls:
    """Wraps tool calls: for `ToolNode`, or as the middleware uses it.

    Args:
        recorder: where results are stored; None: nowhere.
        replay: answers calls from a recorded run instead of running them; see `Replay`.
        ahead: calls that were started while they were judged; see `Speculation`.
    """

    def __init__(
        self,
        *,
        recorder: Recorder | None = None,
        replay: Replay | None = None,
        ahead: Speculation | None = None,
    ) -> None:
        self._recorder = recorder
        self._replay = replay
        self._ahead = ahead

    def run(self, request: ToolCallRequest, execute: Execute) -> Any:
        """Run the call, or answer it with the feedback where it is held back.

        Raises:
            ReplayDivergenceError: it is to be answered from a record, and the record has no such call.
        """
        status, held = held_call(request)
        if held is not None:
            return self._refuse(request, status, held)
        recorded = self._recorded(request, status)
        started = time.perf_counter()
        try:
            result = (
                self._execute(request, status, execute) if recorded is None else _result(recorded, request)
            )
        except GraphBubbleUp:
            raise
        except Exception as error:
            self._ran(request, status, error, started, recorded)
            raise
        return self._ran(request, status, without_status(result), started, recorded)

    async def arun(self, request: ToolCallRequest, execute: AsyncExecute) -> Any:
        """The same, without blocking the event loop."""
        status, held = held_call(request)
        if held is not None:
            return self._refuse(request, status, held)
        recorded = self._recorded(request, status)
        started = time.perf_counter()
        try:
            if recorded is None:
                result = await self._aexecute(request, status, execute)
            else:
                result = _result(recorded, request)
        except GraphBubbleUp:
            raise
        except Exception as error:
            self._ran(request, status, error, started, recorded)
            raise
        return self._ran(request, status, without_status(result), started, recorded)

    def _execute(self, request: ToolCallRequest, status: StepStatus | None, execute: Execute) -> Any:
        made = None
        if self._ahead is not None and status is not None:
            made = self._ahead.take(status["run"], status["step"], _asked(request))
        return execute(request) if made is None else made

    async def _aexecute(
        self, request: ToolCallRequest, status: StepStatus | None, execute: AsyncExecute
    ) -> Any:
        made = None
        if self._ahead is not None and status is not None:
            made = await self._ahead.atake(status["run"], status["step"], _asked(request))
        return await execute(request) if made is None else made

    def _recorded(self, request: ToolCallRequest, status: StepStatus | None) -> CallRecord | None:
        if self._replay is None:
            return None
        if status is None:
            if self._replay.live:
                return None
            raise self._replay.diverged(
                0,
                f"calls {request.tool_call['name']!r} before anything was decided: that is not on the record",
            )
        call, step = request.tool_call, status["step"]

        def explain(trajectory: Trajectory) -> str:
            asked = f"{call['name']}({call['args']!r})"
            made = [f"{seen.tool} ({seen.call_id})" for seen in trajectory.observed(step) if not seen.blocked]
            return f"it calls {asked[:200]}, and its calls in that step were: {', '.join(made) or 'none'}"

        key = tool_key(call["name"], call["args"])
        return self._replay.answer("tool", key, step=step, explain=explain, call_id=call["id"] or "")

    def _refuse(self, request: ToolCallRequest, status: StepStatus | None, held: HeldCall) -> ToolMessage:
        result = refusal_of(request, held)
        if status is not None:
            self._observe(request, status, result, 0.0, blocked=True)
        return result

    def _ran(
        self,
        request: ToolCallRequest,
        status: StepStatus | None,
        result: Any,
        started: float,
        recorded: CallRecord | None,
    ) -> Any:
        if status is None:
            return result
        seconds = time.perf_counter() - started if recorded is None else recorded.seconds
        self._observe(request, status, result, seconds)
        if self._recorder is not None:
            self._recorder.call(_call(request, status, result, seconds))
        return result

    def _observe(
        self,
        request: ToolCallRequest,
        status: StepStatus,
        result: Any,
        seconds: float,
        *,
        blocked: bool = False,
    ) -> None:
        if self._recorder is None:
            return
        call_id = request.tool_call["id"] or ""
        text, failed = _text(result, call_id)
        observation = ObservationRecord(
            run=status["run"],
            step=status["step"],
            call_id=call_id,
            tool=request.tool_call["name"],
            text=text,
            failed=failed,
            blocked=blocked,
            seconds=seconds,
        )
        self._recorder.observation(observation)
        write = writer_of(request.runtime)
        if write is not None:
            write({"type": "coreact.observation", "observation": observation.model_dump(mode="json")})


def _asked(request: ToolCallRequest) -> ToolCall:
    call = request.tool_call
    return ToolCall(name=call["name"], arguments=call["args"], id=call["id"] or "")


def refusal_of(request: ToolCallRequest, held: HeldCall) -> ToolMessage:
    """What stands in for the result of a call that is held back."""
    return ToolMessage(
        content=without_control_tokens(held["text"]),  # reasons may quote a page
        tool_call_id=request.tool_call["id"],
        name=request.tool_call["name"],
        status="error",
        additional_kwargs={SOURCE_KEY: SOURCE},
    )


def _text(result: Any, call_id: str) -> tuple[str, bool]:
    if isinstance(result, BaseException):
        return f"{type(result).__name__}: {result}", True
    if isinstance(result, ToolMessage):
        return str(result.text), result.status == "error"
    update = getattr(result, "update", None)
    messages = update.get("messages", []) if isinstance(update, Mapping) else []
    for message in messages:
        if isinstance(message, ToolMessage) and message.tool_call_id == call_id:
            return str(message.text), message.status == "error"
    return "", False


# --- results as plain JSON, and back -------------------------------------------------------------------


def _call(request: ToolCallRequest, status: StepStatus, result: Any, seconds: float) -> CallRecord:
    call = request.tool_call
    response: dict[str, Any] | None = None
    error: str | None = None
    if isinstance(result, BaseException):
        error = f"{type(result).__name__}: {result}"
    else:
        try:
            response = written(result)
        except (TypeError, ValueError) as odd:
            error = f"{UNRECORDED}: {odd}"
    return CallRecord(
        run=status["run"],
        step=status["step"],
        kind="tool",
        key=tool_key(call["name"], call["args"]),
        request={"tool": call["name"], "call_id": call["id"] or ""},
        response=response,
        error=error,
        seconds=seconds,
    )


def _result(recorded: CallRecord, request: ToolCallRequest) -> Any:
    if recorded.error is not None:
        raise replayed_error(recorded)
    return read(recorded.response or {}, old=recorded.request.get("call_id"), new=request.tool_call["id"])


def written(result: Any) -> dict[str, Any]:
    """What a tool call gave back, as plain JSON that `read` turns into the same again.

    Raises:
        TypeError: something in it is no plain JSON.
    """
    if isinstance(result, BaseMessage):
        return {"message": _message(result)}
    if isinstance(result, list):
        return {"several": [written(one) for one in result]}
    if not isinstance(result, Command):
        raise TypeError(f"the tool gave back {_named(result)}")
    goto: Any = list(result.goto) if isinstance(result.goto, list | tuple) else result.goto
    if result.resume is not None or not _is_plain(goto):
        raise TypeError("the tool gave back a command that sends or resumes")
    command: dict[str, Any] = {"goto": goto, "graph": result.graph}
    update = result.update
    if update is not None:
        if not isinstance(update, Mapping):
            raise TypeError(f"the tool gave back a command with {_named(update)} as update")
        command["update"] = plain_update(update)
    return {"command": command}


def read(response: Mapping[str, Any], *, old: Any = None, new: Any = None) -> Any:
    """The result that `written` wrote; a result for the call id `old` is made one for `new`."""
    if "message" in response:
        return _paired(messages_from_dict([response["message"]])[0], old, new)
    if "several" in response:
        return [read(one, old=old, new=new) for one in response["several"]]
    command = dict(response["command"])
    if "update" in command:
        messages, update = read_update(command["update"])
        if messages is not None:
            update["messages"] = [_paired(message, old, new) for message in messages]
        command["update"] = update
    return Command(**command)


def plain_update(update: Mapping[str, Any]) -> dict[str, Any]:
    """An update of a graph's state as plain JSON: its messages as such, the rest as it is.

    Raises:
        TypeError: something in it is no plain JSON.
    """
    plain: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for key, value in update.items():
        if key == "messages":
            plain["messages"] = [_message(one) for one in (value if isinstance(value, Sequence) else [value])]
        elif not isinstance(key, str) or not _is_plain(value):
            raise TypeError(f"the update of {key!r} is {_named(value)}, no plain JSON")
        else:
            rest[key] = value
    if rest:
        plain["rest"] = rest
    return plain


def read_update(plain: Mapping[str, Any]) -> tuple[list[BaseMessage] | None, dict[str, Any]]:
    """The messages of an update that `plain_update` wrote, if it has any, and the rest of it."""
    messages: Any = messages_from_dict(plain["messages"]) if "messages" in plain else None
    return messages, dict(plain.get("rest", {}))


def _message(message: Any) -> dict[str, Any]:
    if not isinstance(message, BaseMessage):
        raise TypeError(f"among the messages is {_named(message)}")
    artifact = getattr(message, "artifact", None)
    if not _is_plain(artifact):
        raise TypeError(f"the artifact of the result is {_named(artifact)}, no plain JSON")
    return message_json(message)


def _paired(message: BaseMessage, old: Any, new: Any) -> BaseMessage:
    if isinstance(message, ToolMessage) and old != new and message.tool_call_id == old:
        return message.model_copy(update={"tool_call_id": new})
    return message


def _is_plain(value: Any) -> bool:
    """Whether JSON gives the value back as it is."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if type(item) is dict:
            if not all(type(key) is str for key in item):
                return False
            waiting.extend(item.values())
        elif type(item) is list:
            waiting.extend(item)
        elif item is not None and type(item) not in (str, int, float, bool):
            return False
    return True


def _named(value: Any) -> str:
    return f"a {type(value).__name__}"
