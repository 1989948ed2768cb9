"""Verify and refine one answer with a plain call, without a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from coreact.generate import RubricGenerator
from coreact.judge.runner import Judge
from coreact.refine.drivers import adrive, drive
from coreact.refine.loop import Refined, refine
from coreact.refine.record import record
from coreact.refine.revise import Reviser
from coreact.refine.verifier import AnswerVerifier, Options
from coreact.rubric import Rubric, State
from coreact.trace import Recorder, new_id


def verify_and_refine(
    question: str | State,
    answer: str,
    *,
    rubric: Rubric | RubricGenerator,
    judge: Judge | Sequence[Judge] | None = None,
    revise: Reviser,
    recorder: Recorder | None = None,
    agent: str = "",
    **options: Unpack[Options],
) -> Refined:
    """Judge an answer, have it revised where it is rejected, and return the best one.

    Args:
        question: the question, or the state with what was observed before the answer.
        answer: the answer to verify.
        rubric: the criteria of a good answer (scope `answer`), or a generator of them.
        judge: who decides criteria that no check decides; several must all agree.
        revise: gives a new answer for a `Revision`; see `reviser` for a chat model.
        recorder: where the rounds are stored.
        agent: name of the agent in the record.
        **options: see `AnswerVerifier` and `RefineSettings`.

    Raises:
        ConfigError: a setting is unknown or out of range, or the rubric is not for answers.
    """
    verifier = AnswerVerifier(rubric, judge, reviser=revise, **options)
    state = question if isinstance(question, State) else State.start(question)
    refined = drive(refine(verifier.method, answer, state), verifier.parties)
    _record(refined, verifier, state, recorder, agent)
    return refined


async def averify_and_refine(
    question: str | State,
    answer: str,
    *,
    rubric: Rubric | RubricGenerator,
    judge: Judge | Sequence[Judge] | None = None,
    revise: Reviser,
    recorder: Recorder | None = None,
    agent: str = "",
    **options: Unpack[Options],
) -> Refined:
    """The same, without blocking the event loop; follow-ups of one round run at once."""
    verifier = AnswerVerifier(rubric, judge, reviser=revise, **options)
    state = question if isinstance(question, State) else State.start(question)
    refined = await adrive(refine(verifier.method, answer, state), verifier.parties)
    _record(refined, verifier, state, recorder, agent)
    return refined


def _record(
    refined: Refined, verifier: AnswerVerifier, state: State, recorder: Recorder | None, agent: str
) -> None:
    if recorder is not None:
        record(
            recorder,
            refined.progress,
            run=new_id(),
            settings=verifier.settings,
            question=state.question,
            best=refined.progress.best,
            done=True,
            state=state,
            agent=agent,
        )
