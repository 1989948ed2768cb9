"""Ratings from pairwise votes, and how far they agree with rubric scores.

Bradley-Terry strengths by maximum likelihood: the odds of a win are exp(own strength - the other's).
MTalk-Bench (text essence) judges the same systems by votes and by rubrics, and asks from which gap of rubric
scores on both agree: a smaller gap between two systems says nothing about who is better.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.special import expit
from scipy.stats import kendalltau

from coreact.errors import ConfigError

RESAMPLES = 200
RELIABLE = 0.95
"""Share of resamples in which votes and scores must name the same winner."""


class Vote(NamedTuple):
    """One comparison of two systems."""

    left: str
    right: str
    outcome: float
    """1 the left one wins, 0 the right one, 0.5 a tie."""


def bradley_terry(votes: Sequence[Vote]) -> dict[str, float]:
    """The strength of each system, in natural log odds, with mean 0; higher is better.

    A tie counts as half a win for either.

    Raises:
        ConfigError: there are no votes, an outcome is not in [0, 1], a system meets itself, or some systems
            never lose to (or never meet) the others, so that no finite strengths exist (Ford 1957).
    """
    names = sorted({name for vote in votes for name in (vote.left, vote.right)})
    wins = _wins(votes, names)
    return dict(zip(names, _fit(wins, names).tolist(), strict=True))


def _wins(votes: Sequence[Vote], names: Sequence[str]) -> NDArray[np.float64]:
    """How often each row beat each column, shape (n, n)."""
    if not votes:
        raise ConfigError("There are no votes to rate by.", remedy="Give at least one for each two systems.")
    at = {name: index for index, name in enumerate(names)}
    wins = np.zeros((len(names), len(names)))
    for vote in votes:
        if vote.left == vote.right or not 0 <= vote.outcome <= 1:
            raise ConfigError(
                f"{vote} is no vote.", remedy="Name two different systems, and an outcome in [0, 1]."
            )
        wins[at[vote.left], at[vote.right]] += vote.outcome
        wins[at[vote.right], at[vote.left]] += 1 - vote.outcome
    return wins


def _fit(wins: NDArray[np.float64], names: Sequence[str]) -> NDArray[np.float64]:
    groups, group = connected_components(csr_array(wins > 0), directed=True, connection="strong")
    if groups > 1:
        apart = [name for name, one in zip(names, group, strict=True) if one == group[0]]
        raise ConfigError(
            f"Votes do not tie {', '.join(apart)} to the others: one side always wins, or they never meet.",
            remedy="Collect more votes, or rate the systems apart.",
        )

    def loss(strength: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = strength[:, None] - strength[None, :]
        missed = wins * expit(-odds)
        return float((wins * np.logaddexp(0, -odds)).sum()), missed.sum(axis=0) - missed.sum(axis=1)

    fitted = minimize(
        loss, np.zeros(len(names)), jac=True, method="L-BFGS-B", options={"gtol": 1e-9, "ftol": 1e-14}
    )
    strengths: NDArray[np.float64] = fitted.x - fitted.x.mean()
    return strengths


class Gap(NamedTuple):
    """Two systems under both protocols."""

    better: str
    """The one with the higher mean rubric score."""
    worse: str
    gap: float
    """Difference of the means, at least 0."""
    agreement: float | None
    """Share of resamples in which both protocols prefer `better`; None without a usable resample."""

    @property
    def reliable(self) -> bool:
        """Whether both protocols nearly always say so."""
        return self.agreement is not None and self.agreement >= RELIABLE


class Protocols(NamedTuple):
    """Votes and rubric scores of the same systems."""

    strengths: Mapping[str, float]
    scores: Mapping[str, float]
    """Mean rubric score by system."""
    rank_agreement: float | None
    """Kendall's tau-b of both, in [-1, 1]; None where one protocol ties all."""
    gaps: tuple[Gap, ...]
    """Every two systems, the smallest gap first."""
    minimum_reliable_gap: float | None
    """The smallest gap from which on all pairs are reliable; None where the widest one is not."""
    resamples: int
    """Usable resamples: those whose votes give finite strengths."""


def protocols(
    votes: Sequence[Vote], scores: Mapping[str, Sequence[float]], *, resamples: int = RESAMPLES, seed: int = 0
) -> Protocols:
    """Compare votes with rubric scores.

    Args:
        votes: at least some between any two systems, directly or by way of others.
        scores: rubric scores by system, of the same tasks in the same order; a task that could not be scored
            for one system must be left out for all.
        resamples: how often votes and tasks are drawn again.
        seed: seed of the drawing.

    Raises:
        ConfigError: as `bradley_terry`; the systems differ, have no or unequal numbers of scores, or a
                score is no finite number.
    """
    strengths = bradley_terry(votes)
    names = sorted(strengths)
    if sorted(scores) != names or len({len(scores[name]) for name in names} | {0}) != 2:
        raise ConfigError(
            "Votes and rubric scores are not of the same systems and tasks.",
            remedy="Give every system that has votes one score for each task, and no other.",
        )
    table = np.array([scores[name] for name in names], dtype=float)
    if not np.isfinite(table).all():
        raise ConfigError("A rubric score is no number.", remedy="Leave its task out, for all systems alike.")
    draw = np.random.default_rng(seed)
    both = np.zeros((len(names), len(names)))
    usable = 0
    for _ in range(resamples):
        drawn = [votes[at] for at in draw.integers(len(votes), size=len(votes))]
        means = table[:, draw.integers(table.shape[1], size=table.shape[1])].mean(axis=1)
        try:
            found = _fit(_wins(drawn, names), names)
        except ConfigError:
            continue  # this draw has no finite strengths; how many had is told
        usable += 1
        both += (found[:, None] > found[None, :]) & (means[:, None] > means[None, :])
    overall = table.mean(axis=1)
    gaps = sorted(
        (
            _gap(names, overall, both / usable if usable else None, i, j)
            for i, j in combinations(range(len(names)), 2)
        ),
        key=lambda one: (one.gap, one.better, one.worse),
    )
    tau = float(kendalltau([strengths[name] for name in names], overall).statistic)
    return Protocols(
        strengths=strengths,
        scores=dict(zip(names, overall.tolist(), strict=True)),
        rank_agreement=None if math.isnan(tau) else tau,
        gaps=tuple(gaps),
        minimum_reliable_gap=_least(gaps),
        resamples=usable,
    )


def _gap(
    names: Sequence[str], means: NDArray[np.float64], agreed: NDArray[np.float64] | None, i: int, j: int
) -> Gap:
    better, worse = (i, j) if means[i] >= means[j] else (j, i)
    agreement = None if agreed is None else float(agreed[better, worse])
    return Gap(names[better], names[worse], float(means[better] - means[worse]), agreement)


def _least(gaps: Sequence[Gap]) -> float | None:
    unreliable = max((one.gap for one in gaps if not one.reliable), default=-1.0)
    return min((one.gap for one in gaps if one.gap > unreliable), default=None)
