"""The models that training begins with: a new small one, a pretrained one, or one out of a GGUF file.

Whatever it is, it becomes a folder in the format of transformers before training starts, once: stages, a
resumed run and the other processes of a distributed one all read that folder, and a GGUF file, which takes
half a minute to unpack, is unpacked once for all runs. Nothing here trains.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from coreact.errors import ConfigError, MissingExtraError, ModelFileError
from coreact.local.pull import check_gguf, pull
from coreact.train.llama import new_model
from coreact.train.recipes import NEW, SMOLLM2, ModelSettings
from coreact.train.saving import saving
from coreact.train.tokenizing import END, PAD, SPECIAL, TEMPLATE, train_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TOKENIZER_TEXTS = 20_000
"""Texts that a new tokenizer is learned from, at most: more change nothing."""

_CONFIG = "config.json"
_WEIGHTS = "model.safetensors"


class TrainingWarning(UserWarning):
    """Training works, but not as whoever started it will want it."""


class Opened(NamedTuple):
    """A model and its tokenizer in memory."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def prepare_base(settings: ModelSettings, texts: Iterable[str], folder: Path, *, seed: int) -> str:
    """What stages load the base model from: a folder, or a name on the hub, which is loaded as it is.

    Args:
        settings: which model.
        texts: what a new model's tokenizer is learned from; read only for one.
        folder: where a new model goes; one that is there is taken as it is.
        seed: of a new model's weights.

    Raises:
        MissingExtraError: the extra `train` is not installed.
        ModelFileError: a folder or GGUF file is not usable.
        ConfigError: a new model's shape is impossible.
    """
    if settings.base == NEW:
        if not (folder / _CONFIG).is_file():
            _make(settings, texts, folder, seed)
        return str(folder)
    if settings.base == SMOLLM2 or settings.base.endswith(".gguf"):
        return str(unpacked(pull(None if settings.base == SMOLLM2 else Path(settings.base).expanduser())))
    local = Path(settings.base).expanduser()
    if local.is_dir():
        if not (local / _CONFIG).is_file():
            raise ModelFileError(
                f"The folder {str(local)!r} holds no model: it has no {_CONFIG}.",
                path=local,
                remedy="Give a folder that transformers can read, a .gguf file, or `new`.",
            )
        return str(local)
    if settings.base.startswith((".", "/", "~")) or settings.base.count("/") > 1:
        raise ModelFileError(
            f"There is no model in {settings.base!r}.",
            path=local,
            remedy="Give a folder that transformers can read, a .gguf file, `new`, or a name on the hub.",
        )
    return settings.base


def base_name(settings: ModelSettings) -> str:
    """What a base model is called to others: without the folders in which it lies on this machine."""
    local = Path(settings.base).expanduser()
    return local.name if settings.base.endswith(".gguf") or local.is_dir() else settings.base


