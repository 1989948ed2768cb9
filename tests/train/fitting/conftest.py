"""A recipe that takes a second, points for it, and a way to look at what it left."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="needs the extra `train`")

from coreact.rubric.branching import BranchingPoint
from coreact.train.branch.scripted import collect, parts
from coreact.train.recipes import Recipe, parse_recipe
from coreact.worlds import gazetteer

os.environ.setdefault("HF_HUB_OFFLINE", "1")

MODEL = """
name = "small"
[model]
vocabulary = 300
shape = { width = 32, layers = 1, heads = 2, feed_forward = 32, context = 1024 }
"""
SFT = """
[[stage]]
method = "sft"
steps = 6
rows = 4
rate = 1e-2
warm_up = 1
every = 2
"""
GRPO = """
[[stage]]
method = "grpo"
steps = 6
rows = 2
group = 2
max_tokens = 8
rate = 1e-2
warm_up = 1
every = 2
"""


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def points() -> list[BranchingPoint]:
    world = gazetteer()
    return list(collect(world, parts(world, n=6, seed=0).train, per_question=2))


@pytest.fixture(scope="session")
def recipe_of() -> Callable[[str], Recipe]:
    return lambda stages: parse_recipe(MODEL + stages)


class Length:
    """A reward of the reply's length, so that equal random states give equal rewards; counts its calls."""

    __name__ = "length"

    def __init__(self, down: tuple[int, ...] = (), half: bool = False) -> None:
        self.calls = 0
        self.down = down
        """Calls, from 0, in which the judge is down."""
        self.half = half
        """Whether every second reply cannot be judged."""

    def __call__(self, prompts: Any, completions: Any, *, point: Any, **given: Any) -> list[float | None]:
        assert len(point) == len(completions)
        at, self.calls = self.calls, self.calls + 1
        if at in self.down:
            return [None] * len(completions)
        found: list[float | None] = [len(one[0]["content"]) / 20 for one in completions]
        return [None if self.half and n % 2 else value for n, value in enumerate(found)]


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model" / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    import torch

    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
