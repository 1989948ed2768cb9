"""How well verdicts agree with labels, with intervals that know which items belong together.

Pure functions of items; nothing is asked and nothing is drawn but resamples. F1 and kappa are
computed from the confusion tables of all resamples at once, which a library's calls would take a
second for; that the figures are scikit-learn's and SciPy's is tested.
Undecided items (`unknown`) are never dropped silently: each measure says how it counts them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from coreact.bench.qualify.cases import JudgeCase, Label, LabelStatus, label_credit, label_status
from coreact.judge.qualification import Measured
from coreact.judge.records import Status, Verdict
from coreact.judge.scoring.settling import CREDIT
from coreact.rubric import Record

RESAMPLES = 1000
"""Bootstrap resamples of an interval."""

LABELS: tuple[LabelStatus, ...] = get_args(LabelStatus)
STATUSES: tuple[Status, ...] = (*LABELS, "unknown")

Rows = NDArray[np.intp]
"""Indices of items, repeats allowed, shape (n,)."""

Tables = NDArray[np.float64]
"""Counts of items, shape (…, rows, 5): a row for each label, a column for each of `STATUSES`."""


class Item(NamedTuple):
    """One criterion of one case: what people said and what the judge said."""

    case: JudgeCase
    criterion: str
    label: Label
    verdict: Verdict

    @property
    def truth(self) -> LabelStatus:
        """The label as a status."""
        return label_status(self.label)


def paired(case: JudgeCase, verdicts: Iterable[Verdict]) -> list[Item]:
    """A case's labels beside the verdicts on it."""
    return [Item(case, v.criterion, case.labels[v.criterion], v) for v in verdicts]


# --- intervals ---------------------------------------------------------------------------------


def measured(items: Sequence[Item], statistic: Callable[[Rows], float]) -> Measured | None:
    """A statistic with its percentile bootstrap interval; whole groups of cases are drawn.

    Args:
        items: what it is computed from.
        statistic: from row indices into `items` to a value; NaN where it is not defined.

    Returns:
        None where it is not defined on the items. With a single group the interval is the value.
    """
    everything = np.arange(len(items))
    value = statistic(everything) if items else np.nan
    if np.isnan(value):
        return None
    group, draws = _resamples(items)
    return _interval(items, value, [statistic(np.repeat(everything, draw[group])) for draw in draws])


def _tabled(
    items: Sequence[Item], row: Rows, column: Rows, statistic: Callable[[Tables], NDArray[np.float64]]
) -> Measured | None:
    """The same for a statistic of tables that count items by row and column, all resamples at once."""
    group, draws = _resamples(items)
    by_group = np.zeros((draws.shape[1], max(len(LABELS), row.max() + 1), len(STATUSES)))
    np.add.at(by_group, (group, row, column), 1)
    value = float(statistic(by_group.sum(axis=0)))
    if np.isnan(value):
        return None
    return _interval(items, value, statistic(np.tensordot(draws.astype(float), by_group, 1)))


def _interval(items: Sequence[Item], value: float, resampled: ArrayLike) -> Measured:
    low, high = np.nanquantile([value, *np.asarray(resampled)], [0.025, 0.975])
    return Measured(value=value, low=float(min(low, value)), high=float(max(high, value)), n=len(items))


def rate(items: Sequence[Item], hits: Sequence[bool]) -> Measured:
    """The share of hits; its interval is the wider of Wilson's and the bootstrap's.

    Wilson's alone takes items of one group for independent; the bootstrap alone finds certainty
    where nothing, or everything, was hit.

    Raises:
        ValueError: there are no items.
    """
    if not items:
        raise ValueError("a rate needs at least one item")
    hit = np.asarray(hits, dtype=float)
    group, draws = _resamples(items)
    shares = (draws @ np.bincount(group, hit)) / (draws @ np.bincount(group))
    low, high = np.quantile(shares, [0.025, 0.975])
    wilson = binomtest(int(hit.sum()), len(hit)).proportion_ci(method="wilson")
    return Measured(
        value=float(hit.mean()),
        low=float(min(low, wilson.low)),
        high=float(max(high, wilson.high)),
        n=len(items),
    )


