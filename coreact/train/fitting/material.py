"""The rows of each stage, on disk before training starts: what a run was made from can be looked at.

What a row is, and which points make which, is decided by `coreact.train.rows`. Here rows are written once,
counted and digested, and opened for TRL without holding them in memory.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from coreact.errors import ConfigError
from coreact.rubric import Record
from coreact.rubric.branching import BranchingPoint
from coreact.trace.lines import json_lines, read_bytes
from coreact.train.fitting.kept import Kept
from coreact.train.recipes import GrpoStage, Recipe, SftStage, Stage
from coreact.train.rows import dpo_rows, prompt_messages, prompt_rows, sft_rows
from coreact.train.saving import whole_file
from coreact.train.teaching import teach

_COLUMNS = {
    "sft": ("prompt", "completion"),
    "dpo": ("prompt", "chosen", "rejected"),
    "grpo": ("prompt", "point"),
}
"""What a row of each method must have."""


TOO_LONG = "too long"
"""Why a row that does not fit is left out."""


class Material(Record):
    """The rows of a stage."""

    sha256: str
    rows: int
    points: int
    """Points that they were made from, or might have been."""
    left_out: dict[str, int]
    """Points that made no row, and rows that are too long, by reason."""


def write_rows(
    recipe: Recipe, stage: Stage, points: Kept, path: Path, *, fits: Callable[[Mapping[str, Any]], bool]
) -> Material:
    """Write a stage's rows to a file of JSON lines.

    Args:
        recipe: the recipe.
        stage: one of its stages.
        points: what rows are made from.
        path: the file.
        fits: whether a row is short enough; others are left out.

    Raises:
        ConfigError: no point makes a row, or a file of rows that the recipe names does not fit its method.
        LabelFileError: such a file cannot be read.
        StoreError: the disk is full.
    """
    left: Counter[str] = Counter()
    chosen = points.first(stage.points)
    hashed, count = hashlib.sha256(), 0
    rows = _given(stage, Path(stage.file)) if stage.file else _made(recipe, stage, chosen, left)
    with whole_file(path) as write:
        for row in rows:
            if not fits(row):
                left[TOO_LONG] += 1
                continue
            line = json.dumps(row).encode() + b"\n"
            hashed.update(line)
            write(line)
            count += 1
        if not count:
            reasons = ", ".join(f"{reason}: {n}" for reason, n in sorted(left.items()))
            raise ConfigError(
                f"None of {len(chosen)} points makes a row for the stage {stage.method!r}"
                f" ({reasons or 'there are no rows'}).",
                remedy="Raise the stage's `max_tokens`, or take a model with a larger context."
                if left[TOO_LONG]
                else "Collect points whose candidates differ in worth, or loosen the stage's settings.",
            )
    return Material(
        sha256=hashed.hexdigest(), rows=count, points=len(chosen), left_out=dict(sorted(left.items()))
    )


def open_rows(path: Path, cache: Path) -> Any:
    """A data set of `datasets` over a file of rows, mapped and not loaded."""
    import datasets  # type: ignore[import-untyped]

    datasets.disable_progress_bars()
    return datasets.Dataset.from_json(str(path), cache_dir=str(cache), keep_in_memory=False)


def texts(recipe: Recipe, points: Iterable[BranchingPoint]) -> Iterator[str]:
    """What a new model will read and write: for its tokenizer."""
    for point in points:
        yield from (turn["content"] for turn in prompt_messages(point.state, recipe.prompt.form))
        lesson = None if recipe.prompt.form == "records" else teach(point, form=recipe.prompt.form)
        if lesson is not None:
            yield lesson.text


def _given(stage: Stage, path: Path) -> Iterator[dict[str, Any]]:
    """Rows that somebody else made: by a teacher, from hindsight, out of a trace store."""
    wanted = _COLUMNS[stage.method]
    for line in json_lines(path, read_bytes(path)):
        missing = [name for name in wanted if name not in line.fields]
        if missing:
            raise line.error(
                f"a row for the method {stage.method!r} has no {missing[0]!r}",
                remedy=f"Give rows with {', '.join(wanted)}; see docs/training.md.",
            )
        yield line.fields


def _made(
    recipe: Recipe, stage: Stage, points: Iterable[BranchingPoint], left: Counter[str]
) -> Iterator[dict[str, Any]]:
    form = recipe.prompt.form
    if isinstance(stage, GrpoStage):
        yield from prompt_rows(points, form=form, left=left)
        return
    found = (
        sft_rows(
            points,
            form=form,
            least=stage.least_lines,
            most=stage.most_lines,
            aim=stage.aim,
            least_spearman=stage.least_spearman,
            left=left,
        )
        if isinstance(stage, SftStage)
        else dpo_rows(
            points, form=form, seed=recipe.seed, margin=stage.margin, most_pairs=stage.most_pairs, left=left
        )
    )
    for row in found:
        yield row | _variables(recipe)


def _variables(recipe: Recipe) -> dict[str, Any]:
    """What the chat template is told beside the messages, in the column where TRL looks for it."""
    return {"chat_template_kwargs": dict(recipe.prompt.template)} if recipe.prompt.template else {}
