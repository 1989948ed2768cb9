"""How well each arm ranks the candidates of branching points, in figures with intervals.

The reference is the gain that was measured for each candidate. The main figure is Spearman's rank
correlation of a rubric's order with it; beside it stand what a chooser gets (is the candidate on top a best
one, how much gain is lost), and what a guided agent gets (steps fixed and spoiled against the candidate
that a stated policy takes unguided). A point for which there is no rubric ranks nothing: all candidates
tie, as in the arm `none`. Points of a question are averaged first, since they are not independent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from random import Random
from statistics import fmean
from typing import NamedTuple

from coreact.bench.rank.rubrics import Attempt
from coreact.bench.statistics import Interval, interval, paired_difference
from coreact.judge import Cost
from coreact.judge.ordering import agreement, judged, standing
from coreact.judge.runner import Judge
from coreact.rubric import Record
from coreact.rubric.branching import BranchingPoint
from coreact.train.rewards.taken import plain_gain, taken_gain

NONE, RANDOM = "none", "random"
"""The two controls: nothing guides, and chance does."""

POLICY = ("sample", "entity", "verbatim")
"""The unguided choice at a point: the first candidate from the first of these sources that it has."""

Scores = tuple[float | None, ...]
"""One for each candidate, higher is better; None: it could not be judged."""


class Ranking(NamedTuple):
    """What one arm's scores are worth at one point."""

    question: str
    spearman: float
    """In [-1, 1], higher is better; 0 where all candidates tie."""
    top: float
    """Chance that a candidate drawn from those on top is a best one, in [0, 1], higher is better."""
    regret: float
    """Gain of the best candidate less the mean gain of those on top, at least 0, lower is better."""
    swing: int
    """1: the choice gains more than the unguided one (fixed), -1: less (spoiled), 0: as much."""
    taken: float
    """Expected gain of the action that a verifying loop takes from the proposals of this point, less that of
    a proposal taken as it comes (`coreact.train.rewards.taken`); higher is better, 0 without a rubric."""


class ArmFigures(Record):
    """One arm over all points of a world."""

    arm: str
    points: int
    questions: int
    spearman: Interval
    """The difference to no rubric at the same time, since no rubric has 0 at every point."""
    to_heuristic: Interval | None
    """Paired difference to the heuristic generator, by question; None where that arm did not run."""
    top: Interval
    regret: Interval
    fixed: int
    """Points at which the choice gains more than the unguided one."""
    spoiled: int
    net: Interval
    """Fixed less spoiled, as a share of points, in [-1, 1], higher is better."""
    taken: Interval | None = None
    """What verifying gains, see `Ranking.taken`; of weight where candidates are an agent's own proposals.
    None in figures from before this was measured."""
    written: float | None
    """Share of points with a rubric; None for arms that write none by nature."""
    refused: float | None
    failed: float | None
    criteria: float | None
    """Criteria of a rubric, on average."""
    compiled: float | None
    """Share of criteria that a check decides, in [0, 1]."""
    cost: Cost


def random_scores(point: BranchingPoint, seed: int) -> Scores:
    """A ranking that is drawn; the same for the same point and seed."""
    draw = Random(f"random|{seed}|{point.id}")
    return tuple(draw.uniform(0, 1) for _ in point.candidates)


def tied(point: BranchingPoint) -> Scores:
    """The ranking of no rubric."""
    return (None,) * len(point.candidates)


def scores_by(attempt: Attempt, point: BranchingPoint, *, judge: Judge | None = None) -> Scores:
    """What each candidate is worth by the rubric of an attempt; all tied where there is none.

    Args:
        attempt: see `write_rubrics`.
        point: the point that it was written for.
        judge: decides criteria without a check; they stay open if None.
    """
    if attempt.rubric is None:
        return tied(point)
    return standing(judged(attempt.rubric, point.actions, point.state, judge=judge))


