"""Self-correction rows: a rejected step, the feedback on it, and the step that mended it.

What S3c-Math (step-level self-correction) trains on: the prompt holds the steps before, unchanged, the bad
step and what was said about it; the completion is the correction. Read by `trl.SFTTrainer`, which learns
from the completion only, so the bad step itself is not learned. Feedback on a message with tool calls
stands where their results would, as an agent sees a call that is handed back.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

from coreact.trace.export.decisions import Run
from coreact.trace.export.demonstrations import refused
from coreact.trace.export.formats.sft import COLUMNS
from coreact.trace.export.labels import evaluators_of
from coreact.trace.export.messages import Message, user_message
from coreact.trace.export.rows import Format, Left, Row
from coreact.trace.records import Attempt


def rows(run: Run) -> Iterator[Row | Left]:
    """The retries of a run that passed where the attempt that they were told about failed."""
    for decision in run.decisions:
        for candidate in decision.candidates:
            if candidate.attempt.source != "retry" or candidate.at == 0:
                continue
            bad = max(decision.candidates[: candidate.at], key=lambda one: _worth(one.attempt))
            if bad.label.passed is not False:
                yield Left(bad.label.undecided or "nothing_to_correct")
                continue
            reason = refused(candidate, undecided=False)
            if reason is not None:
                yield Left(reason)
                continue
            lock = None if candidate.label.rubric is None else candidate.label.rubric.lock
            yield Row(
                {
                    "prompt": [
                        *decision.prompt(),
                        bad.message,
                        *_handed_back(bad.message, candidate.attempt.feedback),
                    ],
                    "completion": [candidate.message],
                    "tools": decision.tools,
                    "score": candidate.label.score,
                    "rubric_sha": lock,
                    **run.source(decision.step.index),
                },
                decision.row_key(bad, candidate),
                evaluators_of((bad.label, candidate.label)),
                lock,
            )


def _worth(attempt: Attempt) -> tuple[float, float]:
    """What the loop ranks attempts by: it tells the model about the best one so far, the first of equals."""
    judged = attempt.outcomes
    if not judged:
        return 0.0, 0.0
    passed = fmean({True: 1.0, None: 0.5, False: 0.0}[one.passed] for one in judged)
    return passed, fmean(0.5 if one.score is None else one.score for one in judged)


def _handed_back(bad: Message, feedback: str) -> list[Message]:
    calls = bad.get("tool_calls")
    if not calls:
        return [user_message(feedback)]
    told = user_message(feedback)["content"]
    return [{"role": "tool", "content": told, "tool_call_id": call["id"]} for call in calls]


FORMAT = Format(
    name="correction",
    about="a rejected step, the feedback, the corrected step, for TRL's SFTTrainer",
    rows=rows,
    columns=COLUMNS,
)
