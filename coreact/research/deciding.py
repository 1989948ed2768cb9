"""How to go on after a round of gathering: gather more, answer, or decline.

The default reads the plan; who has a critic passes `coreact.judge.sufficiency.Sufficiency(…).decide`. Either
way the budget has the last word: what wants more and cannot have it does not become an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from coreact.judge.sufficiency.deciding import Decision, Kind
from coreact.research.plan import Plan
from coreact.rubric import State


class Decide(Protocol):
    """A sufficiency decision; `coreact.judge.sufficiency.Sufficiency.decide` is one."""

    def __call__(self, state: State, draft: str, *, plan: Sequence[str]) -> Decision | Kind:
        """Say how to go on.

        Args:
            state: all that was gathered; its budget counts decisions with a tool call.
            draft: the findings so far; empty where there are none.
            plan: the sub-questions.
        """


def way_on(decide: Decide | None, state: State, plan: Plan, *, left: int) -> tuple[Kind, list[str]]:
    """How to go on, and the reasons that were given for it.

    Args:
        decide: who decides; None: go on while sub-questions are open and calls are left, then answer, but
            decline where nothing was observed.
        state: all that was gathered.
        plan: the plan as it stands.
        left: tool calls that are left.

    Returns:
        `continue` only where there is a call left and a sub-question to spend it on. Who wants more without
        one gets `decline` where no call is left, else `answer`: a review then looks for what else to ask.
    """
    can_go_on = left > 0 and bool(plan.ready)
    if decide is None:
        found = any(sub.evidence for sub in plan.sub_questions)
        return "continue" if can_go_on else "answer" if found else "decline", []
    draft = "\n".join(sub.finding for sub in plan.with_status("answered"))
    said = decide(state, draft, plan=[sub.text for sub in plan.sub_questions])
    kind, reasons = (said.kind, list(said.reasons)) if isinstance(said, Decision) else (said, [])
    if kind != "continue" or can_go_on:
        return kind, reasons
    return "answer" if left > 0 else "decline", reasons
