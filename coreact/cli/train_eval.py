"""`coreact train eval`: what a trained generator is worth on held-out questions, beside its controls."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from coreact.cli.models import open_model
from coreact.cli.run import INTERRUPTED
from coreact.cli.worlds import GAZETTEER, open_world
from coreact.errors import ConfigError, LabelFileError, MissingExtraError

if TYPE_CHECKING:  # a command line that starts quickly imports NumPy and its kin only to measure
    from coreact.bench.generators.evaluation import Evaluation, Held
    from coreact.bench.generators.results import Agents
    from coreact.bench.rank.rubrics import Attempt
    from coreact.rubric.branching import BranchingPoint
    from coreact.worlds import World

_STATES = 4


def evaluate(
    generator: Annotated[str, typer.Argument(help="Folder or name of a trained generator.")],
    world: Annotated[
        str, typer.Option(help="`gazetteer`, or a folder of questions and passages.")
    ] = GAZETTEER,
    points: Annotated[
        Path | None,
        typer.Option(help="Measure on this `coreact train collect --half dev` instead of points of its own."),
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="Most held-out questions.")] = 100,
    per_question: Annotated[
        int | None, typer.Option(min=1, max=4, help="States taken from each question, default 4.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Draws chance; without --points, also questions and states.")
    ] = 0,
    against: Annotated[
        list[str] | None,
        typer.Option(help="Another generator to compare with, as NAME=FOLDER; may be repeated."),
    ] = None,
    judge: Annotated[
        str | None, typer.Option(help="A model of another family that ranks the candidates, too.")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Root of the judge's server.")] = None,
    experiment: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a `coreact bench run --generator …`, to be added; may be repeated."),
    ] = None,
    ranking: Annotated[bool, typer.Option(help="Rank branching points; else only add experiments.")] = True,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the embedded server.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure a trained generator on held-out questions, and write results.json and card.md in its folder."""
    try:
        from coreact.bench.experiment import this_session
        from coreact.bench.generators.results import Ranked, read_results, write_results
    except ImportError as error:
        raise MissingExtraError("The bench", extra="bench") from error
    from coreact.generate.trained import find_generator, open_generator

    if points is not None and per_question is not None:
        raise ConfigError(
            "--per-question says which points are made, and those of --points are there already.",
            remedy="Leave out one of the two.",
        )
    folder = find_generator(generator)
    console = Console(stderr=as_json, soft_wrap=True)
    session = this_session([Path(sys.argv[0]).name, *sys.argv[1:]])
    with ExitStack() as opened:
        measured = opened.enter_context(open_generator(folder, threads=threads, seed=seed))
        results = read_results(folder, measured.id)
        for one in experiment or ():
            results = results.adding(agents=_agents(one, measured.id))
        if ranking:
            from coreact.bench.generators.evaluation import Held, evaluate
            from coreact.judge.panel import ListwiseRanker
            from coreact.judge.structured import StructuredModel

            loaded = open_world(world)
            held = (
                Held(loaded.name, loaded.version, seed, _held_out(loaded, n, per_question or _STATES, seed))
                if points is None
                else _collected(points, loaded, n=n, seed=seed)
            )
            _refuse_trained_on(folder, held.points)
            others = {
                name: opened.enter_context(open_generator(place, threads=threads, seed=seed))
                for name, place in map(_named, against or ())
            }
            asked = None
            if judge is not None:
                asked = opened.enter_context(open_model(judge, base_url=base_url, threads=threads))
            found = evaluate(
                measured,
                held,
                others=others,
                outsider=None if asked is None else ListwiseRanker(StructuredModel(asked)),
                watch=partial(_watch, console),
            )
            results = results.adding(ranked=Ranked(evaluation=found, session=session))
    write_results(folder, results)
    if as_json:
        print(results.model_dump_json())
        return
    for ranked in results.ranking:
        _show(console, ranked.evaluation)
    console.print(Text(f"Results  {folder / 'results.json'}"))


def _agents(folder: Path, generator: str) -> Agents:
    from coreact.bench.experiment import read_notebook
    from coreact.bench.generators.results import Agents
    from coreact.bench.report import report

    notebook = read_notebook(folder)
    manifest = notebook.manifest
    guided_by = None if manifest is None else manifest.settings.get("generator")
    if manifest is None or guided_by != generator:
        raise ConfigError(
            f"The experiment in {str(folder)!r} was guided by {guided_by!r}, not by {generator!r}.",
            remedy="Run `coreact bench run SUITE --arm plain,guided,trained --generator FOLDER`.",
        )
    return Agents(report=report(manifest, notebook.outcomes), session=manifest.sessions[-1])


