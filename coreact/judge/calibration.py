"""How far a judge's scores are from people's, and a map that brings them nearer.

A judge that ranks well may still be too kind, or use half of the scale. A few labels are enough to
learn a non-decreasing map: `isotonic` from pairs of score and label, `quantile` from the two
distributions alone (RULERS, arXiv 2601.08654). What differs from the paper: no regression on
features goes before the quantile map, tied scores share the mean of their labels, and nothing is
extrapolated. How good a map is, is measured on labels that it was not fitted on.

A calibration belongs to one version of one judge (prompt, reply schema, parser, model, sampling):
another version may be wrong in another way, so loading refuses it. Nothing here asks a judge or
writes a file. Raw confidence is never a reason to stop or to pass; see `confidence_drift` for why.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Literal, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator

from coreact.errors import ConfigError, MissingExtraError
from coreact.judge.records import Verdict
from coreact.judge.scoring.settling import CREDIT
from coreact.rubric import Criterion, Record
from coreact.rubric.canonical import digest

Method = Literal["isotonic", "quantile"]
"""`isotonic`: least squares among non-decreasing maps; `quantile`: the k-th lowest score is mapped
to the k-th lowest label, whoever they belong to."""

MIN_LABELS = 10
"""Fewest labels that a map is fitted on, and fewest that it is measured on."""

BINS = 10
"""Bins of a reliability table, unless told otherwise."""


def verdict_score(verdict: Verdict) -> float | None:
    """A verdict as a score in [0, 1]: its credit, drawn to the middle as far as the judge is unsure.

    A judge that states no confidence is taken at its word. None where the verdict decides nothing.
    """
    credit = CREDIT.get(verdict.status)
    if credit is None:
        return None
    return 0.5 + (credit - 0.5) * (1.0 if verdict.confidence is None else verdict.confidence)


def criteria_digest(criteria: Iterable[Criterion]) -> str:
    """Hash of a set of criteria by what a judge reads of them; neither order nor repeats matter."""
    return digest(sorted({f"{criterion.polarity} {criterion.text}" for criterion in criteria}))


# --- the map -----------------------------------------------------------------------------------


class Curve(Record):
    """A non-decreasing map of [0, 1] into itself, linear between its knots and flat outside them."""

    method: Method
    knots: tuple[tuple[float, float], ...] = Field(min_length=1)
    """Score and mapped score, by ascending score."""

    @model_validator(mode="after")
    def _monotone(self) -> Self:
        scores, mapped = zip(*self.knots, strict=True)
        if any(left >= right for left, right in pairwise(scores)):
            raise ValueError("the scores of the knots must ascend")
        if any(left > right for left, right in pairwise(mapped)):
            raise ValueError("the mapped scores must not descend")
        if not all(0 <= value <= 1 for value in (*scores, *mapped)):
            raise ValueError("knots lie in [0, 1]")
        return self

    def apply(self, score: float) -> float:
        """The mapped score, in [0, 1]; a higher score never maps lower."""
        return self.apply_all([score])[0]

    def apply_all(self, scores: Sequence[float]) -> list[float]:
        """The same for many scores."""
        scores_at, mapped = zip(*self.knots, strict=True)
        return [float(value) for value in _library("numpy").interp(scores, scores_at, mapped)]


def fit(scores: Sequence[float], labels: Sequence[float], *, method: Method = "isotonic") -> Curve:
    """Learn the map from a judge's scores to people's.

    Args:
        scores: the judge's, in [0, 1].
        labels: people's for the same items, in [0, 1].
        method: see `Method`.

    Raises:
        ValueError: there are no scores, not as many labels, or values outside [0, 1].
        ConfigError: there is no such method.
        MissingExtraError: the extra `judge` is not installed.
    """
    np = _library("numpy")
    x, y = _pairs(scores, labels)
    if method == "isotonic":
        isotonic = _library("sklearn.isotonic")
        model = isotonic.IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(x, y)
        at, to = model.X_thresholds_, model.y_thresholds_
    elif method == "quantile":
        at, first, count = np.unique(np.sort(x), return_index=True, return_counts=True)
        to = np.add.reduceat(np.sort(y), first) / count
    else:
        raise ConfigError(f"There is no calibration {method!r}.", remedy="Use isotonic or quantile.")
    to = np.maximum.accumulate(np.clip(to, 0, 1))  # rounding must not make it descend
    return Curve(method=method, knots=tuple(zip(map(float, at), map(float, to), strict=True)))


# --- how far off -------------------------------------------------------------------------------


class Bin(Record):
    """One row of a reliability table."""

    low: float
    """Lowest score that falls into it."""
    high: float
    n: int = Field(ge=1)
    score: float
    """Mean score of its items."""
    label: float
    """Mean label of its items."""


class Reliability(Record):
    """Scores against labels by bins of the score; empty bins are left out."""

    n: int = Field(ge=0)
    bins: tuple[Bin, ...]

    @property
    def ece(self) -> float:
        """Expected calibration error: mean distance of a bin's score from its label, in [0, 1]."""
        return sum(row.n * abs(row.score - row.label) for row in self.bins) / self.n if self.n else 0.0


