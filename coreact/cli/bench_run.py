"""`coreact bench run`: arms on the tasks of a suite, with the same budget, resumable, within a cap."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from coreact.cli.bench_looking import require_extra, show
from coreact.cli.generators import ABOUT, ABOUT_FORM, HEURISTIC, chosen_generator
from coreact.cli.models import LOCAL, open_model, seeded
from coreact.cli.recipes import load_agent
from coreact.cli.run import INTERRUPTED
from coreact.errors import ConfigError

if TYPE_CHECKING:  # a command line that starts quickly imports LangChain only to run
    from coreact.bench.experiment import Experiment, Outcome
    from coreact.bench.records import Suite

INCOMPLETE = 1
"""Exit code where episodes are left: the cap was reached, or the model is down."""


def run(
    suite: Annotated[str, typer.Argument(help="Which suite; see `coreact bench suites`.")],
    arm: Annotated[
        list[str] | None, typer.Option(help="An arm; repeat it, or part by commas. See `coreact bench arms`.")
    ] = None,
    path: Annotated[Path | None, typer.Option(help="The suite's file or folder, where it has one.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="An option of the suite, as NAME=VALUE; may be repeated.")
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="Tasks of each seed, drawn.")] = 100,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from 0.")] = 1,
    own_tasks: Annotated[
        bool, typer.Option("--own-tasks", help="Each seed draws its own tasks, instead of all the same.")
    ] = False,
    tool_calls: Annotated[int, typer.Option(min=1, help="Tool calls of an episode, for every arm.")] = 4,
    shown: Annotated[int, typer.Option(min=1, help="Documents that one search shows.")] = 3,
    model: Annotated[
        str,
        typer.Option(help="`local`, `searcher`, `scripted:heed=0.5`, `provider:name`, or a server's name."),
    ] = LOCAL,
    writer: Annotated[
        str | None, typer.Option(help="Another model that writes rubrics, critiques and reflections.")
    ] = None,
    generator: Annotated[str, typer.Option(help=f"{ABOUT} For the arms `trained …`.")] = HEURISTIC,
    generator_form: Annotated[str | None, typer.Option(help=ABOUT_FORM)] = None,
    judge: Annotated[
        str | None, typer.Option(help="A model that measures, where the suite needs one.")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Root of an OpenAI-compatible server.")] = None,
    gguf: Annotated[Path | None, typer.Option(help="Another model file for the embedded server.")] = None,
    temperature: Annotated[float, typer.Option(min=0, max=2)] = 0.0,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the embedded server.")] = 1,
    concurrency: Annotated[int, typer.Option(min=1, help="Episodes at once.")] = 1,
    prices: Annotated[Path | None, typer.Option(help="Price table, TOML or JSON; see docs/bench.md.")] = None,
    max_usd: Annotated[
        float | None, typer.Option(min=0, help="Start no episode beyond so much money.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=0, help="Start no episode beyond so many.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Most seconds of an episode.")] = None,
    traces: Annotated[bool, typer.Option(help="Keep the judged runs in a trace store.")] = True,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the experiment; an interrupted one goes on there.")
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(help="Folder of an experiment to go through again without a model, into --out."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare arms on a suite: the same tasks, seeds, model and number of tool calls for each."""
    require_extra()
    from coreact.bench.experiment import Experiment, Prices, draw, read_prices, this_session

    options = _options(option or ())
    names = [name.strip() for given in (arm or ["plain,guided"]) for name in given.split(",") if name.strip()]
    chosen = _arms(names)
    with ExitStack() as stack:
        if judge is not None:
            from coreact.judge.model import ModelJudge

            options["judge"] = ModelJudge(
                stack.enter_context(open_model(judge, base_url=base_url, threads=threads))
            )
        opened = _open(suite, path, options, shown)
        session = this_session([Path(sys.argv[0]).name, *sys.argv[1:]])
        if replay is not None:
            target = out or replay.with_name(f"{replay.name}-replayed")
            _replayed(replay, target, opened, session, as_json=as_json)
            return
        _trained(chosen, generator)
        known: dict[str, Any] = {"base_url": base_url, "temperature": temperature, "threads": threads}
        chat = stack.enter_context(
            open_model(model, gguf=gguf, world=getattr(opened, "world", None), **known)
        )
        author = None if writer is None else stack.enter_context(open_model(writer, **known))
        trained = stack.enter_context(
            chosen_generator(generator, form=generator_form, threads=threads, parallel=concurrency)
        )
        settings = {
            "model": model if gguf is None else f"{model}:{gguf.name}",
            "temperature": temperature,
            "writer": writer,
            "judge": judge,
            "generator": None if trained is None else trained.id,
            "own_tasks": own_tasks,
        }
        experiment = Experiment(
            suite=opened,
            arms=chosen,
            tasks=draw(opened, n=n, seeds=range(seeds), own=own_tasks),
            model=seeded(chat),
            writer=None if author is None else seeded(author),
            generator=trained,
            tool_calls=tool_calls,
            shown=shown,
            folder=out or _folder(opened.name, model),
            settings={name: value for name, value in settings.items() if value is not None},
            session=session,
            concurrency=concurrency,
            prices=Prices() if prices is None else read_prices(prices),
            max_usd=max_usd,
            max_tokens=max_tokens,
            seconds=seconds,
            traces=traces,
        )
        _run(experiment, as_json=as_json)


