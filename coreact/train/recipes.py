"""Recipes: everything that a trained rubric generator is made from, in one TOML file.

A recipe is read into frozen records before anything is loaded, so a name that does not exist costs a message
with the nearest one that does, and no minutes. Names are ours; what they are called in TRL is written down in
one place (`coreact.train.fitting.arguments`), since TRL renames often. What was read is written beside every
run with all defaults filled in, so a default that changes later does not change what a run was.

A recipe says nothing of where points come from: the same recipe is fitted on any.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from coreact.errors import ConfigError
from coreact.generate.prompt import Form
from coreact.rubric.settings import Settings
from coreact.train.llama import Shape
from coreact.train.monitor.rules import DEFAULT_RULES, RULES, Rule
from coreact.train.recipe_stages import STAGES, DpoStage, GrpoStage, Schedule, SftStage, Stage
from coreact.train.rewards.reward import RewardSettings

__all__ = [
    "NEW",
    "SMOLLM2",
    "DataSettings",
    "DpoStage",
    "GrpoStage",
    "ModelSettings",
    "MonitorSettings",
    "PromptSettings",
    "Recipe",
    "Schedule",
    "SftStage",
    "Stage",
    "parse_recipe",
    "read_recipe",
    "recipe_text",
]

NEW = "new"
"""As a base model: a small Llama with random weights, and a tokenizer learned on the rows."""
SMOLLM2 = "smollm2"
"""As a base model: the embedded SmolLM2-135M-Instruct, see `coreact local pull`."""


class ModelSettings(Settings):
    """Which model is trained, and which of its weights."""

    base: str = NEW
    """`new`, `smollm2`, a folder or `.gguf` file, or the name of a model on the hub."""
    shape: Shape = Shape()
    """Size of a new model."""
    vocabulary: int = Field(default=600, ge=260)
    """Tokens of a new model, at most; 259 are bytes and special tokens."""
    adapter: Literal["none", "lora"] = "none"
    """`none` trains all weights; `lora` trains low-rank additions to all linear layers (arXiv 2106.09685),
    which are merged into the weights at the end of each stage."""
    rank: int = Field(default=16, ge=1)
    """Rank of the additions."""
    alpha: float = Field(default=32, gt=0)
    """Additions are scaled by `alpha / rank`."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of computing. With an adapter also of the weights below it, which are not trained; weights that are
    trained are held in 32 bits."""
    recompute: bool = False
    """Compute activations twice instead of keeping them: less memory, about a third slower."""


class PromptSettings(Settings):
    """What the model is asked, and how much it may write: kept with the weights for running."""

    form: Form = "sheet"
    max_tokens: int = Field(default=160, ge=8)
    """Most tokens of a reply when the generator runs."""
    temperature: float = Field(default=0.0, ge=0)
    """Of a running generator; 0 takes the likeliest token."""
    template: dict[str, bool | str] = Field(default_factory=dict)
    """What the model's chat template is told beside the messages, such as `enable_thinking = false`."""
    longest: int | None = Field(default=None, ge=16)
    """Most tokens of a prompt in training. Rows with a longer one are left out and counted, as are rows that
    do not fit their stage's `max_tokens` or the model's context."""


class DataSettings(Settings):
    """Which points are trained on."""

    points: int | None = Field(default=None, ge=1)
    """Most points, drawn by seed; None takes all."""
    held_out: float = Field(default=0.0, ge=0, lt=1)
    """Share of the questions whose points are kept for measuring, dealt by the hash of their id; 0 where the
    points given are those of training questions only, and then the monitor has no points to sample for."""
    split_seed: int = 0
    """Another one holds out other questions; it does not follow the recipe's seed, so that runs with
    several seeds are measured on the same questions."""
    most_of_a_kind: float = Field(default=1.0, gt=0, le=1)
    """Greatest share of points whose best action is of one kind (a tool, or the answer); 1 balances
    nothing."""
    mix_judges: bool = False
    """Take points that different judges ranked; without it they are refused."""


class MonitorSettings(Settings):
    """How GRPO stages are watched (`coreact.train.monitor`). With no rules and no points they are not."""

    every: int = Field(default=25, ge=1)
    """Steps from one sampling for held-out points to the next."""
    points: int = Field(default=16, ge=0)
    """Held-out points that replies are sampled for, see `[data] held_out`; 0: none. The other figures come
    from the trainer's log."""
    rules: tuple[Rule, ...] = DEFAULT_RULES
    """What is an alarm, and which alarms end a stage."""


