"""`coreact train fit`: a recipe and branching points become a rubric generator."""

from __future__ import annotations

import hashlib
import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

import coreact
from coreact.cli.run import INTERRUPTED
from coreact.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:  # a command line that starts quickly imports the records of training only to train
    from coreact.train.fitting import Fitted, Progress
    from coreact.train.recipes import Recipe

_NEEDED = ("torch", "transformers", "trl", "peft", "datasets", "gguf")
_PACKAGE = Path(coreact.__file__).parent
_PLACES = (_PACKAGE / "_recipes" / "rubric_models", _PACKAGE.parent / "rubric_models")
_SHOWN = ("loss", "reward", "entropy", "masked")


def fit(
    recipe: Annotated[str, typer.Argument(help="A recipe.toml, its folder, or a name under rubric_models/.")],
    points: Annotated[
        list[Path],
        typer.Option(help="Points: a folder of `coreact train collect`, or a file; may be repeated."),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder of the run and of the generator; an interrupted run goes on there.")
    ],
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the recipe's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Train a rubric generator by a recipe: every finished stage and checkpoint is kept."""
    if any(find_spec(package) is None for package in _NEEDED):  # before the points are read
        raise MissingExtraError("Training a rubric generator", extra="train")
    from coreact.train.fitting import fit as run
    from coreact.train.points import point_files, read_points
    from coreact.train.recipes import read_recipe

    chosen = read_recipe(_found(recipe))
    if seed is not None:
        chosen = chosen.model_copy(update={"seed": seed})
    files = point_files(points)
    first = os.environ.get("RANK", "0") == "0"  # of the processes that `accelerate launch` starts
    console = Console(stderr=True, soft_wrap=True, quiet=not first)
    with _bars(console) as bars:
        shown = _Shown(bars, chosen)
        try:
            done = run(chosen, read_points(files), out, report=shown, sources=_digests(files))
        except KeyboardInterrupt:
            bars.stop()
            console.print("Interrupted. The last checkpoint is kept; the same command goes on from it.")
            raise typer.Exit(INTERRUPTED) from None
    if first:
        _tell(done, as_json=as_json)


def _found(recipe: str) -> Path:
    path = Path(recipe)
    if path.is_file() or (path / "recipe.toml").is_file():
        return path
    known = {found.parent.name: found for place in _PLACES for found in sorted(place.glob("*/recipe.toml"))}
    if recipe in known:
        return known[recipe]
    if path.exists():
        return path  # which says what it lacks
    raise ConfigError(
        f"There is no recipe {recipe!r}.",
        remedy=f"Give a file, a folder, or one of: {', '.join(known) or 'none is shipped'}.",
    )


def _digests(files: tuple[Path, ...]) -> dict[str, str]:
    found = {}
    for path in files:
        with path.open("rb") as file:
            found[str(path)] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _bars(console: Console) -> Bars:
    return Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
        console=console,
    )


class _Shown:
    """Shows the progress of each stage as a bar of its own."""

    def __init__(self, bars: Bars, recipe: Recipe) -> None:
        self._bars = bars
        self._tasks = [
            bars.add_task(f"{at}. {stage.method}", total=stage.steps, figures="", start=False)
            for at, stage in enumerate(recipe.stage, 1)
        ]

    def __call__(self, line: Progress) -> None:
        task = self._tasks[line.stage]
        if not self._bars.tasks[line.stage].started:
            self._bars.start_task(task)
        figures = [f"{name} {value:.3f}" for name in _SHOWN if (value := line.metrics.get(name)) is not None]
        self._bars.update(task, completed=line.step, total=line.steps, figures=", ".join(figures))


def _tell(done: Fitted, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"folder": str(done.folder), **done.record.model_dump(mode="json")}))
        return
    console = Console(soft_wrap=True)
    for at, stage in enumerate(done.record.stages, 1):
        if stage.ended is not None:
            masked = (
                f", {stage.ended.masked} of {stage.ended.scored} rewards masked" if stage.ended.scored else ""
            )
            console.print(
                f"{at}. {stage.method}: {stage.ended.steps} steps{masked}", markup=False, highlight=False
            )
            for alarm in stage.ended.monitor.alarms if stage.ended.monitor else ():
                end = "ended by" if alarm.stop else "alarm"
                console.print(
                    f"   {end} {alarm.rule} at step {alarm.step}: {alarm.reason}",
                    markup=False,
                    highlight=False,
                )
    console.print(
        f"Generator: {done.folder} (coreact run --generator {done.folder})", markup=False, highlight=False
    )
