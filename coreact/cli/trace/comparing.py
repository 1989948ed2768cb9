"""`coreact trace diff` and `stats`: runs held against each other, and many runs counted.

Errors are not caught here: the main program turns them into messages and exit codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from coreact.cli.trace.opening import StoreOption, as_line, open_store
from coreact.cli.trace.selecting import (
    AgentOption,
    JudgedByOption,
    MaxScoreOption,
    MinScoreOption,
    OriginOption,
    QuestionOption,
    RubricLockOption,
    SinceOption,
    StatusOption,
    ToolOption,
    UntilOption,
    nanoseconds,
)
from coreact.trace import RunFilter

if TYPE_CHECKING:  # a command line that starts quickly imports what it needs when it runs
    from coreact.trace import SQLiteTraceStore, Trajectory


def diff_runs(
    runs: Annotated[
        list[str],
        typer.Argument(help="Ids of runs, or their beginnings; all are held against the first."),
    ],
    *,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            help="Name or version of a later evaluator whose judgements count: one for all runs, or one for"
            " each. With a single run: held against what it was decided by, or one evaluator against others.",
        ),
    ] = None,
    store: StoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole comparison as JSON.")] = False,
) -> None:
    """Show runs side by side: aligned by what they did, where they part, how each criterion fared."""
    from coreact.cli.display_diff import show_diff
    from coreact.trace.diff import diff

    wanted, who = _columns(runs, by or [])
    with closing(open_store(store)) as opened:
        found = {run: opened.trajectory(run) for run in dict.fromkeys(wanted)}
    compared = diff(*(found[run] for run in wanted), by=who)
    if as_json:
        typer.echo(as_line(compared))
        return
    console = Console()
    for part in show_diff(compared):
        console.print(part)


def _columns(runs: list[str], by: list[str]) -> tuple[list[str], list[str | None]]:
    """The run and the evaluator of each column."""
    if len(runs) == 1 and by:
        who: list[str | None] = [None, *by] if len(by) == 1 else [*by]
        return runs * len(who), who
    return runs, [*by] * len(runs) if len(by) == 1 else [*by]


def count_runs(
    *,
    agent: AgentOption = None,
    origin: OriginOption = None,
    status: StatusOption = None,
    question: QuestionOption = None,
    min_score: MinScoreOption = None,
    max_score: MaxScoreOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    tool: ToolOption = None,
    rubric_lock: RubricLockOption = None,
    judged_by: JudgedByOption = None,
    store: StoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Count what stored runs hold: steps, attempts, verdicts, faults, tools, costs, later judges."""
    from coreact.cli.display_stats import show_stats
    from coreact.trace.stats import stats

    where = RunFilter(
        agent=agent,
        origin=origin,
        status=status,
        question=question,
        min_score=min_score,
        max_score=max_score,
        since_ns=nanoseconds(since, "--since"),
        until_ns=nanoseconds(until, "--until"),
        tool=tool,
        rubric=rubric_lock,
        evaluator=judged_by,
    )
    with closing(open_store(store)) as opened, _watched(opened, where) as trajectories:
        found = stats(trajectories)
    if as_json:
        typer.echo(as_line(found))
        return
    if not found.runs:
        typer.echo(f"No such runs in {opened.path}.")
        return
    console = Console()
    for part in show_stats(found):
        console.print(part)


@contextmanager
def _watched(store: SQLiteTraceStore, where: RunFilter) -> Iterator[Iterable[Trajectory]]:
    """The runs meant, with a bar on standard error where that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield store.trajectories(where)
        return
    with Progress(console=console, transient=True) as progress:
        total = len(store.runs(None, where))
        yield progress.track(store.trajectories(where), total=total, description="Counting")
