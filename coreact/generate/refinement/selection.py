"""The few criteria that tell better from worse, chosen on labelled pairs.

A sparse Top-N: logistic regression with an L1 penalty on the differences between the scores of the better
and the worse action of each pair, criterion by criterion. Each pair goes in with both signs and there is
no intercept, so swapping the two sides of a pair changes nothing. The penalty is chosen by cross-validation
over groups of pairs (all pairs of one question on the same side), the sparsest within one standard error of
the best. A criterion that comes out negative favours the worse side: it is dropped and the rest is fitted
again; a negative weight is never turned into a rule.

Whether the selection is better than all criteria with equal weights is for `accuracy` on pairs that were
not selected on. It calls no model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from coreact.errors import ConfigError, MissingExtraError
from coreact.rubric import Criterion
from coreact.rubric.remarks import Remark

LEAST_PAIRS = 10
"""Pairs below which nothing is selected."""

_FOLDS = 5
_PENALTIES = 16
_DECADES = 3.0  # from the penalty at which everything vanishes


class ScoredPair(NamedTuple):
    """Two actions of known order with their scores, one for each criterion."""

    better: Sequence[float | None]
    """In [0, 1]; None where nobody could tell, which makes the difference 0."""
    worse: Sequence[float | None]
    group: str
    """Question or state: pairs of one group are never split over a fold."""


class Selection(NamedTuple):
    """What was selected, and why the rest was not."""

    criteria: tuple[Criterion, ...]
    """With their coefficients as weights, heaviest first; empty where nothing separates the pairs."""
    weights: Mapping[str, float]
    """The coefficients by criterion id, all positive."""
    remarks: tuple[Remark, ...]
    penalty: float
    """The inverse strength C of the penalty that was chosen."""


def select(criteria: Sequence[Criterion], pairs: Sequence[ScoredPair], *, most: int = 5) -> Selection:
    """Choose at most `most` criteria.

    Deterministic. The two sides of a pair are treated alike but for their label.

    Args:
        criteria: the columns of the scores.
        pairs: labelled pairs, of at least two groups.
        most: criteria to keep, at least 1.

    Raises:
        ConfigError: there are fewer than `LEAST_PAIRS` pairs, one group alone, or `most` is below 1.
        MissingExtraError: the extra `judge` is not installed.
        ValueError: the scores do not fit the criteria.
    """
    _usable(criteria, pairs, most)
    np, _ = _libraries()
    columns = list(range(len(criteria)))
    differences = np.array([_difference(pair) for pair in pairs]).reshape(len(pairs), len(criteria))
    groups = [pair.group for pair in pairs]
    remarks: list[Remark] = []
    penalty, coefficients = 0.0, np.zeros(0)
    while columns:
        penalty, coefficients = _fitted(differences[:, columns], groups, most)
        inverted = [at for at, weight in zip(columns, coefficients, strict=True) if weight < 0]
        if not inverted:
            break
        for at in inverted:
            reason = "it favours the worse side of the pairs that it tells apart"
            remarks.append(Remark.about(criteria[at].text, "dropped", reason, "misaligned"))
        columns, coefficients = [at for at in columns if at not in inverted], coefficients[:0]
    found = {at: float(weight) for at, weight in zip(columns, coefficients, strict=True) if weight > 0}
    for at in columns:
        if at not in found:
            reason = "what it tells apart, others tell better, or it tells nothing apart"
            remarks.append(Remark.about(criteria[at].text, "dropped", reason, "undiscriminating"))
    ordered = sorted(found, key=lambda at: (-found[at], at))
    kept = tuple(criteria[at].model_copy(update={"weight": found[at]}) for at in ordered)
    return Selection(kept, {criteria[at].id: found[at] for at in ordered}, tuple(remarks), penalty)


def accuracy(
    criteria: Sequence[Criterion], pairs: Sequence[ScoredPair], weights: Mapping[str, float]
) -> float:
    """Share of pairs that the weighted scores put in the right order, in [0, 1]; a tie counts half.

    Args:
        criteria: the columns of the scores.
        pairs: pairs to order.
        weights: by criterion id; a criterion without one has no say.

    Raises:
        ValueError: there are no pairs, or the scores do not fit the criteria.
    """
    if not pairs:
        raise ValueError("there are no pairs to be right about")
    if any(len(side) != len(criteria) for pair in pairs for side in (pair.better, pair.worse)):
        raise ValueError("each side of a pair needs one score a criterion")
    right = 0.0
    for pair in pairs:
        margin = math.fsum(
            weights.get(criterion.id, 0.0) * gap
            for criterion, gap in zip(criteria, _difference(pair), strict=True)
        )
        right += 1.0 if margin > 0 else 0.5 if margin == 0 else 0.0
    return right / len(pairs)


def _usable(criteria: Sequence[Criterion], pairs: Sequence[ScoredPair], most: int) -> None:
    if most < 1:
        raise ConfigError(f"most must be at least 1 (got {most}).")
    if len(pairs) < LEAST_PAIRS or len({pair.group for pair in pairs}) < 2:
        raise ConfigError(
            f"{len(pairs)} pairs of {len({pair.group for pair in pairs})} groups are too few to select on.",
            remedy=f"Give at least {LEAST_PAIRS} labelled pairs of two or more questions.",
        )
    if any(len(side) != len(criteria) for pair in pairs for side in (pair.better, pair.worse)):
        raise ValueError(f"each side of a pair needs {len(criteria)} scores, one a criterion")


def _difference(pair: ScoredPair) -> list[float]:
    return [
        0.0 if better is None or worse is None else better - worse
        for better, worse in zip(pair.better, pair.worse, strict=True)
    ]


class _Fit(NamedTuple):
    penalty: float
    coefficients: Any


def _fitted(differences: Any, groups: Sequence[str], most: int) -> _Fit:
    """The fit under the penalty that cross-validation chooses among those with few enough criteria."""
    np, library = _libraries()
    if not differences.any():
        return _Fit(0.0, np.zeros(differences.shape[1]))
    both, labels = _both_signs(differences, np)
    least = float(library.l1_min_c(both, labels, loss="log", fit_intercept=False))
    path = [least * 10 ** (0.02 + _DECADES * step / _PENALTIES) for step in range(_PENALTIES + 1)]
    fits = [_Fit(penalty, _coefficients(differences, penalty)) for penalty in path]
    allowed = [fit for fit in fits if 0 < np.count_nonzero(fit.coefficients) <= most]
    if not allowed:  # several come in at once: keep the strongest of the first that have any
        first = next(fit for fit in fits if np.count_nonzero(fit.coefficients))
        weakest = np.argsort(-np.abs(first.coefficients), kind="stable")[most:]
        trimmed = first.coefficients.copy()
        trimmed[weakest] = 0.0
        return _Fit(first.penalty, trimmed)
    losses = [_loss(differences, groups, fit.penalty) for fit in allowed]
    best = min(losses)
    return next(fit for fit, loss in zip(allowed, losses, strict=True) if loss.mean <= best.mean + best.error)


class _Loss(NamedTuple):
    mean: float
    error: float
    """Standard error over the folds."""


def _loss(differences: Any, groups: Sequence[str], penalty: float) -> _Loss:
    np, library = _libraries()
    folds = library.GroupKFold(n_splits=min(_FOLDS, len(set(groups))))
    losses = []
    for train, test in folds.split(differences, groups=np.asarray(groups)):
        if not differences[train].any():
            losses.append(math.log(2))
            continue
        margins = differences[test] @ _coefficients(differences[train], penalty)
        losses.append(float(np.logaddexp(0.0, -margins).mean()))
    return _Loss(float(np.mean(losses)), float(np.std(losses, ddof=1) / math.sqrt(len(losses))))


def _coefficients(differences: Any, penalty: float) -> Any:
    np, library = _libraries()
    both, labels = _both_signs(differences, np)
    regression = library.LogisticRegression
    # scikit-learn 1.8 replaced `penalty` by `l1_ratio`, and warns of either in the wrong version.
    lasso: dict[str, Any] = {"l1_ratio": 1.0} if regression().penalty == "deprecated" else {"penalty": "l1"}
    model = regression(
        solver="liblinear", fit_intercept=False, C=penalty, random_state=0, max_iter=1000, tol=1e-6, **lasso
    )
    return model.fit(both, labels).coef_[0]


def _both_signs(differences: Any, np: Any) -> tuple[Any, Any]:
    ones = np.ones(len(differences), dtype=int)
    return np.concatenate([differences, -differences]), np.concatenate([ones, 1 - ones])


class _Library(NamedTuple):
    LogisticRegression: Any
    GroupKFold: Any
    l1_min_c: Any


def _libraries() -> tuple[Any, _Library]:
    try:
        import numpy as np
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GroupKFold
        from sklearn.svm import l1_min_c
    except ImportError as missing:
        raise MissingExtraError("Selecting criteria", extra="judge") from missing
    return np, _Library(LogisticRegression, GroupKFold, l1_min_c)
