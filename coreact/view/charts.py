"""Charts as inline SVG: the sparkline of a list, the score chart and the heat map of a run.

Plain strings of our own numbers; the only text of a record in them is a criterion's, escaped. Every chart
has a text alternative, and a status is told by its shape as well as its colour. Colours stand in the style
sheet, since a page's policy allows no inline style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from coreact.judge import Status
from coreact.view.text import shortened, visible
from coreact.view.timeline import Timeline, verdicts_by_criterion

_ROW = 14  # pixels
_COLUMNS = ((16, 40), (32, 24))  # up to so many steps so many pixels a column
_NARROWEST = 14
_HEIGHT = 90  # of the score chart
_SPARK = (96, 20)
_MOST_SPARKS = 200  # more points than pixels say nothing

# Within a cell of 10 by 10: each status has a shape of its own.
_SHAPES: Mapping[Status, str] = {
    "met": "h10v10h-10z",
    "partial": "m0 5h10v5h-10z",
    "unmet": "l10 10m0-10l-10 10",
    "not_applicable": "m3 5h4",
    "unknown": "h10v10h-10zm1 1v8h8v-8z",
}
STATUS_NAMES: Mapping[Status, str] = {
    "met": "met",
    "partial": "partly met",
    "unmet": "unmet",
    "not_applicable": "does not apply",
    "unknown": "unknown",
}
"""How a reader is told a status."""


def _column(steps: int) -> int:
    return next((pixels for most, pixels in _COLUMNS if steps <= most), _NARROWEST)


def _svg(drawn: str) -> Markup:
    return Markup(drawn)  # noqa: S704 - numbers, words of ours, and what was escaped


def _said(score: float | None) -> str:
    return "not judged" if score is None else f"{score:.2f}"


def sparkline(scores: Sequence[float | None]) -> Markup:
    """The step scores of a run as a small line; gaps where nothing was judged."""
    if not any(score is not None for score in scores):
        return Markup('<span class="dim">–</span>')
    width, height = _SPARK
    known = [score for score in scores if score is not None]
    label = f"{len(scores)} step scores from {min(known):.2f} to {max(known):.2f}, last {_said(scores[-1])}"
    every = max(1, len(scores) // _MOST_SPARKS)
    places = _places(scores[::every], width, height)
    dots = "".join(f"M{x:.4g} {y:.4g}h0" for x, y in places)
    return _svg(
        f'<svg class="spark" role="img" aria-label="{label}" width="{width}" height="{height}" '
        f'viewBox="-3 -3 {width + 6} {height + 6}"><path class="line" d="{_line(places)}"/>'
        f'<path class="dots" d="{dots}"/></svg>'
    )


def _places(scores: Sequence[float | None], width: float, height: float) -> list[tuple[float, float]]:
    apart = width / max(1, len(scores) - 1)
    return [(at * apart, height * (1 - score)) for at, score in enumerate(scores) if score is not None]


def _line(places: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if at else 'M'}{x:.4g} {y:.4g}" for at, (x, y) in enumerate(places))


def score_chart(timeline: Timeline) -> Markup:
    """Score of each step, the mean so far, the thresholds; low steps and disputed ones marked."""
    lines = timeline.lines
    column = _column(len(lines))
    width = max(1, len(lines)) * column
    dots: list[str] = []
    low: list[str] = []
    disputed, mean, thresholds = [], [], []
    total, judged = 0.0, 0
    for at, (line, step) in enumerate(zip(lines, timeline.trajectory.steps, strict=True)):
        middle = at * column + column / 2
        if step.rubric is not None:
            thresholds.append(f"M{at * column} {_HEIGHT * (1 - step.rubric.threshold):.4g}h{column}")
        if line.score is None:
            continue
        total, judged = total + line.score, judged + 1
        height = _HEIGHT * (1 - line.score)
        (low if line.low else dots).append(f"M{middle:g} {height:.4g}h0")
        mean.append((middle, _HEIGHT * (1 - total / judged)))
        if line.disputed:
            disputed.append(f"M{middle - 5:g} {height - 5:.4g}h10v10h-10z")
    counted = sum(line.low for line in lines)
    label = (
        f"Score of {judged} judged steps of {len(lines)}, mean {_said(total / judged if judged else None)}; "
        f"{counted} low; {len(disputed)} disputed. The timeline below says each score."
    )
    return _svg(
        f'<svg class="scores" role="img" aria-label="{label}" width="{width}" height="{_HEIGHT + 12}" '
        f'viewBox="0 -6 {width} {_HEIGHT + 12}"><path class="grid" d="M0 0H{width}M0 {_HEIGHT}H{width}"/>'
        f'<path class="threshold" d="{"".join(thresholds)}"/><path class="line" d="{_line(mean)}"/>'
        f'<path class="dots" d="{"".join(dots)}"/><path class="dots low" d="{"".join(low)}"/>'
        f'<path class="disputed" d="{"".join(disputed)}"/></svg>'
    )


class HeatRow(NamedTuple):
    """One criterion over the steps of a run."""

    id: str
    text: str
    """As the first step that has it says it."""
    varies: bool
    """Later steps say it otherwise."""
    counts: Mapping[Status, int]
    svg: Markup


def heat_map(timeline: Timeline) -> list[HeatRow]:
    """The verdicts on the selected attempts: a row for each criterion, a column for each step."""
    steps = timeline.trajectory.steps
    texts: dict[str, list[str]] = {}
    cells: dict[str, list[tuple[int, Status, bool]]] = {}
    for at, step in enumerate(steps):
        chosen = step.chosen
        if step.rubric is None or chosen is None or not chosen.judgements:
            continue
        disputed = timeline.disputed(step)
        verdicts = verdicts_by_criterion(chosen.judgements[0].verdicts)
        for criterion in step.rubric:
            known = texts.setdefault(criterion.id, [])
            if criterion.text not in known[:1]:
                known.append(criterion.text)
            if criterion.id in verdicts:
                cells.setdefault(criterion.id, []).append(
                    (at, verdicts[criterion.id].status, criterion.id in disputed)
                )
    return [_heat_row(name, texts[name], cells.get(name, []), len(steps)) for name in texts]


def _heat_row(
    name: str, texts: Sequence[str], cells: Sequence[tuple[int, Status, bool]], steps: int
) -> HeatRow:
    counts: dict[Status, int] = {status: sum(s == status for _, s, _ in cells) for status in _SHAPES}
    column = _column(steps)
    width, left = max(1, steps) * column, (column - _ROW) // 2
    paths = []
    for status, shape in _SHAPES.items():
        drawn = "".join(f"M{at * column + left + 2} 2{shape}" for at, said, _ in cells if said == status)
        if drawn:
            paths.append(f'<path class="{status}" d="{drawn}"/>')
    disputed = "".join(f"M{at * column + left} 0h14v14h-14z" for at, _, doubted in cells if doubted)
    if disputed:
        paths.append(f'<path class="disputed" d="{disputed}"/>')
    told = ", ".join(f"{STATUS_NAMES[status]} {number}" for status, number in counts.items() if number)
    label = escape(f"{visible(shortened(texts[0], 80))}: {told or 'no verdicts'}")
    svg = _svg(
        f'<svg class="heat" role="img" aria-label="{label}" width="{width}" height="{_ROW}" '
        f'viewBox="0 0 {width} {_ROW}">{"".join(paths)}</svg>'
    )
    return HeatRow(name, texts[0], len(texts) > 1, counts, svg)


def status_shape(status: Status) -> Markup:
    """The shape of a status, for a legend."""
    return _svg(
        '<svg class="heat" aria-hidden="true" width="14" height="14" viewBox="0 0 14 14">'
        f'<path class="{status}" d="M2 2{_SHAPES[status]}"/></svg>'
    )


def bar(share: float | None) -> Markup:
    """A share in [0, 1] as a bar; the number stands beside it in the page."""
    if share is None:
        return Markup("")
    width = 60 * min(1.0, max(0.0, share))
    return _svg(
        '<svg class="bar" aria-hidden="true" width="60" height="8" viewBox="0 0 60 8">'
        f'<rect class="rest" width="60" height="8"/><rect class="done" width="{width:.4g}" height="8"/></svg>'
    )
