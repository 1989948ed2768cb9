"""Capture `off`: what is left of a record when everything that anybody said is taken out.

Each record is built anew from what may stay; what is not named here takes its default, so a field that is
added later is withheld until somebody decides otherwise.

Of each record stays, and goes:

- run: ids, agent and versions, origin, thread, seed, fork, time, and those settings that are numbers or yes
  and no; the question and all other settings go.
- step: number, node, phase, rung, who wrote the rubric, dispositions, places, cost, time; the state digest,
  guidance and constraint go.
- tools of a step: name, role, whether it only reads; description and parameters go.
- messages: type, id, names and ids of calls, which call a result answers and whether it failed; content,
  arguments and everything else go.
- rubric: ids, weights, kinds, polarity, visibility, vetoes, dependencies, scope, threshold, and checks that
  say nothing but their kind and numbers; texts, all other checks, stages and provenance go.
- remark: deed and problem; the reason and the criterion's text go.
- attempt: source, whether it was selected, who rejected it, cost; the message and actions as above without
  answer and arguments; feedback and reasons go.
- judgement: statuses, who decided, faults and causes, claims, confidence, score, counts, cost; reasons and
  quotes go.
- observation: call id, tool, failed, blocked, times; the text goes.
- call: kind and times; the key (a digest of the request), request and response go.
- later judgement: ids, place, rubric and judgement as above, evaluator, sample, time; the note goes.
- end: status, score, time; the answer goes.
- errors, wherever they are: the type stays, the text goes.

Ids and names may still hold an address or a key, so a redactor goes over what is left. Locks are those
of the rubric without its texts, and can be compared with each other only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, TypeVar

from coreact.judge import Judgement
from coreact.rubric import Action, Criterion, Record, Rubric, ToolContract, UnknownCheck
from coreact.rubric.remarks import Remark
from coreact.trace.privacy.remembering import Remembered
from coreact.trace.records import (
    Attempt,
    CallRecord,
    JudgementRecord,
    ObservationRecord,
    RunRecord,
    StepRecord,
)
from coreact.trace.store import TraceRecord

R = TypeVar("R", bound=Record)

WITHHELD: Final = "withheld"
"""Stands for a text where a record must have one."""

_ERROR: Final = re.compile(r"(?:[A-Z]\w{0,60})?(?:Error|Exception|Exit|Interrupt|Timeout|Warning)(?=:|$)")


def withheld(record: TraceRecord) -> TraceRecord:
    """The record without any content."""
    if isinstance(record, RunRecord):
        return _only(
            record,
            "id agent agent_version origin thread_id seed parent forked_at version started_ns",
            question="",
            capture="off",
            settings={
                name: value
                for name, value in record.settings.items()
                if value is None or isinstance(value, int | float)
            },
        )
    if isinstance(record, StepRecord):
        return _step(record)
    if isinstance(record, ObservationRecord):
        return _only(record, "run step call_id tool failed blocked seconds at_ns", text="")
    if isinstance(record, CallRecord):
        return _only(
            record,
            "run step kind seconds at_ns",
            key="",
            response=None if record.response is None else {},
            error=_error(record.error),
        )
    if isinstance(record, JudgementRecord):
        rubric = _rubric(record.rubric)
        return _only(
            record,
            "id run step attempt action evaluator sample supersedes at_ns",
            rubric=rubric,
            judgement=_judgement(record.judgement, {record.rubric.lock: rubric.lock}),
        )
    return _only(record, "run status score ended_ns", error=_error(record.error))


def _only(record: R, kept: str, **changed: Any) -> R:
    values = {name: getattr(record, name) for name in kept.split()}
    made: R = _empty(type(record)).model_copy(update=values | changed)
    return made


@cache
def _empty(kind: type[Any]) -> Any:
    """A record with its defaults alone; what has none is missing until it is filled in."""
    return kind.model_construct()


def _error(error: str | None) -> str | None:
    if error is None:
        return None
    found = _ERROR.match(error)
    return found.group() if found else WITHHELD


def _step(step: StepRecord) -> StepRecord:
    rubric = None if step.rubric is None else _rubric(step.rubric)
    locks = {} if step.rubric is None or rubric is None else {step.rubric.lock: rubric.lock}
    return _only(
        step,
        "run index node phase rung generator prompt_kept dispositions checkpoint_id checkpoint_ns"
        " trace_id span_id cost at_ns",
        rubric=rubric,
        remarks=tuple(Remark(deed=one.deed, reason="", problem=one.problem) for one in step.remarks),
        tools=None
        if step.tools is None
        else tuple(
            ToolContract(name=tool.name, role=tool.role, read_only=tool.read_only) for tool in step.tools
        ),
        prompt_added=tuple(map(_message, step.prompt_added)),
        attempts=tuple(_attempt(attempt, locks) for attempt in step.attempts),
        error=_error(step.error),
    )


def _attempt(attempt: Attempt, locks: Mapping[str, str]) -> Attempt:
    own = None if attempt.own is None else _rubric(attempt.own)
    own_locks = {} if attempt.own is None or own is None else {attempt.own.lock: own.lock}
    return _only(
        attempt,
        "index source selected rejected_by cost",
        message=_message(attempt.message),
        actions=tuple(map(_action, attempt.actions)),
        judgements=tuple(_judgement(one, locks) for one in attempt.judgements),
        own=own,
        own_judgements=tuple(_judgement(one, own_locks) for one in attempt.own_judgements),
        unheld=WITHHELD if attempt.unheld else "",
    )


def _action(action: Action) -> Action:
    call = action.call
    if call is None:
        return Action(answer="")
    malformed = None if call.malformed is None else WITHHELD
    return Action(call=_only(call, "name id", arguments={}, malformed=malformed))


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """The shape of a message as LangChain writes it; still one that LangChain reads."""
    data = message.get("data")
    data = data if isinstance(data, Mapping) else {}
    left: dict[str, Any] = {"content": ""}
    left.update(
        {name: data[name] for name in ("id", "tool_call_id", "status") if isinstance(data.get(name), str)}
    )
    calls = data.get("tool_calls")
    if isinstance(calls, list | tuple):
        left["tool_calls"] = [
            {"type": "tool_call", "name": str(call.get("name")), "args": {}, "id": call.get("id")}
            for call in calls
            if isinstance(call, Mapping)
        ]
    kind = message.get("type")
    return {"type": kind if isinstance(kind, str) else "human", "data": left}


@Remembered
def _rubric(rubric: Rubric) -> Rubric:
    return _only(rubric, "scope threshold", criteria=tuple(map(_criterion, rubric.criteria)))


def _criterion(criterion: Criterion) -> Criterion:
    check = criterion.check
    if check is not None:
        said = check.model_dump(exclude={"kind"}).values()
        if isinstance(check, UnknownCheck) or not all(
            value is None or value == "" or isinstance(value, int | float) for value in said
        ):
            check = None
    return _only(criterion, "id weight polarity kind visibility veto depends_on", text=WITHHELD, check=check)


def _judgement(judgement: Judgement, locks: Mapping[str, str]) -> Judgement:
    return _only(
        judgement,
        "score passed judged total cost",
        rubric=locks.get(judgement.rubric, ""),
        verdicts=tuple(
            _only(one, "criterion status decided_by fault cause claimed confidence", reason="")
            for one in judgement.verdicts
        ),
    )
