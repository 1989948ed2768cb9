"""`coreact trace list` and `show`: the stored runs, and one of them.

Errors are not caught here: the main program turns them into messages and exit codes.
"""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer
from rich.console import Console

from coreact.cli.display import show_runs, show_trajectory
from coreact.cli.trace.opening import StoreOption, as_line, open_store


def list_runs(
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10**9, help="Most runs to list.")] = 20,
    store: StoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the newest runs."""
    with closing(open_store(store)) as opened:
        summaries = opened.runs(limit)
    if as_json:
        for summary in summaries:
            typer.echo(as_line(summary))
    elif summaries:
        Console().print(show_runs(summaries))
    else:
        typer.echo(f"No runs in {opened.path}.")


def show_run(
    run: Annotated[str, typer.Argument(help="Id of the run, or its beginning.")],
    *,
    store: StoreOption = None,
    prompts: Annotated[bool, typer.Option("--prompts", help="Show each step's messages too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The whole trajectory as JSON.")] = False,
) -> None:
    """Show one run: rubrics, attempts, verdicts, observations, answer."""
    with closing(open_store(store)) as opened:
        trajectory = opened.trajectory(run)
    if as_json:
        typer.echo(as_line(trajectory))
        return
    console = Console()
    for part in show_trajectory(trajectory, prompts=prompts):
        console.print(part)
