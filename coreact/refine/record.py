"""The rounds of an answer on the trace: one run, one step, an attempt for each judged answer.

That is what the records already mean: a decision (the final answer), the attempts at it, each judged
and with the reason it was rejected, and the one that was selected. So a stored check can be read,
exported and turned into preference pairs like any step. The step is written again after each round,
which replaces it, so a run that dies in the middle leaves the rounds it made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage

from coreact import __version__
from coreact.host.messages import message_json
from coreact.refine.rounds import Progress, Round
from coreact.refine.settings import RefineSettings
from coreact.rubric import Action, State
from coreact.trace import Attempt, Recorder, RunEnd, RunRecord, StepRecord


def record(
    recorder: Recorder,
    progress: Progress,
    *,
    run: str,
    settings: RefineSettings,
    question: str,
    best: Round | None,
    done: bool,
    state: State | None = None,
    prompt: Sequence[dict[str, Any]] = (),
    agent: str = "",
    thread_id: str | None = None,
    parent: str | None = None,
) -> None:
    """Put the rounds so far on the trace; never raises for a failing store.

    Args:
        recorder: where to.
        progress: the rounds.
        run: the check's own run id.
        settings: the settings in force.
        question: the question that is answered.
        best: the round whose answer is selected.
        done: whether this was the last round.
        state: the state the first answer was judged in.
        prompt: the messages before the first answer, as plain JSON.
        agent: name of the agent.
        thread_id: LangGraph's thread.
        parent: the guided run whose answer this is, if there is one.
    """
    recorder.start(
        RunRecord(
            id=run,
            question=question,
            agent=agent,
            thread_id=thread_id,
            settings={"refine": settings.model_dump(mode="json")},
            parent=parent,
            version=__version__,
        )
    )
    recorder.step(
        StepRecord(
            run=run,
            index=0,
            node="verify_answer",
            phase="late",
            state_digest=state.digest if state is not None else "",
            rubric=progress.rubric,
            generator=progress.writer,
            prompt_added=tuple(prompt),
            attempts=tuple(
                _attempt(one, best, before)
                for one, before in zip(progress.rounds, (None, *progress.rounds), strict=False)
            ),
            dispositions=("answered",) if progress.rounds else (),
            error="; ".join(progress.all_errors) or None,
            cost=progress.cost,
        )
    )
    if done:
        recorder.end(
            RunEnd(
                run=run,
                status="done",
                answer=best.answer if best is not None else "",
                score=best.judgement.score if best is not None else None,
            )
        )


def _attempt(one: Round, best: Round | None, before: Round | None) -> Attempt:
    selected = best is not None and one.index == best.index
    rejected_by, reason = None, ""
    if one.feedback is not None:
        reason = str(one.feedback)
        rejected_by = "check" if one.lost else next((v.decided_by for v in one.judgement.unmet), "check")
    elif not selected:
        rejected_by, reason = "rank", "another attempt scored higher"
    return Attempt(
        index=one.index,
        source="retry" if one.index else "first",
        # What its reviser was told, so that whoever learns from the retry sees what it had seen.
        feedback=str(before.feedback) if before is not None and before.feedback is not None else "",
        message=message_json(AIMessage(one.answer, id=one.message_id or None)),
        actions=(Action(answer=one.answer),),
        judgements=(one.judgement,),
        selected=selected,
        rejected_by=rejected_by,
        reason=reason,
        cost=one.cost,
    )
