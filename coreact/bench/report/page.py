"""The report as one page and one JSON file.

The page stands alone: no script, no address outside it, plots inside. Task ids, errors and names are
untrusted and escaped.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from coreact.bench.report.figures import Report
from coreact.bench.report.plots import cost_plot, interval_plot
from coreact.trace.lines import write_whole

MOST = 200
"""Most episodes that went wrong on the page; the JSON file has all."""

_COST = "input_tokens"
_CALLS = "model_calls"


def write_report(report: Report, folder: Path) -> None:
    """Write `report.json` and `report.html`, each whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    write_whole(folder / "report.json", json.dumps(report.model_dump(mode="json"), indent=1) + "\n")
    write_whole(folder / "report.html", html(report))


def html(report: Report) -> str:
    """The report as a page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        report=report,
        plots=_plots(report),
        commands=[shlex.join(map(str, one["command"])) for one in report.sessions],  # type: ignore[call-overload]
        most=MOST,
    )


def _plots(report: Report) -> dict[str, Markup]:
    """Each metric by arm, and the first one over its cost."""
    drawn: dict[str, Any] = {}
    known = {metric.name: metric for metric in report.metrics}
    for metric in report.metrics:
        drawn[metric.name] = interval_plot(report, metric)
    first = next((metric for metric in report.metrics if metric.higher_is_better), None)
    if first is not None:
        for cost in (_COST, _CALLS):
            if cost in known:
                drawn[f"{first.name} over {cost}"] = cost_plot(report, first, known[cost])
    return {title: Markup(plot) for title, plot in drawn.items() if plot is not None}  # noqa: S704 - drawn by us
