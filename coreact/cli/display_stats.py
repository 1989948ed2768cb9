"""How the figures of many runs look in a terminal. Texts of records are untrusted: see `display`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from coreact.cli.display import first_lines, one_line
from coreact.trace.stats import CriterionStats, Distribution, TraceStats

_MOST = 15  # rows of a table; --json has all


def show_stats(found: TraceStats) -> Iterator[RenderableType]:
    """The figures, table by table; what there is none of is left out."""
    yield _overview(found)
    if found.criteria:
        yield _criteria(found.criteria)
    if found.tools:
        yield _tools(found)
    if found.evaluators:
        yield _evaluators(found)


def _overview(found: TraceStats) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    attempts = sum(found.attempts.values())
    rows = {
        "runs": f"{found.runs:,}  {_counts(found.by_status)}",
        "agents": _counts(found.by_agent),
        "origins": _counts(found.by_origin),
        "run scores": _spread(found.run_scores),
        "steps": f"{found.steps:,}  guided {found.guided:,}, with an error {found.failed_steps:,}",
        "step scores": _spread(found.step_scores),
        "written by": _counts(found.generators),
        "rungs": _counts(found.rungs),
        "attempts": f"{attempts:,}  {_counts(found.attempts)}",
        "not passed": f"{_share(found.rejection_rate)} of {found.judged_attempts:,} judged attempts",
        "rejected by": _counts(found.rejected),
        "became of it": _counts(found.dispositions),
        "verdicts": _counts(found.statuses),
        "unknown": f"{_share(found.unknown_rate)}, broken instruments {_share(found.fault_rate)}",
        "faults": _counts(found.faults),
        "cost": f"{found.cost.calls:,} calls, {found.cost.tokens:,} tokens, {found.cost.seconds:,.1f} s"
        + ("" if found.cost.usd is None else f", {found.cost.usd:.4f} USD"),
    }
    for name, told in rows.items():
        if told:
            grid.add_row(Text(name), Text(told))
    return grid


def _table(title: str, *columns: str, text: tuple[str, ...] = ()) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in columns:
        gives_way = name in ("text", "statuses")  # where the terminal is narrow
        table.add_column(name, justify="left" if name in text else "right", no_wrap=not gives_way)
    return table


def _criteria(criteria: tuple[CriterionStats, ...]) -> RenderableType:
    words = ("criterion", "written by", "text")
    marks = ("met", "partial", "unmet", "n/a", "unknown")
    table = _table(f"criteria ({len(criteria):,})", *words, *marks, "credit", text=words)
    for row in criteria[:_MOST]:
        said = row.statuses
        table.add_row(
            Text(one_line(row.criterion)),
            Text(one_line(row.generator)),
            Text(
                first_lines(one_line(row.text), characters=60) or "(differs)",
                "" if row.text else "dim",
                no_wrap=True,
                overflow="ellipsis",
            ),
            *(Text(f"{said.get(s, 0):,}") for s in ("met", "partial", "unmet", "not_applicable", "unknown")),
            Text("–" if row.credit is None else f"{row.credit:.2f}"),
        )
    return _cut(table, len(criteria))


def _tools(found: TraceStats) -> RenderableType:
    table = _table("tools", "tool", "calls", "failed", "blocked", "s a call", text=("tool",))
    for row in found.tools[:_MOST]:
        table.add_row(
            Text(one_line(row.tool)),
            Text(f"{row.calls:,}"),
            Text(f"{row.failed:,}"),
            Text(f"{row.blocked:,}"),
            Text(f"{row.seconds / row.calls:.2f}"),
        )
    return _cut(table, len(found.tools))


def _evaluators(found: TraceStats) -> RenderableType:
    words = ("evaluator", "kind", "version", "statuses")
    table = _table("judged later by", *words[:3], "judgements", "runs", "score", words[3], text=words)
    for row in found.evaluators[:_MOST]:
        table.add_row(
            Text(one_line(row.evaluator.name)),
            Text(row.evaluator.kind),
            Text(one_line(row.evaluator.version.rsplit(":", 1)[-1])[:8]),
            Text(f"{row.judgements:,}"),
            Text(f"{row.runs:,}"),
            Text("–" if row.score is None else f"{row.score:.2f}"),
            Text(_counts(row.statuses)),
        )
    return _cut(table, len(found.evaluators))


def _cut(table: Table, rows: int) -> Table:
    if rows > _MOST:
        table.caption = f"… and {rows - _MOST:,} more; --json has all."
    return table


def _counts(counts: Mapping[Any, int]) -> str:
    shown = [f"{one_line(name) or '(none)'} {count:,}" for name, count in list(counts.items())[:_MOST]]
    left = len(counts) - _MOST
    return ", ".join(shown) + (f", … {left:,} more" if left > 0 else "")


def _spread(found: Distribution) -> str:
    if found.mean is None:
        return ""
    middle = ", ".join(f"{100 * share:.0f}%: {value:.2f}" for share, value in found.quantiles.items())
    return f"mean {found.mean:.3f} of {found.n:,}  ({middle})"


def _share(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}%"