def _resamples(items: Sequence[Item]) -> tuple[Rows, Rows]:
    """The group of each item, and how often each resample draws each group: (items,), (resamples, groups)."""
    _, group = np.unique([item.case.cluster for item in items], return_inverse=True)
    size = int(group.max()) + 1
    draws = np.random.default_rng(0).multinomial(size, np.full(size, 1 / size), size=RESAMPLES)
    return group, draws


# --- agreement ---------------------------------------------------------------------------------


class Agreement(Record):
    """A judge's verdicts against people's labels."""

    items: int
    """Criteria judged, over all cases."""
    groups: int
    """Independent questions or traces among them."""
    undecided: dict[str, int]
    """`unknown` verdicts by what broke; `none`: the judge could not tell."""
    confusion: dict[str, dict[str, int]]
    """Label -> verdict -> count."""
    coverage: Measured
    """Share of items decided (not `unknown`)."""
    accuracy: Measured | None
    """Share right among those decided."""
    accuracy_all: Measured
    """Share right among all: undecided is wrong."""
    macro_f1: Measured
    """Mean F1 over the statuses that labels have, over all items: undecided is wrong."""
    kappa: Measured | None
    """Cohen's kappa among those decided; None where chance agreement is certain."""
    spearman: Measured | None
    """Rank correlation of credits (met 1, partial 0.5, unmet 0) with labels, where both have one."""
    false_met: Measured | None
    """Share of items labelled unmet that the judge calls met."""
    precision: Measured | None
    """Share of items called met that are labelled met."""
    constant: LabelStatus
    """The best constant answer on these items, by macro F1."""
    constant_f1: float
    constant_accuracy: float
    """Accuracy of the most frequent label."""


def agreement(items: Sequence[Item]) -> Agreement:
    """Measure a judge on items.

    Raises:
        ValueError: there are no items.
    """
    if not items:
        raise ValueError("agreement needs at least one item")
    truth = np.array([LABELS.index(item.truth) for item in items])
    said = np.array([STATUSES.index(item.verdict.status) for item in items])
    decided = said < len(LABELS)
    table = confusion(truth, said)
    present = [at for at in range(len(LABELS)) if table[at].any()]
    f1 = {at: float(macro_f1(confusion(truth, np.full_like(said, at)), present)) for at in present}
    best = max(present, key=lambda at: (f1[at], table[at].sum()))
    judged = [item for item, yes in zip(items, decided, strict=True) if yes]
    return Agreement(
        items=len(items),
        groups=len({item.case.cluster for item in items}),
        undecided=dict(Counter(i.verdict.cause or "none" for i in items if i.verdict.status == "unknown")),
        confusion={
            label: {status: int(table[row, column]) for column, status in enumerate(STATUSES)}
            for row, label in enumerate(LABELS)
            if row in present
        },
        coverage=rate(items, list(decided)),
        accuracy=rate(judged, list((truth == said)[decided])) if judged else None,
        accuracy_all=rate(items, list(truth == said)),
        macro_f1=_tabled(items, truth, said, lambda tables: macro_f1(tables, present)),
        kappa=_tabled(judged, truth[decided], said[decided], cohen_kappa) if judged else None,
        spearman=spearman(items),
        false_met=false_met(items),
        precision=precision(items),
        constant=LABELS[best],
        constant_f1=f1[best],
        constant_accuracy=float(table.sum(axis=1).max() / len(items)),
    )


def confusion(truth: Rows, said: Rows) -> Tables:
    """One table, labels in the order of `LABELS` against verdicts in that of `STATUSES`."""
    table = np.zeros((len(LABELS), len(STATUSES)))
    np.add.at(table, (truth, said), 1)
    return table