def reliability(
    scores: Sequence[float],
    labels: Sequence[float],
    *,
    bins: int = BINS,
    by: Literal["width", "mass"] = "width",
) -> Reliability:
    """The reliability table.

    Args:
        scores: in [0, 1]: scores of a judge, or its confidences.
        labels: in [0, 1]: people's scores, or 1 where the judge was right.
        bins: how many.
        by: `width`: bins of equal width; `mass`: of about equally many items, where equal scores
            stay together, so that no order of the items changes the table.

    Raises:
        ValueError: there are no scores, not as many labels, or values outside [0, 1].
    """
    np = _library("numpy")
    x, y = _pairs(scores, labels)
    cuts = np.arange(1, bins) / bins
    edges = cuts if by == "width" else np.unique(np.quantile(x, cuts, method="higher"))
    where = np.digitize(x, edges)
    rows = [
        Bin(
            low=float(x[inside].min()),
            high=float(x[inside].max()),
            n=int(inside.sum()),
            score=float(x[inside].mean()),
            label=float(y[inside].mean()),
        )
        for inside in (where == one for one in np.unique(where))
    ]
    return Reliability(n=len(x), bins=tuple(rows))


class Fidelity(Record):
    """How near scores are to labels; all in [0, 1], lower is better."""

    n: int
    ece: float
    """Expected calibration error over bins of equal width."""
    ece_mass: float
    """The same over bins of equal mass."""
    error: float
    """Mean distance of a score from its label."""
    distance: float
    """Distance of the two distributions (Wasserstein-1), whoever a score belongs to."""
    table: Reliability
    """The reliability table over bins of equal width."""


def fidelity(scores: Sequence[float], labels: Sequence[float]) -> Fidelity:
    """Measure scores against labels.

    Raises:
        ValueError: there are no scores, not as many labels, or values outside [0, 1].
    """
    x, y = _pairs(scores, labels)
    table = reliability(scores, labels)
    return Fidelity(
        n=len(x),
        ece=table.ece,
        ece_mass=reliability(scores, labels, by="mass").ece,
        error=float(abs(x - y).mean()),
        distance=float(_library("scipy.stats").wasserstein_distance(x, y)),
        table=table,
    )


# --- the artefact ------------------------------------------------------------------------------


class Scored(NamedTuple):
    """One item that a judge scored and people labelled."""

    score: float
    """The judge's, in [0, 1]."""
    label: float
    """People's, in [0, 1]."""
    group: str
    """What it must not be parted from: the question or trace it belongs to."""


class Calibration(Record):
    """A map for one version of one judge, and what it did to labels that it had not seen."""

    judge: str
    """Version of the judge: a hash of prompt, reply schema, parser, model and sampling."""
    criteria: str
    """Hash of the criteria whose verdicts it was fitted on, see `criteria_digest`."""
    dataset: str
    curve: Curve
    fitted_on: int = Field(ge=1)
    """Labels that the map was fitted on."""
    before: Fidelity
    """The judge's scores on the labels held out."""
    after: Fidelity
    """The mapped scores on the same labels."""

    @property
    def lock(self) -> str:
        """Content hash; there is no time in it."""
        return digest(self.model_dump())

    def apply(self, score: float) -> float:
        """The score on people's scale, in [0, 1]."""
        return self.curve.apply(score)

    def artefact(self) -> str:
        """The text of the file that `load_calibration` reads."""
        return json.dumps({"lock": self.lock, "calibration": self.model_dump()}, indent=1) + "\n"