class Recipe(Settings):
    """How a rubric generator is made."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """What the generator is called; also the name of its folder under `rubric_models/`."""
    about: str = ""
    """A sentence for the model card."""
    licence: str = "Apache-2.0"
    """SPDX identifier of the weights' licence."""
    seed: int = Field(default=0, ge=0)
    """Of weights, order of rows, and sampling."""
    model: ModelSettings = ModelSettings()
    prompt: PromptSettings = PromptSettings()
    data: DataSettings = DataSettings()
    reward: RewardSettings = RewardSettings()
    monitor: MonitorSettings = MonitorSettings()
    stage: tuple[Stage, ...] = Field(min_length=1)
    """In order; each begins with the weights that the one before left."""

    @model_validator(mode="after")
    def _measured_when_logged(self) -> Self:
        for stage in self.stage:
            if isinstance(stage, GrpoStage) and self.monitor.points and self.monitor.every % stage.log:
                # A divergence compares what was measured at one step.
                raise ValueError("[monitor] every must be a multiple of the stage's log")
        return self


def read_recipe(path: Path) -> Recipe:
    """A recipe from its file.

    Args:
        path: a TOML file, or a folder with a `recipe.toml`.

    Raises:
        ConfigError: it cannot be read, is no TOML, or has a name that does not exist or a value out of range.
    """
    file = path / "recipe.toml" if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        raise ConfigError(
            f"The recipe {str(file)!r} cannot be read: {getattr(failure, 'strerror', None) or failure}.",
            remedy="Give a recipe.toml, or a folder that has one, such as rubric_models/tiny.",
        ) from failure
    return parse_recipe(text, where=str(file))


def parse_recipe(text: str, *, where: str = "recipe") -> Recipe:
    """A recipe from TOML text; see `read_recipe`."""
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as failure:
        raise ConfigError(f"{where} is no TOML: {failure}.", remedy="Correct it there.") from failure
    try:
        return Recipe.model_validate(fields)
    except ValidationError as failure:
        raise _misfit(failure, where) from failure


def recipe_text(recipe: Recipe) -> str:
    """The recipe as TOML with every default filled in; reading it gives the same recipe."""
    lines: list[str] = []
    _write(lines, recipe.model_dump(mode="json"), "")
    return "\n".join(lines) + "\n"


def _write(lines: list[str], fields: Mapping[str, Any], name: str) -> None:
    """Plain values first: whatever follows a table's head belongs to that table."""
    tables = {key: value for key, value in fields.items() if isinstance(value, dict) and value}
    lists = {k: v for k, v in fields.items() if isinstance(v, list) and v and isinstance(v[0], dict)}
    for key, value in fields.items():
        if key not in tables and key not in lists and value is not None:
            # A JSON string, number, truth value or list of these is a TOML one too.
            text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
            lines.append(f"{key} = {text}")
    for key, value in tables.items():
        lines.extend(["", f"[{name}{key}]"])
        _write(lines, value, f"{name}{key}.")
    for key, entries in lists.items():
        for entry in entries:
            lines.extend(["", f"[[{name}{key}]]"])
            _write(lines, entry, f"{name}{key}.")


_TAGGED: dict[str, type[BaseModel]] = {**STAGES, **RULES}


def _misfit(failure: ValidationError, where: str) -> ConfigError:
    first = failure.errors()[0]
    # A union's tag stands behind the number of an entry in the place of an error, and in no file.
    at = first["loc"]
    place = [one for n, one in enumerate(at) if not (n and isinstance(at[n - 1], int) and one in _TAGGED)]
    shown = "".join(f"[{one + 1}]" if isinstance(one, int) else f".{one}" for one in place).lstrip(".")
    what = str(first["msg"]).removeprefix("Value error, ")
    remedy = "See docs/training.md for what a recipe may say."
    if first["type"] == "extra_forbidden":
        known = list(_record_at(first["loc"][:-1]).model_fields)
        near = get_close_matches(str(place[-1]), known, n=1)
        what = "there is no such setting"
        remedy = f"Did you mean {near[0]!r}?" if near else f"Settings there are: {', '.join(known)}."
    return ConfigError(f"{where}: {shown or 'recipe'}: {what}.", remedy=remedy)


def _record_at(place: tuple[int | str, ...]) -> type[BaseModel]:
    """The record whose fields are set at a place in a recipe."""
    found: type[BaseModel] = Recipe
    for at, name in enumerate(place):
        if at and isinstance(place[at - 1], int):
            found = _TAGGED[str(name)]
        elif isinstance(name, str) and name in found.model_fields:
            kind = found.model_fields[name].annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found = kind
    return found