def open_tokenizer(source: str | Path) -> PreTrainedTokenizerBase:
    """A model's tokenizer.

    Raises:
        MissingExtraError: the extra `train` is not installed.
        ModelFileError: it cannot be loaded.
        ConfigError: it has no chat template.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError as missing:
        raise MissingExtraError("Training", extra="train") from missing
    try:
        # Code that lies in a model's folder is never run, and nobody is asked whether it may be.
        tokenizer: Any = AutoTokenizer.from_pretrained(str(source), trust_remote_code=False)
    except (OSError, ValueError, KeyError) as failure:
        raise _unusable(source, failure) from failure
    if not tokenizer.chat_template:
        raise ConfigError(
            f"The tokenizer of {str(source)!r} has no chat template, so prompts cannot be written for it.",
            remedy="Take an instruction-tuned model, or add a `chat_template.jinja` to the model's folder.",
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer  # type: ignore[no-any-return]


def open_model(source: str | Path, settings: ModelSettings) -> Opened:
    """A model and its tokenizer, ready to be trained.

    Raises:
        MissingExtraError: the extra `train` is not installed.
        ModelFileError: it cannot be loaded.
        ConfigError: its tokenizer has no chat template.

    A `TrainingWarning` tells of a precision that the processor has no instructions for.
    """
    try:
        import torch
        from safetensors import SafetensorError
        from transformers import AutoModelForCausalLM
    except ImportError as missing:
        raise MissingExtraError("Training", extra="train") from missing
    tokenizer = open_tokenizer(source)
    if _held_in(settings) == "bfloat16" and not _computes_halves():
        warnings.warn(
            "The model is to be computed in bfloat16, for which this processor has no instructions: a step"
            ' may take ten times as long as in float32. Set precision = "float32" in the recipe.',
            TrainingWarning,
            stacklevel=2,
        )
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            str(source), dtype=getattr(torch, _held_in(settings)), trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as failure:
        raise _unusable(source, failure) from failure
    return Opened(model, tokenizer)


def _unusable(source: str | Path, failure: Exception) -> ModelFileError:
    return ModelFileError(
        f"The model {str(source)!r} cannot be loaded: {_first_line(failure)}.",
        path=Path(source),
        remedy="Check that its files are whole; for one on the hub, its name and the network.",
    )


def _held_in(settings: ModelSettings) -> str:
    """Weights that are trained stay in 32 bits: at small rates a step is less than 16 bits can tell apart."""
    return settings.precision if settings.adapter == "lora" else "float32"


def _computes_halves() -> bool:
    """Whether this machine has kernels for numbers of 16 bits; else each is computed by itself."""
    import torch

    if torch.cuda.is_available():
        return True
    kernels: Any = torch.backends.mkldnn
    return bool(kernels.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def unpacked(gguf: Path) -> Path:
    """A GGUF file as a transformers folder in 32 bits; unpacked once, found again by its content.

    Raises:
        MissingExtraError: the extra `train` is not installed.
        ModelFileError: the file is no GGUF, or transformers cannot read it.
    """
    check_gguf(gguf)
    with gguf.open("rb") as file:
        sha = hashlib.file_digest(file, "sha256").hexdigest()
    folder = _cache() / "unpacked" / f"{gguf.stem}-{sha[:12]}"
    if (folder / _CONFIG).is_file():
        return folder
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    except ImportError as missing:
        raise MissingExtraError("Reading a GGUF file for training", extra="train") from missing
    where, name = str(gguf.parent), gguf.name
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(where, gguf_file=name, trust_remote_code=False)
        model: Any = AutoModelForCausalLM.from_pretrained(
            where,
            gguf_file=name,
            dtype=torch.float32,
            quantization_config=GgufConfig(dequantize=True),  # else it cannot be saved
        )
    except (OSError, ValueError, NotImplementedError) as failure:
        raise ModelFileError(
            f"{str(gguf)!r} cannot be unpacked: {_first_line(failure)}.",
            path=gguf,
            remedy="Give a GGUF file of an architecture that transformers reads, or a folder of it.",
        ) from failure
    _save(model, tokenizer, folder)
    return folder


def quiet() -> None:
    """No bars, no hints and, where a judge is down, no page of candidates for every masked reward."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers.utils import logging as hub

    hub_logging: Any = hub
    hub_logging.set_verbosity_error()
    hub_logging.disable_progress_bar()
    for name in ("trl", "trl.trainer.grpo_trainer"):
        logging.getLogger(name).setLevel(logging.ERROR)


def wrapped(tokenizer: Tokenizer, *, context: int) -> PreTrainedTokenizerBase:
    """A tokenizer of our own as transformers wants it, with the chat template of the model file."""
    import transformers

    kind: Any = transformers.PreTrainedTokenizerFast
    made = kind(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[each for each in SPECIAL if each not in (END, PAD)],
        model_max_length=context,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    made.chat_template = TEMPLATE
    return made  # type: ignore[no-any-return]


def _make(settings: ModelSettings, texts: Iterable[str], folder: Path, seed: int) -> None:
    shape = settings.shape
    if shape.width % shape.heads or shape.width // shape.heads % 2:
        raise ConfigError(
            f"A width of {shape.width} cannot be split into {shape.heads} heads of an even width.",
            remedy="Choose a width that is an even multiple of the number of heads.",
        )
    drawn = [text for text, _ in zip(texts, range(TOKENIZER_TEXTS), strict=False)]
    tokenizer = train_tokenizer(drawn, size=settings.vocabulary)
    model = new_model(shape, vocabulary=tokenizer.get_vocab_size(), seed=seed)
    _save(model, wrapped(tokenizer, context=shape.context), folder)


def _save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write a model folder so that it is there whole or not at all."""
    quiet()
    part = folder.with_name(f".{folder.name}.{os.getpid()}")
    with saving(part):
        part.mkdir(parents=True, exist_ok=True)
        tokenizer.save_pretrained(str(part))
        model.save_pretrained(str(part))
        try:
            part.replace(folder)
        except OSError:
            if not (folder / _CONFIG).is_file():
                raise
            shutil.rmtree(part)  # somebody else was quicker


def _first_line(failure: Exception) -> str:
    return next(iter(str(failure).splitlines()), type(failure).__name__).rstrip(".")


def _cache() -> Path:
    import platformdirs

    override = os.environ.get("COREACT_CACHE")
    return Path(override).expanduser() if override else platformdirs.user_cache_path("coreact")