def calibrate(
    items: Sequence[Scored],
    *,
    judge: str,
    criteria: str,
    dataset: str,
    method: Method = "isotonic",
    held_out: float = 0.5,
    seed: int = 0,
) -> Calibration:
    """Fit a map on one part of the labels and measure it on the rest.

    Args:
        items: labelled scores of one judge.
        judge: its version.
        criteria: what it judged, see `criteria_digest`.
        dataset: name of the labelled data.
        method: see `Method`.
        held_out: share of the groups that is measured on and not fitted on, in (0, 1).
        seed: draws the parts.

    Raises:
        ConfigError: one of the parts would have too few labels, or a setting is out of range.
        ValueError: a score or label is outside [0, 1].
    """
    if not 0 < held_out < 1:
        raise ConfigError(
            f"A share of {held_out} cannot be held out.", remedy="Hold out between 0 and 1, such as 0.5."
        )
    groups = sorted({item.group for item in items})
    Random(seed).shuffle(groups)
    unseen = set(groups[: round(held_out * len(groups))])
    known = [item for item in items if item.group not in unseen]
    rest = [item for item in items if item.group in unseen]
    if min(len(known), len(rest)) < MIN_LABELS:
        raise ConfigError(
            f"{len(known)} labels to fit on and {len(rest)} to measure on are too few.",
            remedy=f"Give at least {MIN_LABELS} each.",
        )
    curve = fit([item.score for item in known], [item.label for item in known], method=method)
    scores, labels = [item.score for item in rest], [item.label for item in rest]
    return Calibration(
        judge=judge,
        criteria=criteria,
        dataset=dataset,
        curve=curve,
        fitted_on=len(known),
        before=fidelity(scores, labels),
        after=fidelity(curve.apply_all(scores), labels),
    )


def load_calibration(path: Path, *, judge: str, criteria: str | None = None) -> Calibration:
    """Read a calibration, for the judge it was made for and no other.

    Args:
        path: the file.
        judge: version of the judge that it is wanted for.
        criteria: those it is wanted for, see `criteria_digest`; None where they vary from run to run.

    Raises:
        ConfigError: the file cannot be read or was changed, or it belongs to another judge or to
            other criteria.
    """
    again = "Make it again with `coreact judge calibrate`."
    try:
        stored: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        found = Calibration.model_validate(stored["calibration"])
        locked = stored["lock"]
    except OSError as error:
        raise ConfigError(
            f"The calibration {path} cannot be read: {error.strerror}.", remedy=again
        ) from error
    except (ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path} is no calibration.", remedy=again) from error
    if locked != found.lock:
        raise ConfigError(f"The calibration {path} was changed after it was made.", remedy=again)
    if found.judge != judge:
        raise ConfigError(
            f"The calibration {path} is for the judge {found.judge}, not for {judge}.", remedy=again
        )
    if criteria is not None and found.criteria != criteria:
        raise ConfigError(f"The calibration {path} was made with other criteria.", remedy=again)
    return found


# --- drift -------------------------------------------------------------------------------------


class Drift(Record):
    """How stated confidence moves along a run, against what the judge says when asked afresh."""

    slope: float
    """Change of stated minus re-asked confidence per step."""
    low: float
    """Lower end of its 95 % interval."""
    high: float
    n: int

    @property
    def flagged(self) -> bool:
        """Whether confidence drifts: the whole interval lies on one side of nought."""
        return self.low > _ROUNDING or self.high < -_ROUNDING


_ROUNDING = 1e-9


def confidence_drift(steps: Sequence[int], stated: Sequence[float], reasked: Sequence[float]) -> Drift | None:
    """Whether a judge grows surer, or less sure, only because it has come so far.

    Each stated confidence is compared with that of the same judge asked about the same step in a
    fresh context (SACD compares a growing conversation with independent repetition). What differs:
    a slope over steps with a t interval instead of a difference between first and last.

    Args:
        steps: index of the step, counting from the run's beginning.
        stated: confidence stated there, in [0, 1].
        reasked: confidence stated when asked afresh, in [0, 1].

    Returns:
        The slope, or None with fewer than three items or a single step index.
    """
    np, stats = _library("numpy"), _library("scipy.stats")
    moved = np.asarray(stated, dtype=float) - np.asarray(reasked, dtype=float)
    at = np.asarray(steps, dtype=float)
    if len(at) != len(moved):
        raise ValueError("there must be one step for each confidence")
    if len(at) < 3 or at.min() == at.max():
        return None
    line = stats.linregress(at, moved)
    reach = float(stats.t.ppf(0.975, len(at) - 2) * line.stderr)
    slope = float(line.slope)
    return Drift(slope=slope, low=slope - reach, high=slope + reach, n=len(at))


# -----------------------------------------------------------------------------------------------


def _library(name: str) -> Any:
    """Import what the extra `judge` brings, or say that it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError("Calibration", extra="judge") from error


def _pairs(scores: Sequence[float], labels: Sequence[float]) -> tuple[Any, Any]:
    np = _library("numpy")
    x, y = np.asarray(scores, dtype=float), np.asarray(labels, dtype=float)
    if len(x) != len(y) or not len(x):
        raise ValueError("there must be at least one score, and a label for each")
    if not ((x >= 0) & (x <= 1)).all() or not ((y >= 0) & (y <= 1)).all():
        raise ValueError("scores and labels lie in [0, 1]")
    return x, y