def _run(experiment: Experiment, *, as_json: bool) -> None:
    from coreact.bench.experiment import run_experiment

    console = Console(stderr=True)
    spent = 0

    with _progress(console) as progress:
        task = progress.add_task("episodes", total=len(experiment.queue), spent="")

        def follow(outcome: Outcome) -> None:
            nonlocal spent
            spent += outcome.episode.usage.input_tokens + outcome.episode.usage.output_tokens
            progress.update(task, advance=1, spent=f"{spent:,} tokens")

        try:
            ended = asyncio.run(run_experiment(experiment, on_outcome=follow))
        except KeyboardInterrupt:
            progress.stop()
            console.print("Interrupted. Every finished episode is kept; the same command goes on.")
            raise typer.Exit(INTERRUPTED) from None
    show(ended.notebook, as_json=as_json, left=ended.left, why=ended.why)
    if ended.left:
        console.print(f"Stopped with {ended.left} episodes left: {ended.why}. The same command goes on.")
        raise typer.Exit(INCOMPLETE)


def _replayed(source: Path, target: Path, suite: Suite, session: Any, *, as_json: bool) -> None:
    from coreact.bench.arms import known_arms
    from coreact.bench.experiment import replay

    known = known_arms(lambda name: load_agent(name).build)
    with _progress(Console(stderr=True)) as progress:
        task = progress.add_task("episodes", total=None, spent="")
        done = replay(
            source,
            target,
            suite=suite,
            arms=known,
            session=session,
            on_outcome=lambda _: progress.update(task, advance=1),
        )
        notebook = asyncio.run(done)
    show(notebook, as_json=as_json)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[spent]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _arms(names: Sequence[str]) -> list[Any]:
    from coreact.bench.arms import arms_named

    return arms_named(names, lambda name: load_agent(name).build)


def _trained(chosen: Sequence[Any], generator: str) -> None:
    """Refuse arms without their generator, and a generator without an arm, before anything is run."""
    from coreact.bench.arms.guided import TRAINED

    names = [one.name for one in chosen if one.settings.get("generator") == TRAINED]
    if names and generator == HEURISTIC:
        raise ConfigError(
            f"The arm {names[0]!r} is guided by a trained generator, and there is none.",
            remedy="Give --generator.",
        )
    if not names and generator != HEURISTIC:
        raise ConfigError("No arm uses --generator.", remedy="Add --arm trained, or leave --generator out.")


def _open(name: str, path: Path | None, options: dict[str, Any], shown: int) -> Suite:
    from coreact.bench.suites import open_suite, suite_options

    if "k" in options:
        raise ConfigError("How many documents a search shows is no option here.", remedy="Use --shown.")
    if "n" in options or "seed" in options:
        raise ConfigError("Tasks are drawn by the bench.", remedy="Use --n.")
    if "k" in suite_options(name):
        options["k"] = shown
    return open_suite(name, path, **options)


def _options(given: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE` pairs; whole numbers and true/false become such, `none` nothing."""
    options: dict[str, Any] = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign or not name.strip():
            raise ConfigError(f"{one!r} is no option of a suite.", remedy="Write NAME=VALUE.")
        known: dict[str, Any] = {"true": True, "false": False, "none": None}
        text = value.strip()
        whole = int(text) if re.fullmatch(r"-?\d{1,18}", text) else text
        options[name.strip()] = known.get(text.casefold(), whole)
    return options


def _folder(suite: str, model: str) -> Path:
    return Path(".coreact") / "bench" / re.sub(r"[^A-Za-z0-9.,=+-]+", "-", f"{suite}-{model}")[:120]
