"""A recipe that takes a second, points for it, one finished run of it, and ways to look at what it left."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="needs the extra `train`")

from coreact.rubric.branching import BranchingPoint
from coreact.train.branch.scripted import collect, parts
from coreact.train.fitting import METRICS, Progress, fit
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


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


class KilledAt:
    """A listener that ends a run at a step of a stage."""

    def __init__(self, stage: int, step: int, report: Callable[[Progress], None] | None = None) -> None:
        self.place = (stage, step)
        self.report = report

    def __call__(self, line: Progress) -> None:
        if self.report is not None:
            self.report(line)
        if (line.stage, line.step) == self.place:
            raise Killed


@pytest.fixture(scope="session")
def whole(
    recipe_of: Callable[[str], Recipe],
    points: list[BranchingPoint],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A run of both stages that was never interrupted. Look at it, and copy it to change it."""
    out = tmp_path_factory.mktemp("whole")
    fit(recipe_of(SFT + GRPO), points, out, reward=Length(), sources={"a/points.jsonl": "f" * 64})
    return out


def before_grpo(whole: Path, out: Path) -> Path:
    """A run in which the first stage is finished, and the second has not begun."""
    shutil.copytree(whole, out, dirs_exist_ok=True)
    shutil.rmtree(out / "stages" / "2-grpo")
    shutil.rmtree(out / "model")
    for name in ("generator.json", "model.gguf", "card.md"):
        (out / name).unlink()
    record = json.loads((out / "run.json").read_text())
    record["finished"] = False
    (out / "run.json").write_text(json.dumps(record))
    return out


def metrics(out: Path) -> list[dict[str, Any]]:
    """Without what depends on the clock."""
    read = [json.loads(line) for line in (out / METRICS).read_text().splitlines()]
    for line in read:
        del line["seconds"]
        line["metrics"] = {k: v for k, v in line["metrics"].items() if "time" not in k and "flos" not in k}
    return read


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model" / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    import torch

    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
