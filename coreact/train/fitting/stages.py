"""One stage of a recipe: TRL's trainer, guarded, from a model folder to a model folder.

A stage that was finished is not done again; one that was interrupted goes on from its last whole checkpoint
with the same rows, weights, optimiser and random state, so that it ends with the very weights that an
uninterrupted one has (on the same machine and number of threads).
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from coreact.errors import ConfigError, MissingExtraError
from coreact.rubric import Record
from coreact.trace.lines import write_whole
from coreact.train.fitting.arguments import Devices, arguments
from coreact.train.fitting.checkpoints import drop_torn, last_whole
from coreact.train.fitting.faults import Tally, guarded
from coreact.train.fitting.material import open_rows
from coreact.train.fitting.probe import watcher
from coreact.train.fitting.progress import METRICS, Report, cut, listener
from coreact.train.fitting.thrift import learned_alone, sharing
from coreact.train.models import Opened, open_model, quiet
from coreact.train.monitor.watching import MonitorSummary
from coreact.train.recipes import DpoStage, GrpoStage, ModelSettings, Recipe, SftStage, Stage
from coreact.train.saving import saving

_DONE = "done.json"
MODEL, ADAPTER = "model", "adapter"


class Ended(Record):
    """A finished stage."""

    method: str
    steps: int
    scored: int = 0
    """Rewards that were asked for."""
    masked: int = 0
    """Rewards of those that the instruments could not give: no label, and no fault of the model."""
    monitor: MonitorSummary | None = None
    """What was seen in the stage, and the alarm that ended it before its time, if one did."""


class Helpers(NamedTuple):
    """What the caller of a run gave it."""

    reward: Any
    """What TRL asks for rewards, in GRPO stages."""
    report: Report | None
    """Is told of every logged step."""
    callbacks: tuple[Any, ...] = ()
    """More callbacks of transformers."""
    rollouts: Any = None
    """TRL's `rollout_func`, in GRPO stages."""
    trainer: Callable[[type], type] | None = None
    """Makes the class of trainer of GRPO stages out of TRL's."""


class Place(NamedTuple):
    """Where a stage is in its run."""

    out: Path
    """Folder of the run."""
    at: int
    """0-based number of the stage."""
    rows: Path
    """Its rows."""
    size: int
    """How many rows there are."""

    def folder(self, method: str) -> Path:
        """The stage's own folder."""
        return self.out / "stages" / f"{self.at + 1}-{method}"


def finished(folder: Path) -> Ended | None:
    """What a finished stage left in its folder; None where it is not finished."""
    path = folder / _DONE
    return Ended.model_validate_json(path.read_text(encoding="utf-8")) if path.is_file() else None


def run_stage(
    recipe: Recipe,
    stage: Stage,
    place: Place,
    source: str,
    *,
    devices: Devices,
    helpers: Helpers,
) -> Ended:
    """Do one stage, or what is left of it.

    Args:
        recipe: the recipe.
        stage: one of its stages.
        place: where it is in its run.
        source: the model that it begins with.
        devices: what it runs on.
        helpers: what was given to the run.

    Raises:
        MissingExtraError: the extra `train` is not installed.
        TrainingDivergedError: loss or gradient is no number.
        TrainingPausedError: the judge is down.
        StoreError: the disk is full.
    """
    folder = place.folder(stage.method)
    ended = finished(folder)
    if ended is not None:
        return ended
    if devices.first:
        folder.mkdir(parents=True, exist_ok=True)
        drop_torn(folder)
    quiet()
    found = last_whole(folder)
    step = found[1].step if found else 0
    before: dict[str, float | None] = {}
    if devices.first:
        before = cut(place.out / METRICS, stage=place.at, step=step)
    tally = Tally(
        scored=found[1].scored if found else 0,
        masked=found[1].masked if found else 0,
        patience=stage.pause_after if isinstance(stage, GrpoStage) else 1,
    )
    opened = open_model(source, recipe.model)
    watch = None
    with _without_hints(), learned_alone():
        _seeded(recipe.seed)
        trainer = _trainer(recipe, stage, place, opened, tally, helpers, devices)
        if recipe.model.adapter == "lora" and trainer.is_fsdp_enabled:
            raise ConfigError(
                "Low-rank additions cannot be merged into weights that are sharded over devices.",
                remedy='Train all weights (adapter = "none"), or launch without FSDP.',
            )
        trainer.remove_callback(_printer())
        # TRL keeps this count in the process alone.
        trainer._total_train_tokens = int(before.get("num_tokens") or 0)
        trainer.add_callback(listener(place.out / METRICS, place.at, stage.method, helpers.report))
        if isinstance(stage, GrpoStage):
            sharded = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
            watch = watcher(recipe, stage, folder, place.out / "data", sharded=sharded)
        for callback in (*((watch,) if watch else ()), *helpers.callbacks):
            trainer.add_callback(callback)
        trainer.train(resume_from_checkpoint=str(found[0]) if found else None)
    ended = Ended(
        method=stage.method,
        steps=int(trainer.state.global_step),
        scored=tally.scored,
        masked=tally.masked,
        monitor=watch.monitor.summary() if watch else None,
    )
    _keep(trainer, opened, folder, devices)
    if devices.first:
        with saving(folder / _DONE):
            write_whole(folder / _DONE, ended.model_dump_json(indent=1) + "\n")
        for checkpoint in folder.glob("checkpoint-*"):  # the stage's weights are kept, its moments are not
            shutil.rmtree(checkpoint)
    devices.wait()
    return ended


