"""Our names and TRL's: the only place where a name of TRL's configuration stands.

TRL renames settings from one minor version to the next, and some of its defaults surprise (half precision on
a processor, reports to a tracker, a bar per process). So each stage of a recipe becomes the arguments below
and nothing is left to a default that matters.
"""

from __future__ import annotations

import os
from math import ceil
from pathlib import Path
from typing import Any

from coreact.errors import ConfigError
from coreact.train.recipes import DpoStage, GrpoStage, Recipe, Schedule, SftStage, Stage


class Devices:
    """On how many devices training runs, and whether they are processors only."""

    def __init__(self) -> None:
        import torch

        self.cpu = not torch.cuda.is_available()
        self.seen = torch.cuda.device_count()
        """Devices that this process sees; several where each has a process of its own."""
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.first = os.environ.get("RANK", "0") == "0"
        """Whether this process writes what is written once."""

    def wait(self) -> None:
        """Until every process has come here."""
        if self.count > 1:
            from accelerate import PartialState  # type: ignore[import-untyped]

            PartialState().wait_for_everyone()


def arguments(recipe: Recipe, stage: Stage, *, rows: int, folder: Path, devices: Devices) -> dict[str, Any]:
    """The keywords of TRL's configuration of this stage's method.

    Args:
        recipe: the recipe.
        stage: one of its stages.
        rows: rows that there are.
        folder: where checkpoints go.
        devices: what it runs on.

    Raises:
        ConfigError: the rows of a step cannot be split over devices and batches, or there are too few rows.
    """
    if rows < stage.rows:
        raise ConfigError(
            f"The stage {stage.method!r} learns from {stage.rows} rows a step, and there are only {rows}.",
            remedy="Give more points, or fewer rows a step in the recipe.",
        )
    found = _common(recipe, stage, rows, folder, devices)
    if isinstance(stage, SftStage):
        found |= {"max_length": stage.max_tokens, "packing": False, "completion_only_loss": True}
        # Its default loss computes entropy and accuracy over the whole vocabulary, too.
        found |= {"loss_type": "nll"}
    elif isinstance(stage, DpoStage):
        found |= {"max_length": stage.max_tokens, "beta": stage.beta, "loss_type": ["sigmoid"]}
        found |= {"label_smoothing": stage.smoothing}
    else:
        found |= _grpo(stage, devices, recipe.prompt.longest)
        found |= {"chat_template_kwargs": dict(recipe.prompt.template)}
    return found


def steps_of(stage: Schedule, rows: int) -> int:
    """Steps of the optimiser in a stage with so many rows; what does not fill a step is left out."""
    again = stage.iterations if isinstance(stage, GrpoStage) else 1
    # Rounded first: 1.1 passes of 10 steps are 11 steps and a last bit.
    return stage.steps or max(1, ceil(round(stage.epochs * (rows // stage.rows) * again, 6)))


def _common(recipe: Recipe, stage: Stage, rows: int, folder: Path, devices: Devices) -> dict[str, Any]:
    sequences = stage.rows * (stage.group if isinstance(stage, GrpoStage) else 1)
    micro = min(stage.micro or sequences, sequences // devices.count)
    if devices.count == 1 and devices.seen > 1:
        # Trainers would spread each batch over all of them, and so learn from more rows than a step has.
        raise ConfigError(
            f"One process sees {devices.seen} GPUs.",
            remedy="Start one for each with `accelerate launch`, or set CUDA_VISIBLE_DEVICES=0.",
        )
    if micro < 1 or sequences % (micro * devices.count):
        raise ConfigError(
            f"The {sequences} sequences of a step of {stage.method!r} cannot be split over"
            f" {devices.count} devices in batches of {micro}.",
            remedy="Change `rows`, `micro` or the number of devices, so that they divide.",
        )
    half = recipe.model.precision == "bfloat16"
    return {
        "output_dir": str(folder),
        "max_steps": steps_of(stage, rows),
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": sequences // (micro * devices.count),
        "dataloader_drop_last": True,
        "learning_rate": stage.rate,
        "warmup_steps": stage.warm_up,
        "lr_scheduler_type": {"constant": "constant_with_warmup"}.get(stage.decay, stage.decay),
        "weight_decay": stage.weight_decay,
        "max_grad_norm": stage.clip,
        "save_strategy": "steps",
        "save_steps": stage.every,
        "save_total_limit": 2,  # the one before stays until the new one is whole
        "logging_steps": stage.log,
        "logging_nan_inf_filter": False,  # it would write the last good loss over a broken one
        "seed": recipe.seed,
        "bf16": half and not devices.cpu,
        "use_cpu": devices.cpu,
        "dataloader_pin_memory": not devices.cpu,
        "activation_checkpointing": recipe.model.recompute,
        "report_to": "none",
        "disable_tqdm": True,
    }


def _grpo(stage: GrpoStage, devices: Devices, longest: int | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "num_generations": stage.group,
        "max_completion_length": stage.max_tokens,
        "temperature": stage.temperature,
        "beta": stage.kl,
        "epsilon": stage.clip_low,
        "epsilon_high": stage.clip_high,
        "loss_type": stage.loss,
        "scale_rewards": stage.scale,
        "importance_sampling_level": stage.importance,
        "num_iterations": stage.iterations,
        "mask_truncated_completions": not stage.truncated,
        "use_vllm": stage.rollouts != "transformers",
    }
    if stage.rollouts == "transformers":
        return found
    if devices.cpu:
        raise ConfigError(
            f"The recipe asks vLLM for its rollouts ({stage.rollouts}), and there is no GPU.",
            remedy='Set rollouts = "transformers" in the stage, or train where there is one.',
        )
    found["vllm_mode"] = stage.rollouts
    if longest is not None:  # else room is kept for the longest text that the model can read
        found["vllm_max_model_length"] = longest + stage.max_tokens
    if stage.rollouts == "server":
        return found | {"vllm_server_base_url": stage.server}
    return found | {
        "vllm_gpu_memory_utilization": stage.memory,
        "vllm_tensor_parallel_size": stage.tensor_parallel,
        "vllm_enable_sleep_mode": True,
    }