def ranking(point: BranchingPoint, scores: Scores) -> Ranking:
    """Compare the scores of a point's candidates with their gains.

    Raises:
        ValueError: the point has no contrast, so that no ranking is better than another.
    """
    spearman = agreement(scores, point.gains)
    if spearman is None:
        raise ValueError(f"the candidates of point {point.id} are all worth the same")
    known = [score for score in scores if score is not None]
    middle = fmean(known) if known else 0.0  # as in `agreement`
    filled = [middle if score is None else score for score in scores]
    on_top = [at for at, score in enumerate(filled) if score == max(filled)]
    gains = point.gains
    best = max(gains)
    own = unguided(point)
    chosen = own if own in on_top else on_top[0]  # candidates stand in a hashed order
    proposed = [candidate.proposed for candidate in point.candidates]
    return Ranking(
        question=point.question_id,
        spearman=spearman,
        top=fmean(gains[at] == best for at in on_top),
        regret=best - fmean(gains[at] for at in on_top),
        swing=(gains[chosen] > gains[own]) - (gains[chosen] < gains[own]),
        taken=taken_gain(scores, gains, proposed) - plain_gain(gains, proposed),
    )


def unguided(point: BranchingPoint) -> int:
    """Position of the candidate that is taken without a rubric, see `POLICY`."""
    sources = [candidate.source for candidate in point.candidates]
    return next((sources.index(source) for source in POLICY if source in sources), 0)


def figures(
    rankings: Mapping[str, Sequence[Ranking]], attempts: Mapping[str, Sequence[Attempt]]
) -> tuple[ArmFigures, ...]:
    """The figures of every arm.

    Args:
        rankings: by arm, of the same points in every arm.
        attempts: by arm, for arms that write rubrics.

    Raises:
        ValueError: an arm has no rankings.
    """
    heuristic = rankings.get("heuristic")
    return tuple(
        _figures(arm, ranked, attempts.get(arm), None if arm == "heuristic" else heuristic)
        for arm, ranked in rankings.items()
    )


def _figures(
    arm: str,
    ranked: Sequence[Ranking],
    attempts: Sequence[Attempt] | None,
    heuristic: Sequence[Ranking] | None,
) -> ArmFigures:
    spearman = by_question(ranked, "spearman")
    theirs = None if heuristic is None else by_question(heuristic, "spearman")
    rubrics = [one.rubric for one in attempts or () if one.rubric is not None]
    criteria = [criterion for rubric in rubrics for criterion in rubric]
    return ArmFigures(
        arm=arm,
        points=len(ranked),
        questions=len(spearman),
        spearman=interval(list(spearman.values())),
        to_heuristic=None
        if theirs is None
        else paired_difference(list(spearman.values()), [theirs[key] for key in spearman]),
        top=interval(list(by_question(ranked, "top").values())),
        regret=interval(list(by_question(ranked, "regret").values())),
        fixed=sum(one.swing > 0 for one in ranked),
        spoiled=sum(one.swing < 0 for one in ranked),
        net=interval(list(by_question(ranked, "swing").values())),
        taken=interval(list(by_question(ranked, "taken").values())),
        written=len(rubrics) / len(attempts) if attempts else None,
        refused=fmean(one.refused for one in attempts) if attempts else None,
        failed=fmean(one.rubric is None and not one.refused for one in attempts) if attempts else None,
        criteria=len(criteria) / len(rubrics) if rubrics else None,
        compiled=fmean(one.check is not None for one in criteria) if criteria else None,
        cost=sum((one.cost for one in attempts or ()), Cost()),
    )


def by_question(ranked: Sequence[Ranking], figure: str) -> dict[str, float]:
    """A figure of `Ranking` by question, the mean over its points."""
    values: dict[str, list[float]] = defaultdict(list)
    for one in ranked:
        values[one.question].append(float(getattr(one, figure)))
    return {question: fmean(found) for question, found in values.items()}
