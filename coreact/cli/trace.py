"""`coreact trace`: list the stored runs and show one.

Errors are not caught here: the main program turns them into messages and exit codes.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.console import Console

from coreact.cli.display import show_runs, show_trajectory
from coreact.errors import StoreError
from coreact.trace import SQLiteTraceStore, default_store_path

trace_app = typer.Typer(name="trace", help="Look at recorded runs.", no_args_is_help=True)

StoreOption = Annotated[
    Path | None,
    typer.Option("--store", help="The trace store. [default: $COREACT_STORE or .coreact/traces.db]"),
]


@trace_app.command("list")
def list_runs(
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many runs at most.")] = 20,
    store: StoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the newest runs."""
    with closing(_open(store)) as opened:
        summaries = opened.runs(limit)
    if as_json:
        for summary in summaries:
            typer.echo(_json(summary))
    elif summaries:
        Console().print(show_runs(summaries))
    else:
        typer.echo(f"No runs in {opened.path}.")


@trace_app.command("show")
def show_run(
    run: Annotated[str, typer.Argument(help="Id of the run, or its beginning.")],
    *,
    store: StoreOption = None,
    prompts: Annotated[bool, typer.Option("--prompts", help="Show each step's messages too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The whole trajectory as JSON.")] = False,
) -> None:
    """Show one run: rubrics, attempts, verdicts, observations, answer."""
    with closing(_open(store)) as opened:
        trajectory = opened.trajectory(run)
    if as_json:
        typer.echo(_json(trajectory))
        return
    console = Console()
    for part in show_trajectory(trajectory, prompts=prompts):
        console.print(part)


def _open(path: Path | None) -> SQLiteTraceStore:
    chosen = path or default_store_path()
    if not chosen.exists():
        raise StoreError(
            f"There is no trace store at {chosen}.",
            path=chosen,
            remedy="Record a run first, or name a store with --store or COREACT_STORE.",
        )
    return SQLiteTraceStore(chosen)


def _json(record: BaseModel) -> str:
    # ASCII only: JSON leaves some control characters alone that terminals act on.
    return json.dumps(record.model_dump(), ensure_ascii=True)
