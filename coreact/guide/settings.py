"""The settings of guidance, and the ladder it steps down when its budget runs low.

One frozen record, checked when it is made: an unknown key, a value out of range or a contradiction
is a `ConfigError` that names the key, before any agent runs.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coreact.judge import Cost
from coreact.rubric import Record
from coreact.rubric.settings import Settings
from coreact.trace import Rung

Policy = Literal["allow", "block", "ask"]
"""What to do with the best attempt when retries are spent: let it run and mark it, answer the call
with the feedback instead of running it, or ask a human. A final answer cannot be blocked, only
marked or asked about."""

Fallback = Literal["heuristic", "last_good", "none"]
"""What guides a decision whose rubric could not be written: the heuristic generator, the last
rubric that was written in this run, or nothing."""


class Limits(Record):
    """What guidance itself may spend in one run, beyond one plain model call a decision.

    Near a limit guidance steps down a ladder instead of failing: everything; from half of the
    limit on no panels and no candidates; from three quarters on checks only; at the limit the
    plain agent.
    """

    calls: int | None = Field(default=None, ge=0)
    """Extra model calls: retries, candidates, generator and judge calls."""
    tokens: int | None = Field(default=None, ge=0)
    """Tokens of those calls."""
    seconds: float | None = Field(default=None, ge=0)
    """Wall-clock seconds of those calls."""

    def rung(self, spent: Cost) -> Rung:
        """The rung for what was spent so far in this run."""
        shares = [
            used / limit if limit else 1.0
            for used, limit in (
                (spent.calls, self.calls),
                (spent.tokens, self.tokens),
                (spent.seconds, self.seconds),
            )
            if limit is not None
        ]
        share = max(shares, default=0.0)
        if share >= 1:
            return "plain"
        if share >= 0.75:
            return "checks"
        return "judge" if share >= 0.5 else "panel"


class GuideSettings(Settings):
    """How each decision is guided. The defaults suit any agent."""

    retries: int = Field(default=1, ge=0, le=10)
    """Further attempts after a rejected one; every attempt is checked."""
    candidates: int = Field(default=1, ge=1, le=32)
    """Proposals sampled at once for a decision; the best by the rubric's score is taken."""
    on_unmet: Policy = "allow"
    on_unknown: Policy = "allow"
    same_family: Literal["warn", "refuse", "allow"] = "warn"
    """What to do where judge, generator and agent are models of one family: a judge favours its own."""
    fallback: Fallback = "heuristic"
    show_rubric: bool = True
    """Whether the model sees the criteria before it proposes. Off: it meets them in feedback only."""
    own_rubric: bool = False
    """Whether the model writes criteria of its own before it acts (Think-with-Rubrics). They can only cost:
    an attempt passes if it passes by the rubric and does not fail by what it set itself. The block in which
    it wrote them is taken out of its message before anyone else reads it; the record keeps it."""
    constrain: bool = False
    """Whether hard executable criteria also become constraints on decoding (tool choice, narrowed argument
    schemas), so that the model cannot propose what would be refused. Soft criteria never do. A server that
    refuses such a request is asked again without. Needs `CoReActMiddleware`."""
    speculate: bool = False
    """Whether a call may start while a judge is asked about it, where its tool is read-only and free by its
    metadata. A call that is not chosen is dropped, but has been made. Needs `CoReActMiddleware`."""
    step_budget: int | None = Field(default=None, ge=1)
    """Decisions with a tool call that the agent may take; gives early, middle and late phases."""
    limits: Limits = Limits()
    stream: Literal["accepted", "live"] = "accepted"
    """`accepted`: message streams carry accepted attempts only, each whole. `live`: the first
    attempt streams token by token, and a custom event retracts it if it is rejected."""
