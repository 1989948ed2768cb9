"""Weights from how criteria vary together over samples: what is said twice counts once.

RRD (arXiv 2602.05125) weighs the criteria of a rubric by w ∝ Σ^(-1/2)·1, where Σ is the covariance of
their verdicts over sample responses: correlated criteria share their say, without any label. These are
weights to train or guide by. The weights that a benchmark reports with stay as they are: nothing here
changes a rubric, and `reweighted` makes a new one.

What differs from the paper, and why:

- Few samples give a poor covariance, so it is shrunk towards a multiple of the identity by as much as
  Ledoit and Wolf (2004) find fit for the data, and its eigenvalues are bounded from below.
- Columns that are the same but for scale are merged into one before, and share its weight. The square root
  alone would give two perfectly correlated criteria √2 votes together; now they have exactly one.
- A criterion that no sample tells apart has weight 0. The formula would send it towards infinity.
- A weight may come out negative; it is set to a small positive one, as a criterion's weight is positive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from coreact.errors import MissingExtraError
from coreact.rubric import Rubric
from coreact.rubric.remarks import Remark

Votes = Sequence[Sequence[float | None]]
"""One row a sample, one column a criterion: 1 met, 0.5 partial, 0 unmet, None where nobody could tell."""

FLOOR = 0.01
"""Least weight of a criterion that varies, as a share of the mean weight."""

_LEAST_EIGENVALUE = 1e-3  # of a criterion's mean variance
_SAME = 1e-9


class Reweighted(NamedTuple):
    """A rubric for training or guidance, and what was left out of it."""

    rubric: Rubric
    remarks: tuple[Remark, ...]


def whitened(votes: Votes) -> tuple[float, ...]:
    """Whitened-uniform weights of the columns.

    Args:
        votes: rows of equal length. What is missing counts as the mean of its column and so says nothing.

    Returns:
        One weight a column, each at least 0, adding up to 1. Uniform where there is one row, or where
        nothing varies; empty for rows without columns.

    Raises:
        MissingExtraError: the extra `judge` is not installed.
        ValueError: there is no row, the rows differ in length, or a vote is outside of [0, 1].
    """
    columns = _columns(votes)
    if not columns:
        return ()
    np, ledoit_wolf = _libraries()
    varying = [at for at, column in enumerate(columns) if _varies(column)]
    if len(votes) == 1 or not varying:
        return (1 / len(columns),) * len(columns)
    centred = {at: _centred(columns[at], np) for at in varying}
    groups = _groups(centred, np)
    matrix = np.stack([centred[group[0]] for group in groups], axis=1)
    covariance, _ = ledoit_wolf(matrix, assume_centered=True)
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, _LEAST_EIGENVALUE * values.mean())
    raw = vectors @ ((vectors.T @ np.ones(len(groups))) / np.sqrt(values))
    positive = np.maximum(raw, 0.0)
    floored = np.maximum(positive, FLOOR * positive.mean())
    weights = [0.0] * len(columns)
    for group, weight in zip(groups, floored / floored.sum(), strict=True):
        for at in group:
            weights[at] = float(weight) / len(group)
    return tuple(weights)


def training_weights(rubric: Rubric, votes: Votes, *, keep_kinds: bool = False) -> Mapping[str, float]:
    """Weights for training or guidance, by criterion id; the rubric's own stay as they are.

    Args:
        rubric: its criteria are the columns, in order.
        votes: their verdicts over samples.
        keep_kinds: keep the share that each kind of criterion has in the rubric, and whiten within it. A
            kind of which nothing varies keeps its weights.

    Returns:
        Weights that are at least 0 and add up to 1.

    Raises:
        MissingExtraError: the extra `judge` is not installed.
        ValueError: the votes do not fit the rubric.
    """
    ids = [criterion.id for criterion in rubric]
    if any(len(row) != len(ids) for row in votes):
        raise ValueError(f"each row of votes must hold {len(ids)} votes, one a criterion")
    weights = dict(zip(ids, whitened(votes), strict=True))
    if not keep_kinds:
        return weights
    shares = {criterion.id: rubric.share(criterion) for criterion in rubric}
    varying = {name for name, column in zip(ids, _columns(votes), strict=True) if _varies(column)}
    kept: dict[str, float] = {}
    for kind in {criterion.kind for criterion in rubric}:
        own = [criterion.id for criterion in rubric if criterion.kind == kind]
        source = weights if varying.intersection(own) else shares
        scale = sum(shares[one] for one in own) / sum(source[one] for one in own)
        kept.update((one, source[one] * scale) for one in own)
    return {one: kept[one] for one in ids}


def reweighted(rubric: Rubric, weights: Mapping[str, float]) -> Reweighted:
    """The rubric with other weights; a criterion of weight 0 is left out, and so is what hangs on it.

    A veto holds whatever its weight, so it stays, with next to none.

    Args:
        rubric: the rubric, which stays as it is.
        weights: by criterion id, each at least 0.

    Raises:
        ValueError: a criterion has no weight, or all of them have the weight 0.
    """
    missing = [criterion.id for criterion in rubric if criterion.id not in weights]
    if missing:
        raise ValueError(f"no weight for {missing}")
    kept, remarks = [], []
    left_out: set[str] = set()
    least = min((weight for weight in weights.values() if weight > 0), default=0.0)
    for criterion in rubric:
        weight = weights[criterion.id] or (FLOOR * least if criterion.veto else 0.0)
        if weight > 0 and not left_out & set(criterion.depends_on):
            kept.append(criterion.model_copy(update={"weight": weight}))
            continue
        left_out.add(criterion.id)
        reason = (
            "no sample tells it apart, so that it has no weight"
            if weight <= 0
            else "it depends on a criterion that has no weight"
        )
        remarks.append(Remark.about(criterion.text, "muted", reason, "undiscriminating"))
    if not kept:
        raise ValueError("every criterion has the weight 0")
    return Reweighted(rubric.model_copy(update={"criteria": tuple(kept)}), tuple(remarks))


def _columns(votes: Votes) -> list[tuple[float | None, ...]]:
    if not votes:
        raise ValueError("there are no votes")
    if any(vote is not None and not 0 <= vote <= 1 for row in votes for vote in row):
        raise ValueError("a vote is in [0, 1] or None")
    return list(zip(*votes, strict=True))


def _varies(column: Sequence[float | None]) -> bool:
    return len({vote for vote in column if vote is not None}) > 1


def _centred(column: Sequence[float | None], np: Any) -> Any:
    known = [vote for vote in column if vote is not None]
    mean = sum(known) / len(known)
    return np.array([0.0 if vote is None else vote - mean for vote in column])


def _groups(centred: Mapping[int, Any], np: Any) -> list[list[int]]:
    """Columns that are the same but for a positive scale, together; the first of each stands for it."""
    groups: list[tuple[Any, list[int]]] = []
    for at, column in centred.items():
        direction = column / np.linalg.norm(column)
        for known, group in groups:
            if float(direction @ known) > 1 - _SAME:
                group.append(at)
                break
        else:
            groups.append((direction, [at]))
    return [group for _, group in groups]


def _libraries() -> tuple[Any, Any]:
    try:
        import numpy as np
        from sklearn.covariance import ledoit_wolf
    except ImportError as missing:
        raise MissingExtraError("Whitening", extra="judge") from missing
    return np, ledoit_wolf