def _trainer(
    recipe: Recipe,
    stage: Stage,
    place: Place,
    opened: Opened,
    tally: Tally,
    helpers: Helpers,
    devices: Devices,
) -> Any:
    try:
        import trl
    except ImportError as missing:
        raise MissingExtraError("Training", extra="train") from missing
    folder = place.folder(stage.method)
    given = arguments(recipe, stage, rows=place.size, folder=folder, devices=devices)
    kind = {"sft": "SFT", "dpo": "DPO", "grpo": "GRPO"}[stage.method]
    shared: dict[str, Any] = {
        "model": opened.model,
        "args": getattr(trl, f"{kind}Config")(**given),
        "train_dataset": _columns(open_rows(place.rows, place.out / "data" / "cache"), stage),
        "processing_class": opened.tokenizer,
        "peft_config": _adapter(recipe.model),
    }
    if isinstance(stage, GrpoStage):
        shared["reward_funcs"] = helpers.reward
        shared["rollout_func"] = helpers.rollouts
    made = getattr(trl, f"{kind}Trainer")
    if isinstance(stage, GrpoStage):
        made = sharing(made)
        made = made if helpers.trainer is None else helpers.trainer(made)
    return guarded(made, tally)(**shared)


def _columns(rows: Any, stage: Stage) -> Any:
    """Only what the trainer reads: it tokenises, and so copies, all others."""
    read: dict[type[object], set[str]] = {
        SftStage: {"prompt", "completion", "chat_template_kwargs"},
        DpoStage: {"prompt", "chosen", "rejected", "chat_template_kwargs"},
    }
    wanted = read.get(type(stage))
    return rows if wanted is None else rows.select_columns([n for n in rows.column_names if n in wanted])


def _adapter(settings: ModelSettings) -> Any:
    if settings.adapter == "none":
        return None
    try:
        import peft
    except ImportError as missing:
        raise MissingExtraError("Training an adapter", extra="train") from missing
    config: Any = peft.LoraConfig
    return config(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _keep(trainer: Any, opened: Opened, folder: Path, devices: Devices) -> None:
    """Write the stage's weights, and its adapter before that is merged into them."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    model.config.use_cache = True  # training switched it off
    part = folder / f".{MODEL}"
    if devices.first:
        shutil.rmtree(part, ignore_errors=True)  # what a kill left
    devices.wait()
    with saving(part):
        if hasattr(model, "merge_and_unload"):
            if devices.first:
                model.save_pretrained(str(folder / ADAPTER))
                model.merge_and_unload().save_pretrained(str(part))
        else:
            trainer.save_model(str(part))  # every process has a part in it, where weights are sharded
        if devices.first:
            opened.tokenizer.save_pretrained(str(part))
            (part / "training_args.bin").unlink(missing_ok=True)  # a pickle, and the recipe says more
            shutil.rmtree(folder / MODEL, ignore_errors=True)
            part.replace(folder / MODEL)


def _seeded(seed: int) -> None:
    """TRL makes an adapter's weights before its trainer sets the seed."""
    from transformers import set_seed

    set_seed(seed)


def _printer() -> Any:
    from transformers import PrinterCallback

    return PrinterCallback


@contextmanager
def _without_hints() -> Iterator[None]:
    """TRL 1.16 asks transformers 5.23 by a name that the next major version drops: nobody's concern here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*gradient_checkpointing.*", category=FutureWarning)
        yield
