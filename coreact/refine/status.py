"""The public trace of verify-and-refine in a graph's state: what can be said about the answer, and why.

It stands in a public key, so that whoever reads the agent's output can see whether the answer was
accepted, unmet, or could not be verified at all. Plain JSON, for every checkpointer.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from langchain.agents.middleware.types import AgentState

from coreact.judge.records import Cost
from coreact.refine.rounds import Ended, Outcome, Progress, Round


class RoundStatus(TypedDict):
    """One judged answer in short."""

    answer: str
    passed: bool | None
    score: float | None
    judged: int
    total: int
    """`judged` of `total` criteria that applied could be decided."""
    unmet: list[str]
    """The reasons of unmet criteria."""
    failures: list[str]
    """Failure codes."""
    follow_ups: list[str]
    """`question — yes`, and so on."""
    lost: list[str]
    """What an earlier answer had and this one lost unasked."""


class AnswerCheck(TypedDict):
    """Status of a final answer."""

    run: str
    """Run id in the trace store."""
    turn: str
    """Which user message it answers."""
    status: Outcome
    """About the answer that stands at the end of the messages."""
    ended: Ended | None
    """Why no further round follows; None while the answer is being revised."""
    answer: str
    """The best answer so far."""
    best: int | None
    """Index of its round."""
    score: float | None
    """Its score in [0, 1], or None."""
    judged: int
    total: int
    rubric: str
    """Lock of the rubric; empty where none could be written."""
    rounds: list[RoundStatus]
    """Every answer that was judged, in order: the attempt counter."""
    errors: list[str]
    spent: dict[str, float]
    """What checking spent: calls, input_tokens, output_tokens, seconds."""


class AnswerCheckState(AgentState[Any]):
    """Agent state with the public status key."""

    answer_check: NotRequired[AnswerCheck]


def status(
    progress: Progress,
    *,
    run: str,
    turn: str = "",
    ended: Ended | None = None,
    best: Round | None = None,
    outcome: Outcome | None = None,
    note: str = "",
) -> AnswerCheck:
    """The public status of a progress.

    Args:
        progress: what is known.
        run: run id in the trace store.
        turn: which user message is answered.
        ended: why no further round follows.
        best: the round whose answer is returned, where it is not the best of all.
        outcome: what can be said about the returned answer, where it is not what the round says.
        note: one more line for `errors`.
    """
    best = best or progress.best
    judged = best.judgement if best is not None else None
    return AnswerCheck(
        run=run,
        turn=turn,
        status=outcome or progress.returned(best),
        ended=ended,
        answer=best.answer if best is not None else "",
        best=best.index if best is not None else None,
        score=judged.score if judged is not None else None,
        judged=judged.judged if judged is not None else 0,
        total=judged.total if judged is not None else 0,
        rubric=progress.rubric.lock if progress.rubric is not None else "",
        rounds=[_round(one) for one in progress.rounds],
        errors=[*progress.all_errors, *([note] if note else [])],
        spent=_spent(progress.cost),
    )


def _round(one: Round) -> RoundStatus:
    return RoundStatus(
        answer=one.answer,
        passed=one.judgement.passed,
        score=one.judgement.score,
        judged=one.judgement.judged,
        total=one.judgement.total,
        unmet=[verdict.reason for verdict in one.judgement.unmet],
        failures=[failure.code for failure in one.failures],
        follow_ups=[f"{finding.follow_up.question} — {finding.answer}" for finding in one.findings],
        lost=list(one.lost),
    )


def _spent(cost: Cost) -> dict[str, float]:
    return {
        "calls": cost.calls,
        "input_tokens": cost.input_tokens,
        "output_tokens": cost.output_tokens,
        "seconds": cost.seconds,
    }
