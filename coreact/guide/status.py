"""The public trace of guidance in the graph's state.

The verdict on the last decision stands in a public key, so that whoever reads the agent's output
can see whether its step was met, unmet or could not be judged; private keys are dropped from
outputs and would hide a broken judge. The same key carries what a resumed run needs: run id, step
number and what was spent. Plain JSON, so that every checkpointer can store it.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from langchain.agents.middleware.types import AgentState


class HeldCall(TypedDict):
    """A proposed call or answer that does not simply run."""

    disposition: Literal["blocked", "returned", "asked"]
    text: str
    """What is given back in place of a result."""


class StepStatus(TypedDict):
    """Status of guidance after a decision."""

    run: str
    """Run id in the trace store."""
    turn: str
    """Which user message the run answers."""
    step: int
    """0-based number of the last decision in this run."""
    status: Literal["met", "unmet", "unknown", "off"]
    """`met`, `unmet`: what code computed from the verdicts on the step that was chosen; `unknown`:
    it could not be judged; `off`: there was no rubric (see `errors`, `rung`)."""
    score: float | None
    """Mean score of the step's actions in [0, 1], or None."""
    run_score: float | None
    """Mean score in [0, 1] of the judged steps of this run so far, or None."""
    run_judged: int
    """Steps of this run that have a score."""
    judged: int
    total: int
    """`judged` of `total` criteria that applied could be decided."""
    unmet: list[str]
    """The reasons of unmet criteria."""
    attempts: int
    rung: str
    errors: list[str]
    spent: dict[str, float]
    """What guidance spent in this run so far: calls, input_tokens, output_tokens, seconds."""
    held: dict[str, HeldCall]
    """By call id (`answer` for a final answer): what does not simply run."""


class CoReActState(AgentState[Any]):
    """Agent state with the public status key. Use it as the state of a hand-written graph."""

    coreact: NotRequired[StepStatus]
