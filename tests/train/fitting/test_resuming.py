"""What was interrupted ends with the very weights of what was not: kills, torn files, full disks."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreact.errors import StoreError, TrainingPausedError
from coreact.rubric.branching import BranchingPoint
from coreact.train.fitting import Progress, fit
from coreact.train.fitting.checkpoints import last_whole
from coreact.train.recipes import Recipe

from .conftest import GRPO, SFT, Killed, KilledAt, Length, before_grpo, metrics, same

Recipes = Callable[[str], Recipe]
Points = list[BranchingPoint]


def test_a_run_that_was_killed_twice_ends_with_the_same_weights(
    whole: Path, recipe_of: Recipes, points: Points, tmp_path: Path
) -> None:
    for place in ((0, 5), (1, 3)):  # every second step is a checkpoint
        seen: list[Progress] = []
        with pytest.raises(Killed):
            fit(
                recipe_of(SFT + GRPO), points, tmp_path, reward=Length(), report=KilledAt(*place, seen.append)
            )
        assert not (tmp_path / "generator.json").exists()
    assert (seen[0].stage, seen[0].step) == (0, 5)
    fit(recipe_of(SFT + GRPO), points, tmp_path, reward=Length(), report=seen.append)
    assert (seen[-4].stage, seen[-4].step) == (1, 3)
    assert same(whole, tmp_path)
    assert metrics(whole) == metrics(tmp_path)


def test_a_run_is_resumed_in_its_second_pass(recipe_of: Recipes, points: Points, tmp_path: Path) -> None:
    recipe = recipe_of(GRPO.replace("steps = 6", "steps = 4"))
    few = points[:5]  # two steps a pass
    fit(recipe, few, tmp_path / "whole", reward=Length())
    with pytest.raises(Killed):
        fit(recipe, few, tmp_path / "killed", reward=Length(), report=KilledAt(0, 3))
    fit(recipe, few, tmp_path / "killed", reward=Length())
    assert same(tmp_path / "whole", tmp_path / "killed")


def test_a_torn_checkpoint_is_passed_over(
    whole: Path, recipe_of: Recipes, points: Points, tmp_path: Path
) -> None:
    before_grpo(whole, tmp_path)
    with pytest.raises(Killed):
        fit(recipe_of(SFT + GRPO), points, tmp_path, reward=Length(), report=KilledAt(1, 5))
    stage = tmp_path / "stages" / "2-grpo"
    found = last_whole(stage)
    assert found is not None
    assert found[1].step == 4
    with (found[0] / "optimizer.pt").open("r+b") as file:
        file.truncate(100)
    again = last_whole(stage)
    assert again is not None
    assert again[1].step == 2
    fit(recipe_of(SFT + GRPO), points, tmp_path, reward=Length())
    assert same(whole, tmp_path)


def test_a_full_disk_leaves_the_checkpoint_before(
    whole: Path, recipe_of: Recipes, points: Points, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    saved = torch.save

    def full(value: Any, path: Any, *args: Any, **kwargs: Any) -> None:
        saved(value, path, *args, **kwargs)
        if "checkpoint-4" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")

    before_grpo(whole, tmp_path)
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(StoreError, match="No space left on device") as caught:
        fit(recipe_of(SFT + GRPO), points, tmp_path, reward=Length())
    assert caught.value.path is not None
    assert caught.value.path.name == "checkpoint-4"
    found = last_whole(tmp_path / "stages" / "2-grpo")
    assert found is not None
    assert found[1].step == 2
    assert not caught.value.path.exists()
    monkeypatch.undo()
    fit(recipe_of(SFT + GRPO), points, tmp_path, reward=Length())
    assert same(whole, tmp_path)


def test_a_judge_that_is_down_pauses_the_run(
    recipe_of: Recipes, points: Points, tmp_path: Path, whole: Path
) -> None:
    recipe = recipe_of(SFT + GRPO)
    before_grpo(whole, tmp_path)
    down = Length(down=(2, 3, 4))
    with pytest.raises(TrainingPausedError, match="3 batches in a row") as caught:
        fit(recipe, points, tmp_path, reward=down)
    assert down.calls == 5
    assert caught.value.checkpoint is not None
    assert caught.value.exit_code == 1
    shutil.rmtree(caught.value.checkpoint)  # of a step in which nothing was learned: the one before is taken
    fit(recipe, points, tmp_path, reward=Length())
    assert same(whole, tmp_path)
