"""The report for a terminal. Names, task ids and errors are untrusted: no markup, no control characters."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from coreact.bench.report.figures import Report


def tables(report: Report) -> Iterator[RenderableType]:
    """Head, figures of every metric and arm, and what went wrong.

    Args:
        report: what to show.
    """
    yield _head(report)
    if any(arm.figures for arm in report.arms):
        yield _figures(report)
    if report.failures:
        yield _failures(report)
    for note in report.notes:
        yield _text(f"Note: {note}", style="yellow")


def _head(report: Report) -> Text:
    lines = [
        f"{report.suite} {report.suite_version}",
        f"{report.tasks} tasks, seeds {', '.join(map(str, report.seeds))}, "
        + ", ".join(f"{name} {value}" for name, value in sorted(report.settings.items())),
        "models as they name themselves: "
        + ", ".join(f"{name} ({count} episodes)" for name, count in report.models.items()),
    ]
    if report.missing:
        lines.append(f"{report.missing} episodes were not run yet")
    return Text("\n".join(map(_plain, lines)))


def _figures(report: Report) -> Table:
    shown = Table(title=_text(f"Mean over tasks, and difference to {report.control}"), box=box.SIMPLE_HEAD)
    for name in ("metric", "arm", "mean", "difference", "p (Holm)", "higher:lower:equal", "judged"):
        shown.add_column(name, justify="left" if name in ("metric", "arm") else "right")
    for metric in report.metrics:
        shown.add_section()
        name = metric.name
        for arm in report.arms:
            cell, gap = arm.figures.get(metric.name), report.difference(arm.name, metric.name)
            if cell is None:
                continue
            compared = (
                ("", "", "")
                if gap is None
                else (f"{gap}", f"{gap.p_holm:.4f}", f"{gap.better}:{gap.worse}:{gap.equal}")
            )
            shown.add_row(_text(name), _text(arm.name), f"{cell}", *compared, f"{cell.judged}/{cell.of}")
            name = ""
    shown.caption = "95 % intervals over clusters of tasks; p corrected over the arms of one metric"
    return shown


def _failures(report: Report, most: int = 10) -> Table:
    shown = Table(title="Episodes that went wrong", box=box.SIMPLE_HEAD)
    for name in ("arm", "seed", "task", "excluded", "error"):
        shown.add_column(name)
    for one in report.failures[:most]:
        words = " ".join(one.error.split())[:120]
        shown.add_row(
            _text(one.arm),
            str(one.seed),
            _text(one.task),
            _text(one.excluded or "no, it counts"),
            _text(words),
        )
    counted = [
        f"{arm.name}: {arm.failed} failed and counted, {sum(arm.excluded.values())} excluded"
        for arm in report.arms
        if arm.failed or arm.excluded
    ]
    if len(report.failures) > most:
        counted.append(f"{len(report.failures) - most} more episodes in the HTML and JSON reports")
    shown.caption = _text("; ".join(counted))
    return shown


def _text(words: str, *, style: str = "") -> Text:
    return Text(_plain(words), style=style)


def _plain(words: str) -> str:
    """Without what a terminal would act on: errors, names and task ids are untrusted."""
    return "".join(one if one.isprintable() else "\ufffd" for one in words)
