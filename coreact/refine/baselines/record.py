"""What a baseline tried, spent and chose: the public record beside its messages.

Everything that was tried stands in it, what failed included, so that a reader can tell a choice among
four from a choice among one. Nothing here runs anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coreact.judge.records import Cost
from coreact.refine.baselines.scored import Scored
from coreact.rubric import Record

RECORD_KEY = "baseline"
"""Key of the record beside `messages` in what a baseline returns."""


class BaselineRemark(Record):
    """Something that could not be done or read; the baseline went on without it."""

    where: str
    """What it was part of: `sample 2`, `critique 1`, `rubric`."""
    error: str
    """Name of the error's type."""
    text: str
    """What the error says; it may quote foreign text."""


class Tried(Record):
    """One candidate for the answer."""

    sample: int
    """Number of the run or of the revision, from 0."""
    answer: str = ""
    """Empty where it gave none."""
    score: float | None = None
    """In [0, 1], higher is better; None where nobody scored it or could."""
    passed: bool | None = None
    """Whether it passed its rubric; None where that is not known."""
    votes: int | None = None
    """Samples that gave this answer, itself included; None where nobody counted."""
    tool_calls: int | None = 0
    """Tool calls that it made; None where it failed, since what it did before is lost."""
    note: str = ""
    """What was said about it: a critique, a reflection, the question it answers."""
    failed: bool = False
    """It ended in an error, which stands among the remarks."""


class BaselineRecord(Record):
    """What a baseline did for one answer."""

    method: str
    """`best_of_n`, `self_consistency`, …"""
    tried: tuple[Tried, ...]
    """In the order in which they were tried."""
    chosen: int | None
    """Index in `tried`; None where none of them is the answer."""
    why: str
    """The rule that chose it, in a few words."""
    tool_calls: int
    """Tool calls in all, but for those of runs that failed."""
    tool_call_limit: int | None
    """Tool calls allowed in all; None where the agent was built by somebody else."""
    cost: Cost
    """Calls of the baseline's own: critiques, reflections, rubrics, judging; not the agent's runs."""
    remarks: tuple[BaselineRemark, ...] = ()


class Ledger:
    """The working memory of one invocation: what becomes its record."""

    def __init__(self, method: str, tool_call_limit: int | None) -> None:
        self.method = method
        self.tool_call_limit = tool_call_limit
        self.tried: list[Tried] = []
        self.remarks: list[BaselineRemark] = []
        self.cost = Cost()
        self.tool_calls = 0

    def failed(self, where: str, error: BaseException) -> None:
        """Note a failure that the baseline survives."""
        self.remarks.append(BaselineRemark(where=where, error=type(error).__name__, text=str(error)))
        spent = getattr(error, "cost", None)  # some errors know what was spent before them
        if isinstance(spent, Cost):
            self.cost += spent

    def record(self, chosen: int | None, why: str) -> BaselineRecord:
        """The record, when all is done."""
        return BaselineRecord(
            method=self.method,
            tried=tuple(self.tried),
            chosen=chosen,
            why=why,
            tool_calls=self.tool_calls,
            tool_call_limit=self.tool_call_limit,
            cost=self.cost,
            remarks=tuple(self.remarks),
        )


def best(scores: Sequence[Scored | None], among: Iterable[int]) -> tuple[int, str]:
    """The best scored of some candidates, and the rule that chose it.

    The highest score wins; of equal ones the earliest. What nobody could score is chosen only where
    nothing was scored, and then it is the earliest, which is what the control chooses.

    Args:
        scores: a score for each candidate; None where it was not scored.
        among: indices of the candidates, at least one, in order.
    """
    indices = list(among)
    known = [(one.score, at) for at in indices if (one := scores[at]) is not None and one.score is not None]
    if not known:
        return indices[0], "the first; nothing could be scored"
    _, at = max(known, key=lambda pair: (pair[0], -pair[1]))
    return at, "the highest score"
