"""From a recipe and branching points to a generator's folder, stage by stage."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from coreact.errors import ConfigError, ExperimentMismatchError, UserError
from coreact.rubric.branching import BranchingPoint
from coreact.trace.folders import make_folder
from coreact.train.fitting.arguments import Devices, arguments
from coreact.train.fitting.folder import write_folder
from coreact.train.fitting.kept import Kept, keep
from coreact.train.fitting.lengths import Lengths
from coreact.train.fitting.material import texts, write_rows
from coreact.train.fitting.progress import Report
from coreact.train.fitting.record import RECORD, RunRecord, begin, check_folder, read_run, write_run
from coreact.train.fitting.stages import MODEL, Helpers, Place, run_stage
from coreact.train.models import prepare_base
from coreact.train.recipes import GrpoStage, Recipe, Stage

_BASE = "base"


class Fitted(NamedTuple):
    """A finished run."""

    folder: Path
    """The generator's folder: `coreact run --generator FOLDER`."""
    record: RunRecord
    """What it was made from, and what happened."""


def fit(
    recipe: Recipe,
    points: Iterable[BranchingPoint],
    out: Path,
    *,
    reward: Any = None,
    report: Report | None = None,
    callbacks: Sequence[Any] = (),
    rollouts: Any = None,
    trainer: Callable[[type], type] | None = None,
    sources: Mapping[str, str] | None = None,
) -> Fitted:
    """Train a rubric generator; a run that was interrupted goes on, and one that is finished is only read.

    Under `accelerate launch` every process calls it in the same way; the first one writes.

    Args:
        recipe: how.
        points: on what; without contrast they are left out and counted.
        out: folder of the run, and of the generator that it leaves.
        reward: asked for rewards in GRPO stages: called as TRL calls reward functions, with the column
            `point` (see `coreact.train.rewards`); None makes the recipe's rank reward.
        report: is told of every logged step.
        callbacks: more callbacks of transformers for every stage, such as a monitor's; they may stop it.
        rollouts: who writes the replies in GRPO stages, as TRL's `rollout_func`; None: the model as it is.
        trainer: makes a subclass of TRL's `GRPOTrainer` that GRPO stages are done by, such as
            `coreact.train.rewrites.off_policy`.
        sources: SHA-256 of the files that the points come from, by name, for the record.

    Raises:
        MissingExtraError: the extra `train` is not installed.
        ConfigError: no point can be learned from, recipe, rows and devices do not fit each other, or the
            folder cannot be made.
        ExperimentMismatchError: the folder holds a run with another recipe or other points.
        ModelFileError: the base model cannot be used.
        TrainingDivergedError: loss or gradient is no number.
        TrainingPausedError: the judge gave no verdict for several batches in a row.
        StoreError: the disk is full.
    """
    devices = Devices()
    record = _prepare(recipe, points, out, sources or {}, devices) if devices.first else None
    devices.wait()
    if record is None:
        record = _read(out)
    if record.finished:
        return Fitted(out, record)
    source = prepare_base(recipe.model, (), out / _BASE, seed=recipe.seed)
    for at, (stage, told) in enumerate(zip(recipe.stage, record.stages, strict=True)):
        if isinstance(stage, GrpoStage) and reward is None:
            reward = _reward(recipe)
        rows = told.material.rows if told.material else 0
        place = Place(out, at, _rows_of(out, at, stage), rows)
        helpers = Helpers(reward, report, tuple(callbacks), rollouts, trainer)
        ended = run_stage(recipe, stage, place, source, devices=devices, helpers=helpers)
        record = record.with_stage(at, ended=ended)
        if devices.first:
            write_run(record, out)
        source = str(place.folder(stage.method) / MODEL)
    record = record.model_copy(update={"finished": True})
    if devices.first:
        write_folder(recipe, record, Path(source), out)
        write_run(record, out)
    devices.wait()
    return Fitted(out, record)


def _prepare(
    recipe: Recipe,
    points: Iterable[BranchingPoint],
    out: Path,
    sources: Mapping[str, str],
    devices: Devices,
) -> RunRecord:
    """Everything that is written before training: points, the record, a new base model, all rows.

    What can be refused is refused here, and not when the last stage begins.
    """
    known = check_folder(recipe, out)
    make_folder(out)
    chosen = keep(points, recipe, out / "data" / "points.jsonl", known=known.points_sha256 if known else None)
    record = known or begin(recipe, out, chosen, sources=sources)
    if record.finished:
        return record
    try:
        return _with_rows(recipe, record, chosen, out, devices)
    except UserError:
        if known is None:  # nothing was learned: the folder is free for the recipe put right
            shutil.rmtree(out / _BASE, ignore_errors=True)
            (out / RECORD).unlink()
        raise


def _with_rows(recipe: Recipe, record: RunRecord, chosen: Kept, out: Path, devices: Devices) -> RunRecord:
    base = prepare_base(recipe.model, texts(recipe, chosen), out / _BASE, seed=recipe.seed)
    lengths = None
    for at, stage in enumerate(recipe.stage):
        path = _rows_of(out, at, stage)
        if record.stages[at].material is None or not path.is_file():
            lengths = lengths or Lengths(recipe, base)
            made = write_rows(recipe, stage, chosen, path, fits=lengths.checker(stage))
            if record.stages[at].material not in (None, made):
                raise ExperimentMismatchError(out, (f"the rows of stage {at + 1} were others",))
            record = record.with_stage(at, material=made)
            write_run(record, out)
    for stage, told in zip(recipe.stage, record.stages, strict=True):
        rows = told.material.rows if told.material else 0
        arguments(recipe, stage, rows=rows, folder=out, devices=devices)
    return record


def _read(out: Path) -> RunRecord:
    known = read_run(out)
    if known is None:
        raise ConfigError(
            f"The first process left no run in {str(out)!r}.",
            remedy="Give a folder that all processes can read.",
        )
    return known[0]


def _rows_of(out: Path, at: int, stage: Stage) -> Path:
    return out / "data" / f"{at + 1}-{stage.method}.jsonl"


def _reward(recipe: Recipe) -> Any:
    from coreact.train.rewards.reward import RubricReward
    from coreact.train.rewards.trl import TrlReward

    return TrlReward(RubricReward(recipe.reward, form=recipe.prompt.form))
