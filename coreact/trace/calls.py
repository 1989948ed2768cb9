"""Which recorded call answers which request: keys of content, and the calls of a run by key.

A call is found again by what was asked, never by where it stood: a place would shift with every edit, and
threads reorder it. Ids that are drawn anew in every run, times and token counts are in no key. A prompt's key
is a chain over its messages, so that a run of n messages hashes each of them once. Who asks, and what is
done with an answer, is not decided here.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Any

from coreact.rubric import Action, Criterion, State, ToolContract
from coreact.rubric.canonical import digest
from coreact.trace.records import CallKind, CallRecord, StepRecord

UNRECORDED = "UnrecordedResult"
"""Type in the error of a call that gave something back which is no plain JSON: it cannot be replayed."""

_NOTHING = "prompt.1:"
_PARTS = ("content", "name", "status")


def message_key(message: Mapping[str, Any]) -> str:
    """Key of one message as `message_json` writes it: what it says and calls, without ids and metadata."""
    data = message["data"]
    kept: dict[str, Any] = {part: data[part] for part in _PARTS if data.get(part) is not None}
    kept["type"] = str(message["type"]).removesuffix("MessageChunk").casefold()
    for field in ("tool_calls", "invalid_tool_calls"):
        if data.get(field):
            kept[field] = [[call.get("name"), call.get("args")] for call in data[field]]
    # Plain sorted JSON: observations are long, and nobody but us reads these keys.
    written = json.dumps(kept, sort_keys=True, separators=(",", ":"), default=lambda odd: type(odd).__name__)
    return hashlib.sha256(written.encode()).hexdigest()


def prompt_keys(messages: Iterable[Mapping[str, Any]], *, after: str = "") -> list[str]:
    """The key of a prompt up to and including each of these messages.

    Args:
        messages: messages as plain JSON.
        after: key of the prompt before them; empty at its beginning.
    """
    keys: list[str] = []
    last = after or _NOTHING
    for message in messages:
        last = hashlib.sha256(f"{last}\n{message_key(message)}".encode()).hexdigest()
        keys.append(last)
    return keys


def tools_key(tools: Sequence[ToolContract]) -> str:
    """Key of the tools an agent has."""
    return digest([[tool.name, tool.description, tool.parameters] for tool in tools])


def model_key(
    prompt: str, *, added: Sequence[str], tools: str, options: Mapping[str, Any], constraint: Any = None
) -> str:
    """Key of a call of the agent's model.

    Which model it is stands in the record's request and not in the key: a replay has no model.

    Args:
        prompt: from `prompt_keys`.
        added: texts that guidance put after the prompt.
        tools: from `tools_key`; empty where they could not be read.
        options: what else the request asks for (`tool_choice`, `response_format`).
        constraint: what the reply is held to, as plain JSON, or None.
    """
    asked = [prompt or _NOTHING, list(added), tools, dict(options), constraint]
    return digest({"model": asked})


def rubric_key(state: State) -> str:
    """Key of a rubric asked for in a state."""
    return digest({"generator": [state.digest, state.budget.limit, state.budget.used]})


def verdicts_key(criteria: Sequence[Criterion], action: Action, state: State) -> str:
    """Key of a question to a judge."""
    asked = [criterion.model_dump(mode="json", exclude_defaults=True) for criterion in criteria]
    proposed = action.call.key if action.call is not None else action.answer
    return digest({"judge": [asked, proposed, state.digest, state.budget.limit, state.budget.used]})


def tool_key(name: str, arguments: Any) -> str:
    """Key of a tool call: name and arguments, whatever its id."""
    return digest({"tool": [name, arguments]})


def said(step: StepRecord | None, call: CallRecord) -> list[dict[str, Any]]:
    """The messages that a model call gave back; those that stand in the step's attempts are put in again.

    Args:
        step: the step that made the call.
        call: a call of kind `model` that did not fail.
    """
    attempts = () if step is None else step.attempts
    given = (call.response or {}).get("messages", [])
    return [attempts[one["attempt"]].message if "attempt" in one else one for one in given]


class RecordedCalls:
    """The calls of one run, each given out once. Safe to use from several threads."""

    def __init__(self, calls: Iterable[CallRecord]) -> None:
        self._waiting: defaultdict[tuple[CallKind, str], list[CallRecord]] = defaultdict(list)
        self._known: set[tuple[CallKind, str]] = set()
        self._lock = Lock()
        for call in calls:
            self._waiting[call.kind, call.key].append(call)
            self._known.add((call.kind, call.key))

    def take(self, kind: CallKind, key: str, *, step: int, call_id: str = "") -> CallRecord | None:
        """The next call that answers this request, or None.

        Args:
            kind: what is called.
            key: key of the request.
            step: 0-based number of the step that asks. An id names a call within one step only: some models
                begin to number anew in each message.
            call_id: id of a tool call. Of equal calls of the step the one with this id is meant (parallel
                ones come in any order). Where there are several records of it, those that failed come first,
                one by one, as they were retried; of the others the last is meant: it was run again after an
                interrupt.
        """
        with self._lock:
            waiting = self._waiting.get((kind, key))
            if not waiting:
                return None
            same = [
                at
                for at, call in enumerate(waiting)
                if call_id and call.step == step and call.request.get("call_id") == call_id
            ]
            if not same:
                return waiting.pop(0)
            if len(same) > 1 and _failed(waiting[same[0]]):
                return waiting.pop(same[0])
            found = waiting[same[-1]]
            waiting[:] = [call for at, call in enumerate(waiting) if at not in same]
            return found

    def knows(self, kind: CallKind, key: str) -> bool:
        """Whether such a call was ever recorded, taken or not."""
        return (kind, key) in self._known


def _failed(call: CallRecord) -> bool:
    return call.error is not None and not call.error.startswith(UNRECORDED)
