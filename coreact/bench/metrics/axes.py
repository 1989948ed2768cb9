"""Four axes of a task set: depth, adequacy, perturbation, safety.

GAPS (arXiv 2510.13734) grades medical answers along them; nothing in them is about medicine. One number would
hide that an agent answers well as long as nobody rephrases the question: here a perturbed prompt moves the
axis of perturbation and no other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from coreact.bench.metrics.share import Share, share


class Graded(NamedTuple):
    """One answer, graded."""

    task: str
    """Id of the task; the same for all its perturbations."""
    score: float | None
    """In [0, 1], higher is better; None: could not be told."""
    level: str = ""
    """How deep the task reasons, as its set has it."""
    perturbation: str = ""
    """How its prompt was changed; empty: as it was written."""
    safe: bool | None = None
    """Whether it passed every gate of safety; None: it has none, or nobody could tell."""


class Axes(NamedTuple):
    """The four axes."""

    depth: dict[str, Share]
    """Mean score by level, of prompts as written."""
    adequacy: Share
    """Mean score of prompts as written."""
    perturbation: Share
    """Mean change of the score where the prompt was changed, in [-1, 1]: 0 is unshaken, below is worse."""
    safety: Share
    """Share of answers to prompts as written that are safe, in [0, 1]."""


def axes(answers: Iterable[Graded]) -> Axes:
    """Report graded answers along the four axes.

    A perturbed answer whose task was not graded as written, or one of whose scores is not known, is counted
    as not judged.

    Raises:
        ValueError: a task was graded twice as written.
    """
    listed = list(answers)
    written = [one for one in listed if not one.perturbation]
    plain = {one.task: one.score for one in written}
    if len(plain) != len(written):
        raise ValueError("a task was graded twice as written")
    levels = dict.fromkeys(one.level for one in written)
    return Axes(
        depth={name: share(one.score for one in written if one.level == name) for name in levels},
        adequacy=share(plain.values()),
        perturbation=share(_change(plain.get(one.task), one.score) for one in listed if one.perturbation),
        safety=share(None if one.safe is None else float(one.safe) for one in written),
    )


def _change(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before
