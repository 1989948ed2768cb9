"""How a report on runs that were judged again looks in a terminal. Texts of records are untrusted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from coreact.cli.display import first_lines, one_line
from coreact.trace.rejudge import Flip, RejudgeReport, StatusAgreement

_MOST_CRITERIA = 20
_MOST_FLIPS = 20  # --json has all
_MOST_NAMED = 3  # runs that are named for a reason why something was left out


def show_report(report: RejudgeReport) -> Iterator[RenderableType]:
    """The report, piece by piece: counts, agreement, passes, flips, what was left out."""
    yield _counts(report)
    if report.left_out:
        yield _left_out(report)
    if not report.compared:
        return
    yield _agreement(report)
    yield Text(f"passes: {_passes(report)}")
    if report.flips:
        yield _flips(report)


def _counts(report: RejudgeReport) -> Text:
    who = report.evaluator
    line = Text(one_line(who.name), "bold")
    model = f" ({one_line(who.model)})" if who.model else ""
    line.append(f"{model}: {report.made:,} new judgements on {report.runs:,} runs", "not bold")
    if report.known:
        line.append(f", {report.known:,} were there already", "not bold")
    line.append(f"\nstatuses: {_listed(report.statuses)}", "not bold")
    if report.faults:
        line.append(f"; broken instruments: {_listed(report.faults)}", "magenta")
    cost = report.cost
    if cost.calls:
        usd = "" if cost.usd is None else f", {cost.usd:.4f} USD"
        line.append(f"\ncost: {cost.calls:,} calls, {cost.tokens:,} tokens{usd}", "not bold")
    return line


def _left_out(report: RejudgeReport) -> RenderableType:
    reasons: dict[str, list[str]] = defaultdict(list)
    for one in report.left_out:
        # A reason may name its run and step; what is the same about it is what can be counted.
        told = one.reason.replace(one.run, "…")
        told = told if one.step is None else told.replace(f"tep {one.step} ", "tep … ")
        reasons[told].append(one.run if one.step is None else f"{one.run}@{one.step}")
    lines = []
    for reason, places in sorted(reasons.items(), key=lambda one: -len(one[1])):
        named = ", ".join(map(one_line, places[:_MOST_NAMED])) + (", …" if len(places) > _MOST_NAMED else "")
        lines.append(Text(f"left out {len(places):,}: {one_line(reason)} ({named})", "yellow"))
    return Group(*lines)


def _agreement(report: RejudgeReport) -> RenderableType:
    numbers = ("items", "same", "kappa", "alpha", "flips", "then only", "now only")
    table = Table(
        title=f"statuses then and now, on {report.compared:,} judgements that have one to compare with",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        header_style="bold",
    )
    table.add_column("criterion", no_wrap=True)
    table.add_column("text")  # the one that gives way where the terminal is narrow
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(Text("all", "bold"), Text(), *_figures(report.overall))
    for row in report.criteria[:_MOST_CRITERIA]:
        text = first_lines(one_line(row.text), characters=60) or "(differs)"
        cut = Text(text, "" if row.text else "dim", no_wrap=True, overflow="ellipsis")
        table.add_row(Text(one_line(row.criterion)), cut, *_figures(row))
    if len(report.criteria) > _MOST_CRITERIA:
        table.caption = f"… and {len(report.criteria) - _MOST_CRITERIA:,} more; --json has all."
    return table


def _figures(row: StatusAgreement) -> Iterator[Text]:
    yield Text(f"{row.items:,}")
    yield Text("–" if row.share is None else f"{100 * row.share:.1f}%")
    for coefficient in (row.kappa, row.alpha):
        yield Text("–" if coefficient is None else f"{coefficient:.3f}")
    yield Text(f"{row.items - row.same:,}")
    yield Text(f"{row.before_only:,}")
    yield Text(f"{row.after_only:,}")


def _passes(report: RejudgeReport) -> str:
    same = sum(one.items for one in report.passes if one.before == one.after)
    moved = [f"{one.before} → {one.after} {one.items:,}" for one in report.passes if one.before != one.after]
    return ", ".join([f"unchanged {same:,}", *moved])


def _flips(report: RejudgeReport) -> RenderableType:
    kinds = Counter(f"{flip.before} → {flip.after}" for flip in report.flips)
    parts: list[RenderableType] = [Text(f"flips: {_listed(dict(kinds.most_common()))}", "bold")]
    parts += [_flip(flip) for flip in report.flips[:_MOST_FLIPS]]
    if len(report.flips) > _MOST_FLIPS:
        parts.append(Text(f"… and {len(report.flips) - _MOST_FLIPS:,} more; --json has all.", "dim"))
    return Group(*parts)


def _flip(flip: Flip) -> RenderableType:
    head = Text(one_line(flip.place), "cyan")
    head.append(f" {flip.before} → {flip.after} ", "bold yellow")
    head.append(first_lines(one_line(flip.text), characters=100), "default")
    reasons = [
        Text(f"{when} {one_line(by)}: {first_lines(one_line(reason), characters=200)}", "dim")
        for when, by, reason in (
            ("then", flip.by_before, flip.reason_before),
            ("now", flip.by_after, flip.reason_after),
        )
    ]
    return Group(head, Padding(Group(*reasons), (0, 0, 0, 2)))


def _listed(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
