"""What a comparison of runs says, as records: whatever is one a run stands in the order of the columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from coreact.judge import Cost, Status
from coreact.judge.scoring.settling import CREDIT
from coreact.rubric import Record
from coreact.trace.records import Disposition, Evaluator, RunStatus

Difference = Literal["messages", "tools", "rubric", "action", "observation", "verdicts", "answer"]
"""What differs, in the order in which one leads to the next. `messages`: the prompt without guidance, ids
and counts; `rubric`: its content; `action`: what the selected attempt does; `observation`: what came back;
`verdicts`: the status of a criterion that both were judged by; `answer`: the text of the final answer."""


class Move(Record):
    """One action of a selected attempt, as it stands in its run."""

    step: int
    """Index of the step."""
    attempt: int
    """Position of the selected attempt among the step's attempts."""
    action: int
    """Position among the attempt's actions."""
    tool: str | None
    """None: the action is the answer."""
    text: str
    """The call or the answer, as text. Untrusted."""
    disposition: Disposition | None = None
    """What became of it; None where nobody wrote that down."""
    score: float | None = None
    passed: bool | None = None
    copied: bool = False
    """Whether the run took it over from the run that it was forked from."""


class CriterionVerdicts(Record):
    """What was said of one criterion, one status a run; None where the run was not judged by it."""

    criterion: str
    """Its id."""
    text: str
    statuses: tuple[Status | None, ...]


class Row(Record):
    """Moves that belong together, one a run; a run that did nothing like it has None."""

    moves: tuple[Move | None, ...]
    differs: tuple[Difference, ...] = ()
    """In what the moves differ from that of the first run; empty where it, or every other, is None."""
    verdicts: tuple[CriterionVerdicts, ...] = ()
    """Criteria that at least two of the moves were judged by, where the statuses differ."""

    @property
    def aligned(self) -> bool:
        """Whether every run did it."""
        return None not in self.moves


class Divergence(Record):
    """Where two runs first part, step by step from the beginning."""

    first: int | None
    """Index of the step in the first run; None where that run has ended by then."""
    other: int | None
    """Index of the step in the other."""
    differs: tuple[Difference, ...]
    """What differs there, causes first."""


class Pair(Record):
    """One run held against the first."""

    run: str
    common: int
    """Length of the longest common subsequence of their actions."""
    shared: int
    """Leading steps that both have because one was forked from the other, or both from the same run."""
    divergence: Divergence | None
    """None where they are the same from beginning to end."""
    score: float | None
    """Its score less that of the first run, in [-1, 1]; None where one has none."""


class Counts(Record):
    """How often one criterion had which status in one run, over the selected attempts."""

    met: int = 0
    partial: int = 0
    unmet: int = 0
    not_applicable: int = 0
    unknown: int = 0

    @classmethod
    def of(cls, statuses: Iterable[Status]) -> Counts:
        """Count them."""
        return cls.model_validate(Counter(statuses))

    @property
    def credit(self) -> float | None:
        """Mean credit in [0, 1] of what was judged (met 1, partial 0.5, unmet 0); None where nothing was."""
        judged = self.met + self.partial + self.unmet
        return (self.met + CREDIT["partial"] * self.partial) / judged if judged else None


class CriterionRow(Record):
    """One criterion over whole runs."""

    criterion: str
    """Its id."""
    text: str
    counts: tuple[Counts | None, ...]
    """One a run; None where the run was never judged by it."""

    @property
    def deltas(self) -> tuple[float | None, ...]:
        """Each run's mean credit less that of the first run, in [-1, 1]; None where one has none."""
        known = [None if counts is None else counts.credit for counts in self.counts]
        base = known[0]
        return tuple(None if one is None or base is None else one - base for one in known)


class Later(Record):
    """What one evaluator judged of a run afterwards."""

    evaluator: Evaluator
    judgements: int
    """Those that no other supersedes."""
    score: float | None
    """Mean score in [0, 1] of the selected attempts as this evaluator judged them."""


class Column(Record):
    """One compared run as a whole."""

    run: str
    question: str
    agent: str
    status: RunStatus
    parent: str | None
    forked_at: int | None
    judged_by: str | None
    """Name or version of the evaluator whose judgements are shown; None: what the run was decided by."""
    steps: int
    retries: int
    score: float | None
    """Mean score in [0, 1] of the selected attempts by those judgements; steps taken over count too."""
    answer: str | None
    """Untrusted. None where the run has no end."""
    seconds: float | None
    """From its beginning to its end."""
    cost: Cost
    """Of all its steps."""
    later: tuple[Later, ...]


class TrajectoryDiff(Record):
    """Runs side by side; whatever is one a run stands in the order of `columns`."""

    columns: tuple[Column, ...]
    pairs: tuple[Pair, ...]
    """Every run but the first, held against the first."""
    rows: tuple[Row, ...]
    """What the runs did, in the order of the first; what only another did stands before what follows it."""
    criteria: tuple[CriterionRow, ...]
    """Criteria that at least two of the runs were judged by: the same id and text."""
