"""What a collection holds, in figures: counted from its files, so that parts from before a kill count too."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pydantic import Field

from coreact.rubric import Record
from coreact.trace.journal import Journal
from coreact.trace.lines import write_whole
from coreact.train.branch.visits import ENDS, Ended, read_visits

SUMMARY = "summary.json"


class Collected(Record):
    """What a collection holds."""

    questions: int = 0
    """Questions, or stored runs, that ended."""
    visits: int = 0
    points: int = 0
    """Visits with two candidates or more."""
    contrast: int = 0
    """Points whose candidates differ in worth: those that can train."""
    single: int = 0
    """Visits with one candidate or none, which make no point."""
    unlabelled: dict[str, int] = Field(default_factory=dict)
    """Points that nobody could tell the worth of, by reason."""
    worth: dict[str, int] = Field(default_factory=dict)
    """Points by where their gains come from, see `Worth`."""
    ended: dict[str, int] = Field(default_factory=dict)
    """Questions by how they ended, see `End`."""
    errors: dict[str, int] = Field(default_factory=dict)
    """Failed questions by what failed."""
    passed_over: dict[str, int] = Field(default_factory=dict)
    """Decisions of stored runs that could not be visited, by reason."""
    other_half: int = 0
    """Stored runs that were passed by, since their question belongs to the other half."""
    proposed: int = 0
    """Proposals asked for."""
    dropped: dict[str, int] = Field(default_factory=dict)
    """Proposals that became no candidate, by reason."""
    drivers: dict[str, int] = Field(default_factory=dict)
    """Actions followed, by who chose them."""
    taught: int = 0
    """Visits with a teacher's action."""
    beta: float | None = None
    """Mean share of decisions that the teacher was meant to have; None without a teacher that acts."""
    delivered: float | None = None
    """Share of decisions that it had; lower than `beta` where it failed or knew nothing."""


def summarize(folder: Path, *, other_half: int = 0) -> Collected:
    """Count what a folder of visits holds, line by line, and write it there as `summary.json`.

    Args:
        folder: the folder.
        other_half: see `Collected`; the files do not tell.

    Raises:
        LabelFileError: a line of it cannot be used.
    """
    counts: dict[str, Counter[str]] = {
        name: Counter() for name in ("worth", "unlabelled", "dropped", "drivers", "n")
    }
    betas = 0.0
    acted = Counter[bool]()
    for visit in read_visits(folder):
        n = counts["n"]
        n.update(visits=1, proposed=visit.proposed, taught=visit.teacher is not None)
        counts["dropped"].update(visit.dropped)
        if visit.driver is not None:
            counts["drivers"][visit.driver] += 1
        if visit.beta is not None and visit.driver is not None:
            betas += visit.beta
            acted[visit.driver == "teacher"] += 1
        if visit.point is None:
            n["single"] += 1
            continue
        n.update(points=1, contrast=visit.point.has_contrast)
        counts["worth"][visit.worth] += 1
        if visit.worth == "none":
            counts["unlabelled"][visit.unlabelled] += 1
    ends = Journal(folder / ENDS, Ended).records
    passed: Counter[str] = Counter()
    for one in ends:
        passed.update(one.passed_over)
    total = acted.total()
    found = Collected(
        questions=len(ends),
        ended=_sorted(Counter(one.how for one in ends)),
        errors=_sorted(Counter(one.error for one in ends if one.how == "failed")),
        passed_over=_sorted(passed),
        other_half=other_half,
        beta=betas / total if total else None,
        delivered=acted[True] / total if total else None,
        **{name: _sorted(counts[name]) for name in ("worth", "unlabelled", "dropped", "drivers")},
        **counts["n"],
    )
    write_whole(folder / SUMMARY, found.model_dump_json(indent=2) + "\n")
    return found


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
