"""`coreact bench`: compare arms on a suite, and measure whether guidance harms; the commands put together."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from coreact.cli.bench_looking import arms, report, suites
from coreact.cli.bench_rank import rank
from coreact.cli.bench_run import run

bench_app = typer.Typer(help="Compare ways to work on suites of tasks.", no_args_is_help=True)

bench_app.command()(run)
bench_app.command()(report)
bench_app.command()(arms)
bench_app.command()(suites)
bench_app.command()(rank)


@bench_app.command()
def harm(
    n: Annotated[int, typer.Option("--n", min=1, help="Tasks.")] = 100,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """False alarms of default guidance on experts whose every step is right."""
    from coreact.bench.harm import everyday_tasks, measure, search_tasks
    from coreact.worlds import gazetteer as make_world
    from coreact.worlds.choosing import choose

    world = make_world()
    reports = [measure("everyday tools", everyday_tasks(n, seed=seed))]
    for hops in (2, 3):
        tasks = search_tasks(world, choose(world, n=n, seed=seed, hops=hops))
        reports.append(measure(f"search, {hops} hops", tasks))
    if as_json:
        print(json.dumps([one.model_dump() | {"alarm_rate": one.alarm_rate} for one in reports]))
        return
    shown = Table(title="Default guidance on right steps")
    for column in ("family", "tasks", "steps", "alarms", "alarm rate", "spoiled", "changed outcomes"):
        shown.add_column(column, justify="left" if column == "family" else "right")
    for one in reports:
        cells = (one.tasks, one.steps, one.alarms, f"{one.alarm_rate:.1%}", one.spoiled)
        shown.add_row(one.family, *map(str, cells), str(one.changed_outcomes))
    Console().print(shown)
