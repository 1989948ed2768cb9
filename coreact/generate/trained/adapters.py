"""Which LoRA adapters may be put on a model that others are using.

An adapter's folder may come from anybody. Its weights are numbers, but its configuration says what peft does
on the way: it can import a module by name, recompute or repeat the model's own layers, overwrite its biases,
or ask for more memory than there is. Whoever shares the model would get other replies then. So only plain
LoRA is taken: matrices beside the model's, which go as they came. Nothing is imported here but `json`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from coreact.errors import ModelFileError

MAX_RANK = 512
"""Largest rank of an adapter."""

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""How an adapter may be called: it stands in URLs, in logs and on command lines."""

_FILES = ("adapter_config.json", "adapter_model.safetensors")
_MAX_CONFIG_BYTES = 1 << 20
_CHANGES_THE_MODEL = (
    "alora_invocation_tokens",
    "arrow_config",
    "layer_replication",
    "megatron_config",
    "trainable_token_indices",
    "use_bdlora",
)
"""Settings of peft that do more than put matrices beside the model's."""


def is_adapter_name(name: str) -> bool:
    """Whether an adapter may be called so."""
    return re.match(NAME, name) is not None and "\n" not in name


def checked_adapter(path: Path) -> Path:
    """The path, if a plain LoRA adapter in safetensors lies there.

    Raises:
        ModelFileError: none does, or it would change the model that it is put on.
    """
    missing = [name for name in _FILES if not (path / name).is_file()]
    if missing:
        raise ModelFileError(
            f"{path} holds no adapter: {missing[0]} is missing.",
            path=path,
            remedy="Give the folder that peft's `save_pretrained` wrote, with safetensors.",
        )
    problem = _problem(path / _FILES[0])
    if problem is not None:
        raise ModelFileError(
            f"The adapter in {path} is not taken: {problem}.",
            path=path,
            remedy="Give a plain LoRA adapter; one of another kind can be merged into its model.",
        )
    return path


def _problem(file: Path) -> str | None:
    try:
        if file.stat().st_size > _MAX_CONFIG_BYTES:
            return f"its {file.name} is too large"
        config: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return f"its {file.name} cannot be read"
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        return "it is no LoRA"
    patterns = config.get("rank_pattern") or {}
    ranks = [config.get("r"), *(patterns.values() if isinstance(patterns, dict) else (None,))]
    if any(type(rank) is not int or not 1 <= rank <= MAX_RANK for rank in ranks):
        return f"its rank is not from 1 to {MAX_RANK}"
    if config.get("bias", "none") != "none":
        return "it overwrites the model's biases"
    if config.get("init_lora_weights", True) not in (True, False, "gaussian"):
        return f"its beginning {str(config['init_lora_weights'])[:40]!r} recomputes the model's weights"
    found = next((name for name in _CHANGES_THE_MODEL if config.get(name)), None)
    return None if found is None else f"its setting {found!r} changes the model"


def unwrap(model: Any) -> None:
    """Take away layers that peft put around the model's own before it failed half-way."""
    for name, layer in list(model.named_modules()):
        if hasattr(layer, "base_layer"):
            parent, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(parent), leaf, layer.base_layer)


def unfit(path: Path, name: str, error: Exception) -> ModelFileError:
    """What is said of an adapter that `name` cannot take."""
    return ModelFileError(
        f"The adapter in {path} cannot be put on {name!r}: {first_line(error)}",
        path=path,
        remedy="Give a LoRA adapter that was trained on this very model.",
    )


def first_line(error: Exception) -> str:
    """The beginning of what an error of others says."""
    return " ".join(str(error).split())[:200] or type(error).__name__
