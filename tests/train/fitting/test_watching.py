"""GRPO stages are watched: what is measured, that watching changes nothing, and what an alarm leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreact.generate.trained import read_folder
from coreact.rubric.branching import BranchingPoint
from coreact.train.fitting import fit
from coreact.train.fitting.probe import HeldOutProbe
from coreact.train.models import open_model
from coreact.train.points import read_points
from coreact.train.recipes import PromptSettings, Recipe
from coreact.train.rewards.reward import RubricReward
from coreact.train.rewrites import off_policy

from .conftest import GRPO, Killed, Length, same

Recipes = Callable[[str], Recipe]
Points = list[BranchingPoint]

RULE = """
[[monitor.rules]]
kind = "bound"
name = "long"
figure = "length"
most = 0.5
window = 2
stop = true
"""
SHORT = GRPO.replace("steps = 6", "steps = 4").replace("every = 2", "every = 1")


def test_watching_measures_and_changes_nothing(recipe_of: Recipes, points: Points, tmp_path: Path) -> None:
    data = "[data]\nheld_out = 0.5\n"
    seen = recipe_of(f"{data}[monitor]\nevery = 2\npoints = 3\n{SHORT}")
    unseen = recipe_of(f"{data}[monitor]\nrules = []\npoints = 0\n{SHORT}")
    ended = fit(seen, points, tmp_path / "seen", reward=Length()).record.stages[0].ended
    fit(unseen, points, tmp_path / "unseen", reward=Length())
    assert same(tmp_path / "seen", tmp_path / "unseen")
    assert ended is not None
    assert ended.monitor is not None
    courses = {one.figure: one for one in ended.monitor.courses}
    assert courses["panel"].measured == 3  # before training, and every second step
    assert courses["proxy"].measured == 4
    assert ended.monitor.stopped is None
    card = (tmp_path / "seen" / "card.md").read_text()
    assert "Stage 1: watched to its end" in card
    assert "panel: " in card
    held = {one.question_id for one in read_points(tmp_path / "seen" / "data" / "held_out.jsonl")}
    trained = {one.question_id for one in read_points(tmp_path / "seen" / "data" / "points.jsonl")}
    assert held
    assert held.isdisjoint(trained)
    assert "## Monitor" not in (tmp_path / "unseen" / "card.md").read_text()
    assert not (tmp_path / "unseen" / "data" / "held_out.jsonl").exists()


def test_only_grpo_is_watched(whole: Path) -> None:
    assert not (whole / "stages" / "1-sft" / "monitor").exists()
    assert (whole / "stages" / "2-grpo" / "monitor" / "figures.jsonl").is_file()


def test_an_alarm_leaves_a_finished_stage_whoever_kills_it(
    recipe_of: Recipes, points: Points, tmp_path: Path
) -> None:
    from transformers import TrainerCallback

    class KilledAtTheEnd(TrainerCallback):
        def on_train_end(self, *args: Any, **kwargs: Any) -> None:
            raise Killed

    recipe = recipe_of(RULE + SHORT)
    done = fit(recipe, points, tmp_path / "whole", reward=Length())
    ended = done.record.stages[0].ended
    assert ended is not None
    assert ended.monitor is not None
    assert ended.monitor.stopped is not None
    assert (ended.steps, ended.monitor.stopped.rule) == (2, "long")
    assert done.record.finished
    assert read_folder(done.folder).model is not None
    assert "ended at step 2 by the alarm long" in (done.folder / "card.md").read_text()
    with pytest.raises(Killed):
        fit(recipe, points, tmp_path / "killed", reward=Length(), callbacks=[KilledAtTheEnd()])
    again = fit(recipe, points, tmp_path / "killed", reward=Length()).record.stages[0].ended
    assert again is not None
    assert again.steps == 2
    assert same(tmp_path / "whole", tmp_path / "killed")


def test_the_probe_leaves_the_model_as_it_was(whole: Path, points: Points, recipe_of: Recipes) -> None:
    import torch

    opened = open_model(str(whole / "model"), recipe_of(GRPO).model)
    model: Any = opened.model.train()
    some = [point for point in points if point.has_contrast][:3]
    config, state = model.generation_config, torch.get_rng_state()
    probe = HeldOutProbe(some, RubricReward(form="sheet"), PromptSettings(form="sheet"), max_tokens=8, seed=1)
    first = probe(model, opened.tokenizer)
    assert first["panel"] is not None
    assert 0 <= first["panel"] <= 1
    assert probe(model, opened.tokenizer) == first
    assert model.training
    assert model.generation_config is config
    assert torch.equal(torch.get_rng_state(), state)
    none = HeldOutProbe(
        some, RubricReward(form="sheet"), PromptSettings(form="sheet"), max_tokens=1024, seed=1
    )
    assert none(model, opened.tokenizer) == {"panel": None}  # no prompt leaves that much room


def test_a_trainer_of_the_callers_own(recipe_of: Recipes, points: Points, tmp_path: Path) -> None:
    calls: list[int] = []

    def own(trainer: type) -> type:
        class Own(off_policy(trainer)):  # type: ignore[misc]
            def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> Any:
                for at, row in enumerate(inputs):
                    row["rewritten"] = at == 0
                found = super()._generate_and_score_completions(inputs)
                calls.append(found["advantages"].dim())
                return found

        return Own

    fit(recipe_of(GRPO.replace("steps = 6", "steps = 1")), points, tmp_path, reward=Length(), trainer=own)
    assert calls == [2]  # a weight for each token: the rewrite's was reckoned
