"""Plots as SVG text, drawn without a display and equal from run to run.

An SVG inside a page is not escaped, so names of arms and metrics, which a suite or a user chooses, go through
matplotlib as plain text with its own markup off, which escapes them; a test holds that.
"""

from __future__ import annotations

import io
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from coreact.bench.records import Metric
from coreact.bench.report.figures import Report

_INK, _GOOD, _BAD = "#2b5c8a", "#2e7d32", "#b03a2e"
_DRAWN: Any = {"svg.hashsalt": "coreact", "svg.fonttype": "none", "font.family": "sans-serif"}


def interval_plot(report: Report, metric: Metric) -> str | None:
    """Mean and interval of every arm, the control's mean as a line; None where no arm has the metric."""
    arms = [(arm.name, arm.figures[metric.name]) for arm in report.arms if metric.name in arm.figures]
    if not arms:
        return None
    with rc_context(_DRAWN):
        figure = Figure(figsize=(7, 0.9 + 0.32 * len(arms)), layout="constrained")
        axes = figure.subplots()
        for at, (name, cell) in enumerate(arms):
            difference = report.difference(name, metric.name)
            ink = _INK
            if difference is not None and metric.higher_is_better is not None and difference.p_holm < 0.05:
                ink = _GOOD if (difference.mean > 0) == metric.higher_is_better else _BAD
            axes.plot([cell.low, cell.high], [at, at], color=ink, linewidth=2)
            axes.plot([cell.mean], [at], "o", color=ink)
            if name == report.control:
                axes.axvline(cell.mean, color="grey", linewidth=0.8, linestyle="--")
        axes.set_yticks(range(len(arms)), [name for name, _ in arms], parse_math=False)
        axes.set_ylim(len(arms) - 0.5, -0.5)  # the first on top
        axes.set_xlabel(metric.name, parse_math=False)
        return _svg(figure)


def cost_plot(report: Report, metric: Metric, cost: Metric) -> str | None:
    """Every arm's mean of a metric over what it costs; None where no arm has both."""
    arms = [
        (arm.name, arm.figures[cost.name], arm.figures[metric.name])
        for arm in report.arms
        if cost.name in arm.figures and metric.name in arm.figures
    ]
    if not arms:
        return None
    with rc_context(_DRAWN):
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.subplots()
        for name, spent, got in arms:
            ink = "black" if name == report.control else _INK
            axes.errorbar(
                [spent.mean],
                [got.mean],
                xerr=[[max(0.0, spent.mean - spent.low)], [max(0.0, spent.high - spent.mean)]],
                yerr=[[max(0.0, got.mean - got.low)], [max(0.0, got.high - got.mean)]],
                fmt="o",
                color=ink,
                linewidth=1,
            )
            axes.annotate(
                name,
                (spent.mean, got.mean),
                xytext=(5, 5),
                textcoords="offset points",
                fontsize=8,
                parse_math=False,
            )
        axes.set_xlabel(cost.name, parse_math=False)
        axes.set_ylabel(metric.name, parse_math=False)
        return _svg(figure)


def _svg(figure: Figure) -> str:
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    return text[text.index("<svg") :]  # an XML declaration has no place inside a page