def _held_out(world: World, n: int, per_question: int, seed: int) -> tuple[BranchingPoint, ...]:
    from coreact.train.branch.scripted import collect, parts

    dev = parts(world, n=n, seed=seed).dev
    return tuple(collect(world, dev, seed=seed, per_question=per_question, readable=None))


def _collected(folder: Path, world: World, *, n: int, seed: int) -> Held:
    """The points of a collection from the held-out half of a world, of its first `n` questions.

    Raises:
        ConfigError: it was collected elsewhere, from other content, or from the other half, or its gains were
            not measured.
        LabelFileError: it is no collection, or holds no points that can be read.
    """
    from coreact.bench.generators.evaluation import Held
    from coreact.train.branch.scripted import splits
    from coreact.train.points import MEASURED, judges_of, read_points

    settings = _settings(folder)
    drawn_with = settings.get("seed")
    found = list(read_points(folder))
    other = next((point.world for point in found if point.world != world.name), None)
    if other is not None:
        raise ConfigError(
            f"The points in {str(folder)!r} are of the world {other!r}, not of {world.name!r}.",
            remedy="Name their world with --world.",
        )
    if settings.get("version") != world.version:
        raise ConfigError(
            f"The content of the world {world.name!r} has changed since {str(folder)!r} was collected.",
            remedy="Collect anew, or name the world as it was with --world.",
        )
    halves = splits(world)
    if any(halves.get(point.question_id) != "dev" for point in found):
        raise ConfigError(
            f"{str(folder)!r} holds questions that are not held out.",
            remedy="Collect the held-out ones with `coreact train collect --half dev`.",
        )
    if any(judges_of(point) != {MEASURED} for point in found):
        raise ConfigError(
            f"The candidates in {str(folder)!r} were ranked by judges, and no gain was measured.",
            remedy="Collect without --judge.",
        )
    kept = dict.fromkeys(point.question_id for point in found)
    first = set(list(kept)[:n])
    return Held(
        world.name,
        world.version,
        seed,
        tuple(point for point in found if point.question_id in first),
        proposed_by=", ".join(settings["samplers"]),
        collection_seed=drawn_with if type(drawn_with) is int else None,
    )


def _settings(folder: Path) -> dict[str, Any]:
    """What a folder was collected with.

    Raises:
        LabelFileError: it is no folder of `coreact train collect`.
    """
    from coreact.train.branch.visits import SETTINGS

    path = folder / SETTINGS
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        if all(isinstance(one, str) for one in settings["samplers"]):
            return dict(settings)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise LabelFileError(
        f"{path} does not tell who proposed the candidates.",
        path=path,
        remedy="Name a folder of `coreact train collect --half dev`.",
    )


def _refuse_trained_on(folder: Path, points: Iterable[BranchingPoint]) -> None:
    """Refuse points of questions that the generator was trained on, where its folder still says which."""
    from coreact.train.points import read_points

    kept = folder / "data" / "points.jsonl"
    if not kept.is_file():
        return
    trained = {point.question_id for point in read_points([kept])}
    both = sorted({point.question_id for point in points} & trained)
    if both:
        raise ConfigError(
            f"{len(both)} of the questions were trained on, such as {both[0]!r}.",
            remedy="Collect training points with `coreact train collect`, which leaves these questions out.",
        )


def _named(given: str) -> tuple[str, str]:
    name, sign, place = given.partition("=")
    if not sign or not name or not place:
        raise ConfigError(f"{given!r} names no generator.", remedy="Write NAME=FOLDER.")
    return name, place


def _watch(console: Console, attempts: Iterable[Attempt], arm: str, total: int) -> Iterable[Attempt]:
    try:
        yield from track(attempts, description=arm, total=total, console=console, transient=True)
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted. Nothing was written.")
        raise typer.Exit(INTERRUPTED) from None


def _show(console: Console, found: Evaluation) -> None:
    shown = Table(
        title=f"{found.world}: {found.points} points of {found.questions} held-out questions, checks only",
        caption=f"Candidates by {found.proposed_by}. Spearman with the measured gains; what a loop that"
        " verifies gains over first proposals; means by question, 95 % bootstrap intervals.",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    shown.add_column("who writes")
    for column in ("Spearman", "trained minus this", "verifying gains", "trained minus this", "written"):
        shown.add_column(column, justify="right", no_wrap=True)
    for arm in found.arms:
        shown.add_row(
            arm.arm,
            str(arm.spearman),
            str(found.differences.get(arm.arm, "")),
            "" if arm.taken is None else str(arm.taken),
            str(found.taken_differences.get(arm.arm, "")),
            "" if arm.written is None else f"{arm.written:.0%}",
        )
    console.print(shown)
    if found.context is not None:
        console.print(Text(f"Shown another state: {found.context.shuffled}; gap {found.context.difference}"))
    console.print(Text(f"Passes the gate: {found.gate}; latency: {found.latency}"))
