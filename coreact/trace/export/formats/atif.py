"""ATIF v1.7 trajectories (Harbor's Agent Trajectory Interchange Format); one document a line, one a run.

What the format knows is written as it says; what only this record has (rubric, guidance, every attempt, the
verdicts with their evidence, later judgements) stands under `extra.coreact` of the step or the trajectory.
Steps that a fork took over from its parent are marked `is_copied_context`, so that nobody trains on them
twice. A prompt that was not the growth of the one before (a summary took its place) appears with what is
new in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from coreact import __version__
from coreact.judge import Cost
from coreact.trace.export.decisions import Candidate, Decision, Run
from coreact.trace.export.messages import Message
from coreact.trace.export.rows import Format, Left, Row
from coreact.trace.export.standing import follows
from coreact.trace.records import ObservationRecord, StepRecord

VERSION = "ATIF-v1.7"
"""`schema_version` of the documents."""

_FIRST = -62_135_596_800 * 10**9  # ISO 8601 writes the years 1 to 9999
_END = 253_402_300_799 * 10**9
_SOURCES = {"system": "system", "developer": "system", "user": "user"}


def rows(run: Run) -> Iterator[Row | Left]:
    """The whole run as one document."""
    trajectory = run.trajectory
    if not all(_FIRST <= step.at_ns < _END for step in trajectory.steps):
        yield Left("time_out_of_range")
        return
    steps = [*_steps(run)]
    if not steps:
        yield Left("no_steps")
        return
    for number, step in enumerate(steps, start=1):
        step["step_id"] = number
    record, end = trajectory.run, trajectory.end
    agent: dict[str, Any] = {"name": record.agent or "agent", "version": record.agent_version or "unknown"}
    if tools := _tools(run):
        agent["tool_definitions"] = tools
    document = {
        "schema_version": VERSION,
        "session_id": record.thread_id or record.id,
        "trajectory_id": record.id,
        "agent": agent,
        "steps": steps,
        "final_metrics": _totals([step.cost for step in trajectory.steps], len(steps)),
        "extra": {
            "coreact": {
                "version": record.version or __version__,
                "question": record.question,
                "parent": record.parent,
                "forked_at": record.forked_at,
                "status": "running" if end is None else end.status,
                "answer": None if end is None else end.answer,
                "score": None if end is None else end.score,
                "judgements": [
                    one.model_dump(mode="json", exclude_defaults=True) for one in trajectory.standing
                ],
            }
        },
    }
    locks = [step.rubric.lock for step in trajectory.steps if step.rubric is not None]
    yield Row(document, hashlib.sha256(record.id.encode()).digest()[:16], rubric=locks[0] if locks else None)


def _steps(run: Run) -> Iterator[dict[str, Any]]:
    asked: dict[str, dict[str, Any]] = {}
    copied_until = run.trajectory.run.forked_at or 0
    before: Decision | None = None
    for decision in run.decisions:
        copied = decision.step.index < copied_until
        for message in _new(decision, before):
            if message["role"] == "tool" and message["tool_call_id"] in asked:
                _answer(asked[message["tool_call_id"]], message["tool_call_id"], message["content"])
                continue
            step = _context(message, decision.step, copied=copied)
            asked |= dict.fromkeys((call["tool_call_id"] for call in step.get("tool_calls", ())), step)
            yield step
        told = _agent_step(decision, run.trajectory.observed(decision.step.index), copied=copied)
        if told is not None:
            asked |= dict.fromkeys((call["tool_call_id"] for call in told.get("tool_calls", ())), told)
            yield told
        before = decision


def _new(decision: Decision, before: Decision | None) -> list[Message]:
    """The messages of a prompt that no step has told yet."""
    added = decision.messages[decision.kept : decision.size]
    return added[1:] if before is not None and follows(decision, before) else added


def _answer(step: dict[str, Any], call: str | None, content: Any) -> None:
    """Add what a call gave back, unless it was told."""
    results = step.setdefault("observation", {"results": []})["results"]
    if call is None or all(one["source_call_id"] != call for one in results):
        results.append({"source_call_id": call, "content": content})


def _context(message: Message, step: StepRecord, *, copied: bool) -> dict[str, Any]:
    """A message that stood in the prompt: the user's, the system's, or one of an earlier turn."""
    source = _SOURCES.get(message["role"], "agent" if message["role"] == "assistant" else "system")
    told: dict[str, Any] = {"source": source, "message": message["content"], "timestamp": _time(step.at_ns)}
    if source == "agent":
        told |= _spoken(message)
    if copied or source == "agent":  # an assistant message of a prompt was decided before this run
        told["is_copied_context"] = True
    return told


def _agent_step(
    decision: Decision, seen: Sequence[ObservationRecord], *, copied: bool
) -> dict[str, Any] | None:
    chosen = decision.chosen
    if chosen is None:
        return None
    told: dict[str, Any] = {
        "source": "agent",
        "message": chosen.message["content"],
        "timestamp": _time(decision.step.at_ns),
        **_spoken(chosen.message),
        "metrics": _metrics(decision.step.cost),
    }
    calls = {call["tool_call_id"] for call in told.get("tool_calls", ())}
    for one in seen:
        _answer(told, one.call_id if one.call_id in calls else None, one.text)
    if copied:
        told["is_copied_context"] = True
    told["extra"] = {"coreact": _judged(decision, seen)}
    return told


def _spoken(message: Message) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if message.get("reasoning_content"):
        told["reasoning_content"] = message["reasoning_content"]
    calls = message.get("tool_calls", ())
    if calls:
        told["tool_calls"] = [
            {
                "tool_call_id": call["id"],
                "function_name": call["function"]["name"],
                "arguments": _arguments(call["function"]["arguments"]),
            }
            for call in calls
        ]
    return told


def _arguments(given: Any) -> dict[str, Any]:
    # The format wants an object; what the model wrote instead is kept under one name.
    return given if isinstance(given, dict) else {"malformed": given}


def _judged(decision: Decision, seen: Sequence[ObservationRecord]) -> dict[str, Any]:
    step = decision.step
    return {
        "step": step.index,
        "phase": step.phase,
        "rung": step.rung,
        "generator": step.generator,
        "guidance": step.guidance,
        "rubric": None if step.rubric is None else step.rubric.model_dump(mode="json", exclude_defaults=True),
        "rubric_sha": None if step.rubric is None else step.rubric.lock,
        "dispositions": list(step.dispositions),
        "candidates": [_candidate(candidate) for candidate in decision.candidates],
        "observations": [
            {"call_id": one.call_id, "tool": one.tool, "failed": one.failed, "blocked": one.blocked}
            for one in seen
        ],
        "error": step.error,
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    attempt = candidate.attempt
    return {
        "index": attempt.index,
        "source": attempt.source,
        "message": candidate.message,
        "selected": attempt.selected,
        "rejected_by": attempt.rejected_by,
        "reason": attempt.reason,
        "feedback": attempt.feedback,
        "judgements": [one.model_dump(mode="json", exclude_defaults=True) for one in attempt.outcomes],
    }


def _tools(run: Run) -> list[dict[str, Any]]:
    known: dict[str, dict[str, Any]] = {}
    for step in run.trajectory.steps:
        for tool in step.tools or ():
            function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
            known[tool.name] = {"type": "function", "function": function}
    return list(known.values())


def _metrics(cost: Cost) -> dict[str, Any]:
    told: dict[str, Any] = {"prompt_tokens": cost.input_tokens, "completion_tokens": cost.output_tokens}
    return told if cost.usd is None else {**told, "cost_usd": cost.usd}


def _totals(costs: Sequence[Cost], steps: int) -> dict[str, Any]:
    whole = sum(costs, Cost())
    told: dict[str, Any] = {
        "total_prompt_tokens": whole.input_tokens,
        "total_completion_tokens": whole.output_tokens,
        "total_steps": steps,
    }
    return told if whole.usd is None else {**told, "total_cost_usd": whole.usd}


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat().replace("+00:00", "Z")


FORMAT = Format(
    name="atif",
    about="whole runs with rubrics, attempts and verdicts, in ATIF v1.7",
    rows=rows,
    compares=False,
)
