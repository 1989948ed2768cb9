"""Two or more runs side by side: what they did alike, where they first part, how each criterion fared.

Runs are aligned by what they did: a longest common subsequence of the actions that were selected, where two
calls are the same if tool and arguments are, and two answers are the same move whatever they say. Every run
is compared with the first. The same comparison serves runs of one question, a run and its forks (what a fork
took over is marked), and one run as two evaluators judged it. Nothing here says which run is better, and
nothing here draws.
"""

from __future__ import annotations

from collections.abc import Sequence

from coreact.errors import ConfigError
from coreact.trace.alignment import longest_common
from coreact.trace.diff.parting import divergence, shared_steps
from coreact.trace.diff.result import Pair, TrajectoryDiff
from coreact.trace.diff.rows import criteria, merged, row
from coreact.trace.diff.sides import Seen, column
from coreact.trace.judged import judged_by
from coreact.trace.records import Trajectory


def diff(first: Trajectory, *others: Trajectory, by: Sequence[str | None] = ()) -> TrajectoryDiff:
    """Compare runs with the first of them. Pure.

    Args:
        first: the run that the others are held against.
        others: at least one; the first run again where two evaluators are to be compared on it.
        by: one evaluator a run, as `judged_by` takes it; empty: what each run was decided by.

    Raises:
        ConfigError: there is nothing to compare with, or an evaluator did not judge its run.
    """
    runs = (first, *others)
    if not others or (by and len(by) != len(runs)):
        raise ConfigError(
            f"{len(runs)} run(s) as judged by {len(by)} evaluator(s) cannot be compared.",
            remedy="Give at least two runs, and no evaluator or one for each of them.",
        )
    who = tuple(by) or (None,) * len(runs)
    seen = [Seen(run, judged_by(run, one)) for run, one in zip(runs, who, strict=True)]
    _take_over(seen, who)
    matches = [longest_common(seen[0].keys, one.keys) for one in seen[1:]]
    columns = tuple(column(one, evaluator) for one, evaluator in zip(seen, who, strict=True))
    return TrajectoryDiff(
        columns=columns,
        pairs=tuple(_pair(seen[0], one, len(found)) for one, found in zip(seen[1:], matches, strict=True)),
        rows=tuple(row(seen, places) for places in merged(seen, matches)),
        criteria=tuple(criteria(seen)),
    )


def _take_over(seen: Sequence[Seen], who: Sequence[str | None]) -> None:
    """Give forks what they share with their parents, where these are compared as the same judge sees them."""
    known = {(one.trajectory.run.id, judge): one for one, judge in zip(seen, who, strict=True)}
    forks = [
        (one.trajectory.run.forked_at, one, judge)
        for one, judge in zip(seen, who, strict=True)
        if one.trajectory.run.forked_at is not None
    ]
    for _, fork, judge in sorted(forks, key=lambda one: one[0]):  # a fork's forks part later than it did
        parent = known.get((fork.trajectory.run.parent or "", judge))
        if parent is not None:
            fork.take_over(parent)


def _pair(first: Seen, other: Seen, common: int) -> Pair:
    scores = [one.score for one in (first, other)]
    return Pair(
        run=other.trajectory.run.id,
        common=common,
        shared=shared_steps(first.trajectory, other.trajectory),
        divergence=divergence(first, other),
        score=None if scores[0] is None or scores[1] is None else scores[1] - scores[0],
    )
