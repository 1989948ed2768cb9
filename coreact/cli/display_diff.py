"""How runs side by side look in a terminal. Texts of records are untrusted: see `display`."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from coreact.cli.display import first_lines, one_line
from coreact.trace.diff import Column, Divergence, Move, Row, TrajectoryDiff

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CALL_CHARS = 120
_VERY_SMALL = 5e-4  # a change that would be shown as 0.000


def show_diff(found: TrajectoryDiff) -> Iterator[RenderableType]:
    """Runs side by side, piece by piece: the runs, where they part, what they did, criteria, answers."""
    yield _columns(found)
    yield from _pairs(found)
    if found.rows:
        yield _rows(found)
    criteria = [row for row in found.criteria if any(abs(delta or 0) > _VERY_SMALL for delta in row.deltas)]
    if criteria:
        yield _criteria(found)
    answers = [column.answer for column in found.columns]
    if len(set(answers)) > 1:
        yield from (_answer(name, column) for name, column in zip(_names(found), found.columns, strict=True))


def _names(found: TrajectoryDiff) -> list[str]:
    """A letter for each run, a number where there are too many."""
    several = len(found.columns)
    return list(_LETTERS[:several]) if several <= len(_LETTERS) else [f"{at + 1}" for at in range(several)]


def _table(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    return table


def _columns(found: TrajectoryDiff) -> RenderableType:
    numbers = ("steps", "retries", "score", "tokens", "seconds")
    table = _table("", "run", "question", "judged by", "status", *numbers, numbers=numbers)
    for name, column in zip(_names(found), found.columns, strict=True):
        about = Text(one_line(column.run), "cyan")
        if column.parent is not None:
            at = "" if column.forked_at is None else f"@{column.forked_at}"
            about.append(f" from {one_line(column.parent)}{at}", "dim")
        table.add_row(
            Text(name, "bold"),
            about,
            Text(first_lines(one_line(column.question), characters=80)),
            Text(one_line(column.judged_by or "as it ran")),
            Text(column.status),
            Text(str(column.steps)),
            Text(str(column.retries)),
            Text(_number(column.score)),
            Text(f"{column.cost.tokens:,}"),
            Text("–" if column.seconds is None else f"{column.seconds:.1f}"),
        )
    return table


def _pairs(found: TrajectoryDiff) -> Iterator[RenderableType]:
    names = _names(found)
    for name, pair in zip(names[1:], found.pairs, strict=True):
        line = Text(f"{names[0]} and {name}: ", "bold")
        line.append(f"{pair.common} actions in common", "not bold")
        if pair.shared and pair.run != found.columns[0].run:
            line.append(f", {pair.shared} steps by descent", "not bold")
        if pair.score is not None:
            line.append(f", score {pair.score:+.3f}", "not bold")
        line.append(f"; {_parting(pair.divergence)}", "not bold")
        yield line


def _parting(divergence: Divergence | None) -> str:
    if divergence is None:
        return "they differ in nothing"
    if divergence.first is None and divergence.other is None:
        return "they differ in the answer"
    at = ["its end" if step is None else f"@{step}" for step in (divergence.first, divergence.other)]
    where = at[0] if at[0] == at[1] else " and ".join(at)
    return f"they part at {where}: {', '.join(divergence.differs)}"


def _rows(found: TrajectoryDiff) -> RenderableType:
    table = _table(*_names(found), "differs in")
    for row in found.rows:
        cells = [_move(move, row.moves[0] if at else None) for at, move in enumerate(row.moves)]
        table.add_row(*cells, _differences(row), style="" if row.aligned else "yellow")
    return table


def _move(move: Move | None, first: Move | None) -> Text:
    if move is None:
        return Text("·", "dim")
    text = Text(f"@{move.step} ", "dim")
    same = first is not None and first.text == move.text
    told = "same" if same else first_lines(one_line(move.text), lines=1, characters=_CALL_CHARS)
    if move.tool is None and not same:
        told = f"answer: {told}"
    text.append(told, "dim" if same else "not dim")
    if move.score is not None:
        text.append(f" {move.score:.2f}", "cyan")
    if move.passed is not None:
        text.append(" ✓" if move.passed else " ✗", "green" if move.passed else "red")
    if move.disposition not in (None, "run", "answered"):
        text.append(f" {move.disposition}", "yellow")
    if move.copied:
        text.append(" copied", "dim")
    return text


def _differences(row: Row) -> Text:
    names = [name for name in row.differs if name != "verdicts"]
    said = [
        f"{one_line(one.criterion)} {' → '.join(status or '–' for status in one.statuses)}"
        for one in row.verdicts
    ]
    return Text("; ".join([*names, *said]), "yellow")


def _criteria(found: TrajectoryDiff) -> RenderableType:
    names = _names(found)
    table = _table("criterion", "text", *names, numbers=tuple(names))
    for row in found.criteria:
        deltas = row.deltas
        if not any(abs(delta or 0) > _VERY_SMALL for delta in deltas):
            continue
        cells = []
        for at, (counts, delta) in enumerate(zip(row.counts, deltas, strict=True)):
            cell = Text(_number(None if counts is None else counts.credit))
            if at and delta is not None:
                cell.append(f" {delta:+.2f}", "green" if delta > 0 else "red" if delta < 0 else "dim")
            cells.append(cell)
        text = Text(first_lines(one_line(row.text), characters=80))
        table.add_row(Text(one_line(row.criterion)), text, *cells)
    return table


def _answer(name: str, column: Column) -> RenderableType:
    line = Text(f"{name} ", "bold")
    line.append(first_lines(column.answer) if column.answer else "no answer", "not bold")
    return Padding(line, (0, 0, 0, 2))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
