"""What a finished run leaves: a generator's folder that can be run, served and looked at."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from coreact.generate.trained import ADAPTER, GGUF, MODEL, describe, write_record
from coreact.trace.lines import write_whole
from coreact.train.fitting.card import write_card
from coreact.train.fitting.lengths import context_of
from coreact.train.fitting.progress import METRICS
from coreact.train.fitting.record import RunRecord
from coreact.train.gguf_file import write_gguf
from coreact.train.models import base_name
from coreact.train.recipes import NEW, Recipe
from coreact.train.saving import saving

CARD = "card.md"
"""Name of the model card."""


def write_folder(recipe: Recipe, record: RunRecord, trained: Path, out: Path) -> None:
    """Put weights, their record and the card into a run's folder; what is there is replaced.

    A new model also becomes a `model.gguf`. An adapter is kept where it is one on the base model itself,
    which is where it was the only stage: it can then be served on that base beside others.

    Args:
        recipe: the recipe.
        record: the finished run.
        trained: the last stage's model folder.
        out: the run's folder.

    Raises:
        StoreError: the disk is full.
    """
    _copied(trained, out / MODEL)
    if len(recipe.stage) == 1 and (trained.parent / ADAPTER).is_dir():
        _copied(trained.parent / ADAPTER, out / ADAPTER)
    if recipe.model.base == NEW:
        _gguf(recipe, out)
    found = describe(
        out,
        name=recipe.name,
        form=recipe.prompt.form,
        base=base_name(recipe.model),
        max_tokens=recipe.prompt.max_tokens,
        temperature=recipe.prompt.temperature,
        context_tokens=context_of(str(out / MODEL)),
        template=recipe.prompt.template,
    )
    write_record(out, found)
    card = write_card(recipe, record, out / METRICS, context=found.context_tokens)
    with saving(out / CARD):
        write_whole(out / CARD, card)


def _gguf(recipe: Recipe, out: Path) -> None:
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(str(out / MODEL))
    tokenizer = Tokenizer.from_file(str(out / MODEL / "tokenizer.json"))
    with saving(out / GGUF):
        write_gguf(model, tokenizer, out / GGUF, name=recipe.name, licence=recipe.licence)


def _copied(source: Path, target: Path) -> None:
    """A copy of hard links where the file system has them: weights of gigabytes are not written twice."""
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    with saving(part):
        shutil.copytree(source, part, copy_function=_linked)
        shutil.rmtree(target, ignore_errors=True)
        part.replace(target)


def _linked(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
