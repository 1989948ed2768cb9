"""What stands on each span and event: records to attributes. Pure; nothing is emitted here.

Content (what was asked, answered, called with, observed, or said in a reason) is in functions of its own,
and is empty where a run's content was not kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from coreact.judge import Judgement, Verdict
from coreact.rubric import Rubric
from coreact.trace.records import (
    Attempt,
    JudgementRecord,
    ObservationRecord,
    RunRecord,
    StepRecord,
)
from coreact.trace.store import step_score
from coreact.trace.telemetry import conventions as c

Attributes = dict[str, Any]

_CREDIT: Final = {"met": 1.0, "partial": 0.5, "unmet": 0.0}
_ERROR_TYPE: Final = re.compile(r"[A-Za-z_][\w.]{0,80}(?=:|$)")


def without_none(attributes: Mapping[str, Any]) -> Attributes:
    """The attributes that have a value: OpenTelemetry knows no null."""
    return {name: value for name, value in attributes.items() if value is not None and value != ""}


def encodable(text: str) -> str:
    r"""The text as UTF-8 can hold it: a lone surrogate, which loses a whole batch, becomes `\udc80`."""
    return text.encode("utf-8", "backslashreplace").decode()


def with_encodable_text(attributes: Mapping[str, Any]) -> Attributes:
    """The attributes with every text as UTF-8 can hold it."""
    return {name: encodable(value) if isinstance(value, str) else value for name, value in attributes.items()}


def error_type(error: str | None) -> str | None:
    """The type in front of an error's text, as error fields of records have it."""
    if not error:
        return None
    found = _ERROR_TYPE.match(error)
    return found.group() if found else c.OTHER


def messages(role: str, text: str) -> str | None:
    """One message of plain text as the conventions write lists of messages, in JSON."""
    parts = [{"role": role, "parts": [{"type": "text", "content": text}]}]
    return json.dumps(parts, ensure_ascii=False) if text else None


def of_run(run: RunRecord) -> Attributes:
    """Of the span of an agent's run, without content."""
    return without_none(
        {
            c.OPERATION: c.INVOKE_AGENT,
            c.KIND: c.AGENT,
            c.AGENT_NAME: run.agent,
            c.AGENT_VERSION: run.agent_version,
            c.CONVERSATION: run.thread_id,
            c.RUN: run.id,
            c.RUN_PARENT: run.parent,
            c.RUN_FORKED_AT: run.forked_at,
            c.CAPTURE: run.capture,
        }
    )


def of_step(step: StepRecord) -> Attributes:
    """Of the span of one decision, without content."""
    judged = any(attempt.judgements for attempt in step.attempts)
    return without_none(
        {
            c.KIND: c.EVALUATOR if judged else c.CHAIN,
            c.RUN: step.run,
            c.STEP: step.index,
            c.PHASE: step.phase,
            c.RUNG: step.rung,
            c.NODE: step.node,
            c.GENERATOR: step.generator,
            c.RUBRIC: None if step.rubric is None else sha256_of(step.rubric.lock),
            c.STEP_SCORE: step_score(step),
            c.STEP_ATTEMPTS: len(step.attempts),
            c.STEP_ERROR: error_type(step.error),
        }
    )


def of_observation(seen: ObservationRecord) -> Attributes:
    """Of the span of a tool call, without content."""
    return without_none(
        {
            c.OPERATION: c.EXECUTE_TOOL,
            c.KIND: c.TOOL,
            c.TOOL_NAME: seen.tool,
            c.TOOL_CALL: seen.call_id,
            c.RUN: seen.run,
            c.STEP: seen.step,
            c.TOOL_BLOCKED: True if seen.blocked else None,
            c.ERROR_TYPE: c.OTHER if seen.failed and not seen.blocked else None,
        }
    )


class Evaluated(NamedTuple):
    """One criterion's verdict, as an event tells it."""

    attributes: Attributes
    content: Attributes
    """What is told only where content is asked for."""


def of_step_verdicts(step: StepRecord) -> Iterator[Evaluated]:
    """The verdicts of all attempts at a decision, those of rejected ones included."""
    for attempt in step.attempts:
        for own, rubric, judgements in (
            (False, step.rubric, attempt.judgements),
            (True, attempt.own, attempt.own_judgements),
        ):
            for action, judgement in enumerate(judgements):
                where = _where(step, attempt) | {c.ACTION: action}
                if own:
                    where[c.RUBRIC_OWN] = True
                for verdict in judgement.verdicts:
                    who = {
                        c.EVALUATOR_NAME: verdict.decided_by,
                        c.EVALUATOR_TYPE: _type_of(verdict.decided_by),
                    }
                    yield _evaluated(where | who, judgement, verdict, rubric)


def of_later_verdicts(later: JudgementRecord) -> Iterator[Evaluated]:
    """The verdicts of a judgement that was made afterwards."""
    kinds = {"code": "deterministic", "model": "llm_judge", "human": "human"}
    where = {
        c.RUN: later.run,
        c.STEP: later.step,
        c.CANDIDATE: later.attempt,
        c.ACTION: later.action,
        c.JUDGEMENT: later.id,
        c.JUDGEMENT_SAMPLE: later.sample,
        c.SUPERSEDES: later.supersedes,
        c.EVALUATOR_NAME: later.evaluator.name,
        c.EVALUATOR_VERSION: later.evaluator.version,
        c.EVALUATOR_TYPE: kinds[later.evaluator.kind],
        c.EVALUATOR_MODEL: later.evaluator.model,
    }
    for verdict in later.judgement.verdicts:
        yield _evaluated(where, later.judgement, verdict, later.rubric)


def _where(step: StepRecord, attempt: Attempt) -> Attributes:
    return {
        c.RUN: step.run,
        c.STEP: step.index,
        c.CANDIDATE: attempt.index,
        c.CANDIDATE_SOURCE: attempt.source,
        c.CANDIDATE_SELECTED: attempt.selected,
    }


def _evaluated(where: Attributes, judgement: Judgement, verdict: Verdict, rubric: Rubric | None) -> Evaluated:
    criterion = None
    if rubric is not None:
        criterion = next((one for one in rubric.criteria if one.id == verdict.criterion), None)
    broken = verdict.fault == "instrument"
    attributes = where | {
        c.EVALUATION_NAME: verdict.criterion,
        c.SCORE: _CREDIT.get(verdict.status),
        c.LABEL: verdict.status,
        c.ERROR_TYPE: (verdict.cause or c.OTHER) if broken else None,
        c.RUBRIC: sha256_of(judgement.rubric),
        c.FAULT: None if verdict.fault == "none" else verdict.fault,
        c.CLAIMED: verdict.claimed,
        c.CONFIDENCE: verdict.confidence,
    }
    content: Attributes = {c.EXPLANATION: verdict.reason}
    if criterion is not None:
        attributes |= {
            c.CRITERION_WEIGHT: criterion.weight,
            c.CRITERION_KIND: criterion.kind,
            c.CRITERION_VETO: criterion.veto or None,
        }
        content[c.CRITERION_TEXT] = criterion.text
    return Evaluated(without_none(attributes), without_none(content))


def _type_of(decided_by: str) -> str | None:
    if decided_by == "check":
        return "deterministic"
    return None if decided_by == "nobody" else "llm_judge"


def sha256_of(lock: str) -> str:
    """The hash in a lock, without the scheme in front of it."""
    return lock.rpartition(":")[2]
