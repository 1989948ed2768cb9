"""`coreact train attempts`: branching points of what stored runs tried, judged as it was then.

A command of its own and no option of `coreact train collect`: nobody proposes here, nothing is run and nobody
is asked, so most options of that command would have to be refused.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from coreact.cli.train_collect import interrupted, progress, stored_runs, tell
from coreact.cli.worlds import GAZETTEER, known_worlds, open_world
from coreact.errors import MissingExtraError


def attempts(
    store: Annotated[Path, typer.Option(help="Trace store of the runs.")],
    out: Annotated[Path, typer.Option(help="Folder of the collection; an interrupted one goes on there.")],
    evaluator: Annotated[
        str, typer.Option(help="Whose verdicts count: `run`, `human`, or the name of a later evaluator.")
    ] = "run",
    world: Annotated[
        str,
        typer.Option(help="A world whose questions the runs may have asked; the gazetteer's are known too."),
    ] = GAZETTEER,
    n: Annotated[int | None, typer.Option("--n", min=1, help="Most runs; default: all.")] = None,
    half: Annotated[
        Literal["train", "dev"],
        typer.Option(help="Runs that asked questions to train on, or to measure on."),
    ] = "train",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Make branching points of a trace store: what was tried at one step, and how it was judged."""
    try:
        from coreact.train.branch.attempts import collect_attempts
        from coreact.train.branch.choice import Choice
    except ImportError as error:
        raise MissingExtraError("Collecting", extra="bench") from error
    loaded = open_world(world)
    console = Console(stderr=as_json, soft_wrap=True)
    known = known_worlds(world, loaded)
    choice = Choice(half, worlds=known, n=n)
    try:
        with stored_runs(store) as trace, progress(console) as report:
            found = asyncio.run(
                collect_attempts(
                    trace.trajectories(),
                    out,
                    choice=choice,
                    evaluator=evaluator,
                    questions={one.question: one.id for each in reversed(known) for one in each.questions},
                    report=report,
                )
            )
    except KeyboardInterrupt:
        raise interrupted() from None
    tell(console, found, out, as_json=as_json)
