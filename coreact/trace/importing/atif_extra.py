"""What our own ATIF export keeps under `extra.coreact`, read back: rubric, attempts, verdicts, judgements.

The file is untrusted like any other. A rubric is taken only if its content is what its lock says, a judgement
only if it is by a rubric that was taken; what is not taken is said, and the step stays as the rest of the
file tells it. A candidate's judgement that was joined with the model's own criteria is by a rubric that the
export does not hold, so it cannot come back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage
from pydantic import ValidationError

from coreact.errors import MessagesError
from coreact.host.messages import actions_of, message_json
from coreact.judge import Cost, Judgement
from coreact.rubric import Rubric
from coreact.trace.importing.messages import message_of
from coreact.trace.importing.turns import stable_id
from coreact.trace.records import Attempt, JudgementRecord, RunEnd, StepRecord, Trajectory

_STEP_TEXTS = ("phase", "rung", "generator", "guidance", "error")


def own_extra(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What stands under `extra.coreact` of a trajectory or a step, if anything does."""
    extra = value.get("extra")
    ours = extra.get("coreact") if isinstance(extra, Mapping) else None
    return ours if isinstance(ours, Mapping) else None


def with_extra(trajectory: Trajectory, ours: Mapping[str, Any], remarks: list[str]) -> Trajectory:
    """A run with what the export kept of it as a whole: origin of a fork, end, later judgements."""
    run, end = trajectory.run, trajectory.end
    try:
        run = type(run).model_validate(
            {**run.model_dump(), "parent": ours.get("parent"), "forked_at": ours.get("forked_at")}
        )
        status = ours.get("status")
        if end is not None and status == "running":
            end = None
        elif end is not None:
            told = {"status": status, "answer": ours.get("answer") or "", "score": ours.get("score")}
            end = RunEnd.model_validate({**end.model_dump(), **told})
    except ValidationError:
        remarks.append("extra.coreact of the trajectory is not as the export writes it")
    judgements: dict[str, JudgementRecord] = {}
    told_later = ours.get("judgements")
    for one in told_later if isinstance(told_later, list) else []:
        try:
            read = JudgementRecord.model_validate(one)
        except ValidationError:
            remarks.append("a later judgement in extra.coreact is not as the export writes it")
            continue
        # Ids that a file names may be those of other judgements, so each gets one of its run.
        ident = stable_id(run.origin, run.id, read.id)
        older = None if read.supersedes is None else stable_id(run.origin, run.id, read.supersedes)
        if ident in judgements:
            remarks.append(f"a later judgement in extra.coreact has the id of one before, {read.id}")
        elif read.run == run.id and read.rubric.lock == read.judgement.rubric:
            judgements[ident] = read.model_copy(update={"id": ident, "supersedes": older})
        else:
            remarks.append("a later judgement in extra.coreact is of another run or another rubric")
    return trajectory.model_copy(update={"run": run, "end": end, "judgements": tuple(judgements.values())})


def step_with_extra(step: StepRecord, ours: Mapping[str, Any], remarks: list[str]) -> StepRecord:
    """A step with its rubric, its attempts and their judgements."""
    where = f"extra.coreact of step {step.index}"
    try:
        rubric = None if ours.get("rubric") is None else Rubric.model_validate(ours["rubric"])
        if rubric is not None and rubric.lock != ours.get("rubric_sha"):
            remarks.append(f"{where}: the rubric is not what its lock says")
            return step
        attempts = tuple(_attempt(one, rubric, step, remarks, where) for one in ours.get("candidates") or ())
        dispositions = tuple(ours.get("dispositions") or ())
        told = {
            "rubric": rubric,
            "attempts": attempts if sum(one.selected for one in attempts) == 1 else step.attempts,
            "dispositions": dispositions
            if len(dispositions) == len(step.dispositions)
            else step.dispositions,
            **{key: ours[key] for key in _STEP_TEXTS if ours.get(key) is not None},
        }
        return StepRecord.model_validate(dict(step) | told)
    except (ValidationError, MessagesError, KeyError, TypeError, AttributeError):
        remarks.append(f"{where} is not as the export writes it")
        return step


def _attempt(
    written: Mapping[str, Any], rubric: Rubric | None, step: StepRecord, remarks: list[str], where: str
) -> Attempt:
    judged = [Judgement.model_validate(one) for one in written.get("judgements") or ()]
    if any(rubric is None or one.rubric != rubric.lock for one in judged):
        remarks.append(
            f"{where}: attempt {written['index']} was also judged by other criteria, not kept there"
        )
        judged = []
    selected, chosen = bool(written["selected"]), step.chosen
    if selected and chosen is not None:  # it is the message of the step itself
        message, actions, cost = chosen.message, chosen.actions, chosen.cost
    else:
        read = message_of(written["message"])
        if not isinstance(read, AIMessage):
            raise TypeError("a candidate is no assistant message")
        message, actions, cost = message_json(read), actions_of(read), Cost()
    if len(judged) not in (0, len(actions)):
        remarks.append(
            f"{where}: attempt {written['index']} has {len(judged)} judgements of {len(actions)} actions"
        )
        judged = []
    return Attempt(
        index=written["index"],
        source=written["source"],
        message=message,
        actions=actions,
        judgements=tuple(judged),
        feedback=written.get("feedback") or "",
        selected=selected,
        rejected_by=written.get("rejected_by"),
        reason=written.get("reason") or "",
        cost=cost,
    )
