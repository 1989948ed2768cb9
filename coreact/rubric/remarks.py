"""What was found or done between a writer's draft and the rubric in force.

A criterion that a model wrote may be repaired, refused, compiled, weighted or muted before anything
is guided by it. Each of these leaves a remark, which goes on the record beside the rubric, so that a
reader of a trace can tell what a generator wrote from what was made of it. Remarks decide nothing.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coreact.rubric.state import Record

Problem = Literal[
    "unreadable",
    "too_many",
    "too_few",
    "empty",
    "weight",
    "over_long",
    "unsafe",
    "leaking",
    "unknown_tool",
    "unknown_argument",
    "unseen_url",
    "unseen_value",
    "broken_check",
    "duplicate",
    "mirror",
    "compound",
    "vague",
    "multi_tool",
    "negative_only",
    "conflict",
    "unfaithful",
    "undiscriminating",
    "misaligned",
    "harmful",
    "ungrounded",
    "unsupported",
    "nuisance",
    "inconsistent",
]
"""What can be wrong with a criterion, or with a rubric as a whole.

`unreadable`: no criterion could be read; `too_many`, `too_few`: criteria; `empty`: no text; `weight`: no
positive number; `over_long`: longer than a prompt should hold; `unsafe`: it tries to instruct past the
step; `leaking`: it holds what its reader must not know; `unknown_tool`, `unknown_argument`, `unseen_url`,
`unseen_value`: it names what does not exist; `broken_check`: its check cannot be evaluated; `duplicate`,
`mirror`: another criterion says the same, or its negation; `compound`: several conditions in one; `vague`:
nothing one could check; `multi_tool`: it demands several tools of one step; `negative_only`: it says only
what to avoid; `conflict`: another criterion demands the opposite; `unfaithful`: its check decides something
else than it says; `undiscriminating`: it tells no candidate from another; `misaligned`: it favours the
weaker side; `harmful`: its kind spoiled more steps than it fixed; `ungrounded`: it rests on no known fact;
`unsupported`: its quotes stand nowhere; `nuisance`: it rewards length, position or format;
`inconsistent`: a reader of it does not reach the label it was made from."""

Deed = Literal["found", "repaired", "dropped", "refused", "compiled", "weighted", "muted", "kept"]
"""What was done about it. `found`: nothing, it is told; `dropped`: one criterion; `refused`: the rubric."""

SHOWN = 160
"""Most characters of a criterion's text in a remark."""


class Remark(Record):
    """One thing that was found or done while a rubric came to be."""

    deed: Deed
    reason: str
    problem: Problem | None = None
    """None where nothing was wrong (a prose criterion got a check, a profile shifted a weight)."""
    criterion: str = Field(default="", max_length=SHOWN)
    """Text of the criterion concerned, on one line and cut; empty: the rubric as a whole."""

    @classmethod
    def about(cls, text: str, deed: Deed, reason: str, problem: Problem | None = None) -> Remark:
        """A remark on the criterion with this text."""
        # Half a character, which UTF-8 cannot hold, is shown as its escape.
        folded = " ".join(text.encode("utf-8", "backslashreplace").decode().split())
        return cls(
            deed=deed,
            reason=reason,
            problem=problem,
            criterion=folded if len(folded) <= SHOWN else folded[: SHOWN - 1] + "…",
        )
