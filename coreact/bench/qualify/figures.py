"""Figures as SVG text, drawn without a display and equal from run to run.

They carry numbers and our own words only: no text of a case, a criterion or a judge gets in, because
an SVG inside a page is not escaped.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from coreact.bench.qualify.metrics import LABELS, STATUSES
from coreact.judge.calibration import Reliability
from coreact.judge.qualification import HARMS, Qualification

_INK, _BAD = "#2b5c8a", "#b03a2e"


def confusion_figure(table: Mapping[str, Mapping[str, int]]) -> str:
    """Labels (rows) against verdicts (columns), shaded by the share of the row."""
    rows = [label for label in LABELS if label in table]
    counts = np.array([[table[label][status] for status in STATUSES] for label in rows], dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(6, 1.2 + 0.5 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1)  # not `imshow`, which embeds a bitmap
    axes.invert_yaxis()
    for row, column in np.ndindex(counts.shape):
        ink = "white" if shares[row, column] > 0.6 else "black"
        axes.text(column + 0.5, row + 0.5, f"{counts[row, column]:.0f}", ha="center", va="center", color=ink)
    axes.set_xticks(np.arange(len(STATUSES)) + 0.5, [status.replace("_", " ") for status in STATUSES])
    axes.set_yticks(np.arange(len(rows)) + 0.5, [label.replace("_", " ") for label in rows])
    axes.set_xlabel("verdict")
    axes.set_ylabel("label")
    return _svg(figure)


def harms_figure(qualification: Qualification) -> str:
    """Each harmful rate with its interval, and a tick at what the bar allows."""
    names = [name for name in HARMS if qualification.harms.get(name) is not None]
    figure = Figure(figsize=(6, 1.0 + 0.4 * max(1, len(names))), layout="constrained")
    axes = figure.subplots()
    for at, name in enumerate(names):
        found, limit = qualification.harms[name], qualification.bar.at_most.get(name)
        if found is None:
            continue
        ink = _BAD if limit is not None and found.high > limit else _INK
        axes.plot([found.low, found.high], [at, at], color=ink, linewidth=2)
        axes.plot([found.value], [at], "o", color=ink)
        if limit is not None:
            axes.plot([limit], [at], "|", color="black", markersize=14)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set_ylim(max(1, len(names)) - 0.5, -0.5)  # the first on top
    axes.set_xlabel("rate with 95 % interval; | is the most that is allowed")
    return _svg(figure)


def reliability_figure(table: Reliability, of: str, *, mapped: Reliability | None = None) -> str:
    """Mean score of each bin against its mean label, and the line where both are equal.

    Args:
        table: the reliability table.
        of: what the score is.
        mapped: the table after calibration, to be drawn beside it.
    """
    figure = Figure(figsize=(4.5, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    drawn = [(table, _BAD if mapped else _INK, "before"), (mapped, _INK, "after")]
    for one, ink, name in drawn:
        if one is None:
            continue
        largest = max(row.n for row in one.bins)
        axes.plot([row.score for row in one.bins], [row.label for row in one.bins], color=ink, label=name)
        axes.scatter(
            [row.score for row in one.bins],
            [row.label for row in one.bins],
            s=[10 + 90 * row.n / largest for row in one.bins],
            color=ink,
        )
    if mapped is not None:
        axes.legend()
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel(of)
    axes.set_ylabel("label")
    return _svg(figure)


def _svg(figure: Figure) -> str:
    written = io.StringIO()
    with rc_context({"svg.hashsalt": "coreact", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    return text[text.index("<svg") :]  # an XML declaration has no place inside a page