def macro_f1(tables: Tables, classes: Sequence[int]) -> NDArray[np.float64]:
    """Mean F1 over `classes`; one that is neither labelled nor said does not count."""
    right = np.diagonal(tables, axis1=-2, axis2=-1)[..., classes]
    seen = (tables.sum(axis=-1) + tables.sum(axis=-2)[..., : len(LABELS)])[..., classes]
    f1 = 2 * right / np.maximum(seen, 1)
    return np.asarray(f1.sum(axis=-1) / np.maximum((seen > 0).sum(axis=-1), 1))


def cohen_kappa(tables: Tables) -> NDArray[np.float64]:
    """Cohen's kappa of items that are all decided; NaN where chance agreement is certain."""
    square = tables[..., : len(LABELS)]
    n = square.sum(axis=(-2, -1))
    by_chance = (square.sum(axis=-2) * square.sum(axis=-1)).sum(axis=-1) / n**2
    agreed = np.trace(square, axis1=-2, axis2=-1) / n
    certain = by_chance >= 1
    return np.where(certain, np.nan, (agreed - by_chance) / np.where(certain, 1, 1 - by_chance))


def spearman(items: Sequence[Item]) -> Measured | None:
    """Rank correlation of the verdicts' credits with the labels, where both have a credit."""
    both = [i for i in items if label_credit(i.label) is not None and i.verdict.status in CREDIT]
    if not both:
        return None
    _, truth = np.unique([label_credit(item.label) for item in both], return_inverse=True)
    said = np.array([_ASCENDING.index(item.verdict.status) for item in both])
    return _tabled(both, truth, said, _rank_correlation)


_ASCENDING: tuple[Status, ...] = ("unmet", "partial", "met")


def _rank_correlation(tables: Tables) -> NDArray[np.float64]:
    """Spearman's coefficient of tables whose rows and columns ascend; NaN where either is constant."""
    rows, columns = tables.sum(axis=-1), tables.sum(axis=-2)
    x, y = _centred_ranks(rows), _centred_ranks(columns)
    together = np.einsum("...rc,...r,...c->...", tables, x, y)
    apart = (rows * x**2).sum(axis=-1) * (columns * y**2).sum(axis=-1)
    return np.where(apart > 0, together / np.sqrt(np.where(apart > 0, apart, 1)), np.nan)


def _centred_ranks(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean rank of each of ascending values that occur `counts` times, less the mean of all ranks."""
    return np.asarray(counts.cumsum(axis=-1) - counts / 2 - counts.sum(axis=-1, keepdims=True) / 2)


def precision(items: Sequence[Item]) -> Measured | None:
    """Share of items called met that are labelled met; None where none is called met."""
    called = [item for item in items if item.verdict.status == "met"]
    return rate(called, [item.truth == "met" for item in called]) if called else None


def false_met(items: Sequence[Item]) -> Measured | None:
    """Share of items labelled unmet that are called met; None where none is labelled unmet."""
    labelled = [item for item in items if item.truth == "unmet"]
    return rate(labelled, [item.verdict.status == "met" for item in labelled]) if labelled else None


# --- broken down -------------------------------------------------------------------------------


class Row(Record):
    """A judge on one stratum, or on one criterion."""

    name: str
    items: int
    accuracy_all: Measured
    precision: Measured | None
    """Low on hard strata: what the judge lets pass there is mostly wrong."""
    spearman: Measured | None


def broken_down(items: Sequence[Item]) -> tuple[Row, ...]:
    """By stratum where cases have one, and by criterion where all cases share several."""
    by_name: dict[str, list[Item]] = {}
    shared = {item.criterion for item in items}
    several = len(shared) > 1 and all(set(item.case.labels) == shared for item in items)
    for item in items:
        if item.case.stratum is not None:
            by_name.setdefault(f"stratum {item.case.stratum}", []).append(item)
        if several:
            by_name.setdefault(f"criterion {item.criterion}", []).append(item)
    return tuple(
        Row(
            name=name,
            items=len(members),
            accuracy_all=rate(members, [item.truth == item.verdict.status for item in members]),
            precision=precision(members),
            spearman=spearman(members),
        )
        for name, members in sorted(by_name.items())
    )
