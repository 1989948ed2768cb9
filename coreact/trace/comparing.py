"""Where two runs, decisions or prompts part: the first difference, in words.

For a replay, which must come out as the recording did. Ids, times, costs and versions may differ; all that
was said, written, judged and done may not. Runs that only resemble each other are aligned elsewhere; nothing
here searches for the nearest match.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from coreact.judge import Judgement
from coreact.rubric import Action, Rubric
from coreact.trace.calls import message_key
from coreact.trace.records import Attempt, StepRecord, Trajectory

_SHOWN = 70  # characters of a text in a message


def prompt_difference(
    recorded: Sequence[Mapping[str, Any]], asked: Sequence[Mapping[str, Any]]
) -> str | None:
    """The first message in which two prompts differ, or None.

    Args:
        recorded: messages of the recorded prompt, as plain JSON.
        asked: messages of the other one.
    """
    for at, (old, new) in enumerate(zip_longest(recorded, asked)):
        if old is None:
            return f"message {at} ({_kind(new)}) is one more than was recorded: {_cut(_content(new))}"
        if new is None:
            return f"message {at} ({_kind(old)}) is missing: {_cut(_content(old))}"
        if message_key(old) != message_key(new):
            return f"message {at}: {_message_difference(old, new)}"
    return None


def step_difference(recorded: StepRecord, again: StepRecord) -> str | None:
    """The first thing in which two decisions differ, or None. Prompts and tools are not compared."""
    if found := _rubric_difference(recorded.rubric, again.rubric):
        return found
    for field in ("generator", "guidance", "constraint", "rung", "phase", "state_digest"):
        old, new = getattr(recorded, field), getattr(again, field)
        if old != new:
            return _changed(field.replace("_", " "), old, new)
    for at, (one, other) in enumerate(zip_longest(recorded.attempts, again.attempts)):
        if one is None or other is None:
            return _changed("attempts", len(recorded.attempts), len(again.attempts))
        if found := _attempt_difference(one, other):
            return f"attempt {at}: {found}"
    if recorded.dispositions != again.dispositions:
        return _changed("dispositions", recorded.dispositions, again.dispositions)
    if recorded.error != again.error:
        return _changed("error", recorded.error, again.error)
    return None


def run_difference(recorded: Trajectory, again: Trajectory) -> str | None:
    """The first thing in which two runs differ, or None: what a replayed run must be free of.

    Compared are question, settings, prompts, decisions with rubrics, attempts, verdicts, scores and
    dispositions, what tools gave back (of parallel calls in the order of their ids) and the end. Not
    compared: ids of runs and messages, times, costs, agent, thread, places in checkpoints and spans.
    """
    for field in ("question", "settings"):
        old, new = getattr(recorded.run, field), getattr(again.run, field)
        if old != new:
            return _changed(field, old, new)
    for one, other in zip_longest(recorded.steps, again.steps):
        if one is None or other is None:
            return _changed("steps", len(recorded.steps), len(again.steps))
        if one.index != other.index:
            return _changed("number of the step", one.index, other.index)
        found = prompt_difference(recorded.prompt(one.index), again.prompt(one.index))
        tools = recorded.tools(one.index), again.tools(one.index)
        if found is None and tools[0] != tools[1]:
            found = _changed("tools", *tools)
        found = found or step_difference(one, other) or _seen_difference(recorded, again, one.index)
        if found:
            return f"step {one.index}: {found}"
    ends = [
        None if one.end is None else (one.end.status, one.end.answer, one.end.score)
        for one in (recorded, again)
    ]
    return None if ends[0] == ends[1] else _changed("end", *ends)


def _seen_difference(recorded: Trajectory, again: Trajectory, step: int) -> str | None:
    old, new = (
        sorted((seen.call_id, seen.tool, seen.text, seen.failed, seen.blocked) for seen in run.observed(step))
        for run in (recorded, again)
    )
    pairs = zip_longest(old, new)
    return next((_changed("observation", one, other) for one, other in pairs if one != other), None)


def _rubric_difference(old: Rubric | None, new: Rubric | None) -> str | None:
    if old == new:
        return None
    if old is None or new is None:
        return _changed("rubric", "one" if old else "none", "one" if new else "none")
    for at, (one, other) in enumerate(zip_longest(old.criteria, new.criteria)):
        if one != other:
            texts = (None if c is None else f"{c.id}: {c.text}" for c in (one, other))
            if one is not None and other is not None and (one.id, one.text) == (other.id, other.text):
                texts = (str(c.model_dump(exclude={"text"})) for c in (one, other))
            return _changed(f"criterion {at}", *texts)
    return _changed("rubric", old.lock, new.lock)


def _attempt_difference(old: Attempt, new: Attempt) -> str | None:
    if message_key(old.message) != message_key(new.message):
        return _message_difference(old.message, new.message)
    if found := _rubric_difference(old.own, new.own):
        return f"its own rubric: {found}"
    for field in ("source", "feedback", "unheld"):
        if getattr(old, field) != getattr(new, field):
            return _changed(field, getattr(old, field), getattr(new, field))
    if [_meant(one) for one in old.actions] != [_meant(one) for one in new.actions]:
        return _changed("actions", old.actions, new.actions)
    for name in ("judgements", "own_judgements"):
        for at, (one, other) in enumerate(zip_longest(getattr(old, name), getattr(new, name))):
            if found := _judgement_difference(one, other):
                return f"action {at}: {found}"
    for field in ("selected", "rejected_by", "reason"):
        if getattr(old, field) != getattr(new, field):
            return _changed(field, getattr(old, field), getattr(new, field))
    return None


def _meant(action: Action) -> Any:
    return action.answer if action.call is None else (action.call.key, action.call.malformed)


def _judgement_difference(old: Judgement | None, new: Judgement | None) -> str | None:
    if old is None or new is None:
        return _changed("judgement", "one" if old else "none", "one" if new else "none")
    for one, other in zip_longest(old.verdicts, new.verdicts):
        if one != other:
            name = (one or other).criterion
            said = (None if v is None else f"{v.status}: {v.reason} ({v.decided_by})" for v in (one, other))
            return _changed(f"verdict on {name!r}", *said)
    for field in ("rubric", "score", "passed", "judged", "total"):
        if getattr(old, field) != getattr(new, field):
            return _changed(field, getattr(old, field), getattr(new, field))
    return None


def _message_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    if _kind(old) != _kind(new):
        return _changed("kind", _kind(old), _kind(new))
    for field in ("content", "tool_calls", "invalid_tool_calls", "name", "status"):
        one, other = old["data"].get(field), new["data"].get(field)
        if field.endswith("tool_calls"):
            one, other = ([(c.get("name"), c.get("args")) for c in calls or ()] for calls in (one, other))
        if one != other:
            return f"({_kind(old)}) {_changed(field, one, other)}"
    return f"({_kind(old)}) differs"


def _kind(message: Mapping[str, Any]) -> str:
    return str(message["type"])


def _content(message: Mapping[str, Any]) -> Any:
    return message["data"].get("content") or message["data"].get("tool_calls")


def _changed(what: str, old: Any, new: Any) -> str:
    one, other = (value if isinstance(value, str) else repr(value) for value in (old, new))
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    # Long texts often begin alike: what is shown begins a little before the first difference.
    begin = max(0, start - 20) if max(len(one), len(other)) > _SHOWN else 0
    return f"{what} was {_cut(one, begin)}, is {_cut(other, begin)}"


def _cut(value: Any, begin: int = 0) -> str:
    text = value if isinstance(value, str) else repr(value)
    shown = text[begin : begin + _SHOWN]
    return repr(f"{'…' if begin else ''}{shown}{'…' if begin + _SHOWN < len(text) else ''}")
