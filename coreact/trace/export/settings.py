"""What an export is asked for, as plain data."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from coreact.errors import ConfigError
from coreact.rubric import Record
from coreact.trace.export.labels import RUN
from coreact.trace.export.messages import Arguments

Shown = Literal["kept", "stripped"]
"""`kept`: prompts as the model saw them, with guidance and feedback; `stripped`: as the plain agent would
have been asked. It decides whether a model learns to use rubrics or to do without them."""

FileKind = Literal["jsonl", "parquet"]

WHOLE: tuple[tuple[str, float], ...] = (("train", 1.0),)
"""One split with everything in it."""


class ExportSettings(Record):
    """How rows are made of runs. Which runs is a `RunFilter`'s affair."""

    format: str
    """A name in `FORMATS`."""
    file: FileKind | None = None
    """None: what the format's readers expect."""
    evaluator: str = RUN
    """Whose judgements count: `run`, `human`, or the name or version of a later evaluator."""
    mix_evaluators: bool = False
    """Take labels of different judges into one export."""
    min_judged: float = Field(default=0.0, ge=0, le=1)
    """Least share of the criteria that apply that must have been judged."""
    margin: float = Field(default=0.1, ge=0, le=1)
    """Least difference in score between the two sides of a pair."""
    undecided: bool = False
    """Demonstrations also of steps that nobody judged or could decide; never of failed or masked ones."""
    rubric: Shown = "kept"
    arguments: Arguments | None = None
    """How arguments of tool calls are written; None: as the format's readers expect."""
    split: tuple[tuple[str, float], ...] = WHOLE
    """Names and shares, which add up to 1."""
    seed: int = 0
    """Which tasks go where."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        shares = [share for _, share in self.split]
        if not shares or min(shares) <= 0 or not math.isclose(sum(shares), 1.0):
            raise ValueError("the shares of the splits must be positive and add up to 1")
        if len({name for name, _ in self.split}) != len(shares):
            raise ValueError("the names of the splits must differ")
        return self


def parse_split(text: str) -> tuple[tuple[str, float], ...]:
    """Read `train=0.9,test=0.1`.

    Raises:
        ConfigError: it says something else, or the shares do not add up to 1.
    """
    remedy = "Write names and shares that add up to 1: train=0.9,test=0.1"
    parts: list[tuple[str, float]] = []
    for part in text.split(","):
        name, _, share = (piece.strip() for piece in part.partition("="))
        try:
            parts.append((name, float(share)))
        except ValueError:
            raise ConfigError(f"{part.strip()!r} is no share of a split.", remedy=remedy) from None
        if not name.isidentifier() or name == "manifest":
            raise ConfigError(f"{name!r} cannot name a split.", remedy=remedy)
    shares = [share for _, share in parts]
    distinct = len({name for name, _ in parts}) == len(parts)
    if not distinct or not min(shares) > 0 or not math.isclose(sum(shares), 1.0):
        raise ConfigError(f"The splits {text!r} do not add up to 1, or a name comes twice.", remedy=remedy)
    return tuple(parts)
