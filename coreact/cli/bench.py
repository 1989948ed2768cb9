"""`coreact bench`: measure whether guidance helps and whether it harms, and print the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from coreact.cli.bench_rank import rank
from coreact.cli.models import LOCAL, open_model
from coreact.cli.recipes import load_agent
from coreact.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:  # a command line that starts quickly imports LangChain only to run
    from langchain_core.language_models import BaseChatModel

bench_app = typer.Typer(help="Suites with a control arm.", no_args_is_help=True)

bench_app.command()(rank)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@bench_app.command()
def gazetteer(
    n: Annotated[int, typer.Option("--n", min=1, help="Questions for each seed.")] = 100,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds; each draws its own questions.")] = 3,
    arms: Annotated[str, typer.Option(help="Arms, separated by commas.")] = "plain,guided",
    hops: Annotated[int, typer.Option(min=2, max=3, help="Hops of the questions.")] = 2,
    tool_calls: Annotated[int, typer.Option(min=1, help="Tool calls before the agent has to answer.")] = 2,
    model: Annotated[str, typer.Option(help="`local`, `provider:name`, or a server's model name.")] = LOCAL,
    writer: Annotated[
        str | None, typer.Option(help="Another model that writes rubrics, where an arm has one written.")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Root of an OpenAI-compatible server.")] = None,
    temperature: Annotated[float, typer.Option(min=0, max=2)] = 0.0,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the embedded server.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="JSON lines file of outcomes; an interrupted suite goes on there.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Plain against guided ReAct on gazetteer questions: evidence found, answers, cost."""
    suite = _suite()
    chosen = [arm.strip() for arm in arms.split(",") if arm.strip()]
    unknown = [arm for arm in chosen if arm not in suite.ARMS]
    if unknown or not chosen:
        raise ConfigError(
            f"There is no arm {unknown or arms!r}.", remedy=f"Arms are: {', '.join(suite.ARMS)}."
        )
    from coreact_tools import corpus_tools

    from coreact.worlds import gazetteer as make_world

    path = out or Path(".coreact") / "bench" / f"gazetteer-{model.replace(':', '-')}-{hops}hop.jsonl"
    console = Console(stderr=as_json)
    with ExitStack() as servers:
        opened = partial(_model_for, servers, base_url=base_url, temperature=temperature, threads=threads)
        runs: Iterator[object] = suite.run_suite(
            opened(model),
            load_agent("react").build,
            lambda corpus: corpus_tools(corpus)[:1],
            make_world(),
            n=n,
            seeds=range(seeds),
            arms=chosen,
            hops=hops,
            tool_calls=tool_calls,
            out=path,
            writer=None if writer is None else opened(writer),
        )
        total = n * seeds * len(chosen)
        outcomes = list(track(runs, description="runs", total=total, console=console))
    table = suite.summary(outcomes)
    differences = suite.against_control(outcomes)
    if as_json:
        print(json.dumps({"means": table, "differences": differences, "outcomes": str(path)}))
        return
    _print(console, "Mean over questions, 95 % bootstrap interval", table)
    if differences:
        _print(console, f"Difference to {suite.CONTROL}, paired by question", differences)


@bench_app.command()
def harm(
    n: Annotated[int, typer.Option("--n", min=1, help="Tasks.")] = 100,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: JsonFlag = False,
) -> None:
    """False alarms of default guidance on experts whose every step is right."""
    from coreact.bench.gazetteer import choose
    from coreact.bench.harm import everyday_tasks, measure, search_tasks
    from coreact.worlds import gazetteer as make_world

    world = make_world()
    reports = [measure("everyday tools", everyday_tasks(n, seed=seed))]
    for hops in (2, 3):
        tasks = search_tasks(world, choose(world, n=n, seed=seed, hops=hops))
        reports.append(measure(f"search, {hops} hops", tasks))
    if as_json:
        print(json.dumps([report.model_dump() | {"alarm_rate": report.alarm_rate} for report in reports]))
        return
    shown = Table(title="Default guidance on right steps")
    for column in ("family", "tasks", "steps", "alarms", "alarm rate", "spoiled", "changed outcomes"):
        shown.add_column(column, justify="left" if column == "family" else "right")
    for report in reports:
        cells = (report.tasks, report.steps, report.alarms, f"{report.alarm_rate:.1%}", report.spoiled)
        shown.add_row(report.family, *map(str, cells), str(report.changed_outcomes))
    Console().print(shown)


def _suite() -> ModuleType:
    try:
        from coreact.bench import gazetteer as suite
    except ImportError as error:
        raise MissingExtraError("The bench", extra="bench") from error
    return suite


def _model_for(
    servers: ExitStack, name: str, *, base_url: str | None, temperature: float, threads: int
) -> Callable[[int], BaseChatModel]:
    """One server for all seeds; the seed goes with each request."""
    opened = servers.enter_context(
        open_model(name, base_url=base_url, temperature=temperature, threads=threads)
    )

    def seeded(seed: int) -> BaseChatModel:
        return opened.model_copy(update={"seed": seed}) if "seed" in type(opened).model_fields else opened

    return seeded


def _print(console: Console, title: str, table: dict[str, dict[str, object]]) -> None:
    arms = list(table)
    shown = Table(title=title)
    shown.add_column("metric")
    for arm in arms:
        shown.add_column(arm, justify="right")
    for metric in next(iter(table.values()), {}):
        shown.add_row(metric, *(str(table[arm].get(metric, "")) for arm in arms))
    console.print(shown)
