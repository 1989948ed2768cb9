"""Fitting with real TRL on a model of ten thousand weights: what is left, what resumes, what stops it."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreact.errors import (
    ConfigError,
    ExperimentMismatchError,
    StoreError,
    TrainingDivergedError,
    TrainingPausedError,
)
from coreact.generate.trained import check_versions, read_folder
from coreact.local.pull import check_gguf
from coreact.rubric.branching import BranchingPoint
from coreact.train.fitting import METRICS, Progress, fit, read_run
from coreact.train.fitting.checkpoints import last_whole
from coreact.train.recipes import Recipe

from .conftest import GRPO, SFT, Length, same, weights

Recipes = Callable[[str], Recipe]
Points = list[BranchingPoint]


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


class KilledAt:
    def __init__(self, stage: int, step: int, report: Callable[[Progress], None] | None = None) -> None:
        self.place = (stage, step)
        self.report = report

    def __call__(self, line: Progress) -> None:
        if self.report is not None:
            self.report(line)
        if (line.stage, line.step) == self.place:
            raise Killed


@pytest.fixture(scope="module")
def whole(recipe_of: Recipes, points: Points, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of both stages that was never interrupted."""
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
    return out


def metrics(out: Path) -> list[dict[str, Any]]:
    """Without what depends on the clock."""
    read = [json.loads(line) for line in (out / METRICS).read_text().splitlines()]
    for line in read:
        del line["seconds"]
        line["metrics"] = {k: v for k, v in line["metrics"].items() if "time" not in k and "flos" not in k}
    return read


def test_a_run_leaves_a_generator(whole: Path) -> None:
    folder = read_folder(whole)
    check_versions(folder.record)
    assert (folder.record.name, folder.record.form, folder.record.base) == ("small", "sheet", "new")
    assert folder.record.context_tokens == 1024
    assert folder.gguf is not None
    check_gguf(folder.gguf)
    assert folder.model is not None
    assert folder.adapter is None


def test_the_record_says_what_it_was_made_from(whole: Path) -> None:
    known = read_run(whole)
    assert known is not None
    record, recipe = known
    assert record.finished
    assert record.sources == {"a/points.jsonl": "f" * 64}
    assert record.versions["trl"].startswith("1.")
    assert [(one.method, one.ended.steps) for one in record.stages if one.ended] == [("sft", 6), ("grpo", 6)]
    assert record.stages[1].ended is not None
    assert (record.stages[1].ended.scored, record.stages[1].ended.masked) == (6 * 4, 0)
    assert recipe.stage[1].rate == 1e-2
    card = (whole / "card.md").read_text()
    assert "points.jsonl" in card
    assert "a/points.jsonl" not in card
    assert "groups of 2" in card
    assert "reward" in card


def test_every_logged_step_is_a_line(whole: Path) -> None:
    assert [(line["stage"], line["step"]) for line in metrics(whole)] == [
        (stage, step) for stage in (0, 1) for step in range(1, 7)
    ]
    assert metrics(whole)[-1]["metrics"]["masked"] == 0


def test_training_changes_the_weights(whole: Path) -> None:
    import torch

    first, second = whole / "stages" / "1-sft", whole / "stages" / "2-grpo"
    assert not same(first, second)
    assert all(torch.isfinite(value).all() for value in weights(whole).values())
    assert same(second, whole)


def test_prompts_are_not_learned_and_the_end_of_a_reply_is(whole: Path, points: Points) -> None:
    """What TRL makes of a row: only the reply and the end of its turn count."""
    from transformers import AutoTokenizer

    row = json.loads((whole / "data" / "1-sft.jsonl").read_text().splitlines()[0])
    tokenizer: Any = AutoTokenizer.from_pretrained(str(whole / "model"))
    prompt = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, tokenize=False)
    both = tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False)
    assert both == f"{prompt}{row['completion'][0]['content']}<|im_end|>\n"


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


def test_a_finished_run_is_only_read(whole: Path, recipe_of: Recipes, points: Points) -> None:
    seen: list[Progress] = []
    done = fit(recipe_of(SFT + GRPO), points, whole, reward=Length(), report=seen.append)
    assert done.record.finished
    assert seen == []


def test_a_folder_of_another_run_is_left_alone(whole: Path, recipe_of: Recipes, points: Points) -> None:
    before = (whole / "run.json").read_bytes()
    with pytest.raises(ExperimentMismatchError, match="stage was") as caught:
        fit(recipe_of(SFT), points, whole)
    assert caught.value.folder == whole
    with pytest.raises(ExperimentMismatchError, match="other points"):
        fit(recipe_of(SFT + GRPO), points[:8], whole)
    assert (whole / "run.json").read_bytes() == before


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


def test_a_loss_that_is_no_number_stops_the_run(recipe_of: Recipes, points: Points, tmp_path: Path) -> None:
    recipe = recipe_of(SFT.replace("1e-2", "1e38").replace("warm_up = 1", "warm_up = 2"))
    with pytest.raises(TrainingDivergedError, match=r"(loss|gradient) of step \d is no number") as caught:
        fit(recipe, points, tmp_path)
    assert caught.value.step is not None
    assert (caught.value.checkpoint is not None) == (caught.value.step >= 2)


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


def test_replies_that_cannot_be_judged_are_counted(
    recipe_of: Recipes, points: Points, tmp_path: Path
) -> None:
    import torch

    recipe = recipe_of(GRPO.replace("steps = 6", "steps = 2").replace("group = 2", "group = 4"))
    done = fit(recipe, points, tmp_path, reward=Length(down=(0,), half=True))
    ended = done.record.stages[0].ended
    assert ended is not None
    assert (ended.scored, ended.masked) == (16, 12)
    assert [line["metrics"]["masked"] for line in metrics(tmp_path)] == [1.0, 0.5]
    assert metrics(tmp_path)[0]["metrics"]["reward"] is None
    assert all(torch.isfinite(value).all() for value in weights(tmp_path).values())
    assert "12 of 16" in (tmp_path / "card.md").read_text()


def test_the_rank_reward_is_the_default(recipe_of: Recipes, points: Points, tmp_path: Path) -> None:
    fit(recipe_of(GRPO.replace("steps = 6", "steps = 1")), points, tmp_path)
    names = metrics(tmp_path)[0]["metrics"]
    assert any(name.startswith("rewards/") for name in names)


def test_dpo_and_gspo_and_low_rank_additions(recipe_of: Recipes, points: Points, tmp_path: Path) -> None:
    dpo = '[[stage]]\nmethod = "dpo"\nsteps = 2\nrows = 2\nrate = 1e-2\nwarm_up = 0\nevery = 2\n'
    gspo = GRPO.replace("steps = 6", "steps = 2") + 'loss = "grpo"\nimportance = "sequence"\nkl = 0.01\n'
    settings = "adapter = 'lora'\nrank = 2\n"
    recipe = recipe_of(settings + dpo + gspo)
    fit(recipe, points, tmp_path, reward=Length())
    assert metrics(tmp_path)[1]["metrics"]["rewards/margins"] is not None
    assert metrics(tmp_path)[3]["metrics"]["kl"] is not None
    assert not same(tmp_path / "stages" / "1-dpo", tmp_path)
    assert set(weights(tmp_path)) == set(weights(tmp_path / "stages" / "1-dpo"))
    assert read_folder(tmp_path).adapter is None  # two stages: it would be one on the first stage's weights


def test_one_adapted_stage_leaves_an_adapter(recipe_of: Recipes, points: Points, tmp_path: Path) -> None:
    recipe = recipe_of("adapter = 'lora'\nrank = 2\n" + SFT.replace("steps = 6", "steps = 1"))
    fit(recipe, points, tmp_path)
    folder = read_folder(tmp_path)
    assert folder.adapter is not None
    assert (folder.adapter / "adapter_model.safetensors").is_file()


def test_nothing_to_learn_from_is_an_error(recipe_of: Recipes, points: Points, tmp_path: Path) -> None:
    tied = [
        point.model_copy(
            update={"candidates": tuple(c.model_copy(update={"gain": 0.5}) for c in point.candidates)}
        )
        for point in points
    ]
    with pytest.raises(ConfigError, match="None of 12 branching points can be trained on \\(no contrast: 12"):
        fit(recipe_of(SFT), tied, tmp_path / "tied")
    with pytest.raises(ConfigError, match="no branching point"):
        fit(recipe_of(SFT), [], tmp_path / "none")
    with pytest.raises(ConfigError, match="4 rows a step, and there are only"):
        fit(recipe_of(SFT), points[:2], tmp_path / "few")


def test_a_tokenizer_without_a_chat_template_is_an_error(
    whole: Path, recipe_of: Recipes, points: Points, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    shutil.copytree(whole / "model", base)
    (base / "chat_template.jinja").unlink()
    recipe = recipe_of(SFT).model_copy(
        update={"model": recipe_of(SFT).model.model_copy(update={"base": str(base)})}
    )
    with pytest.raises(ConfigError, match="no chat template"):
        fit(recipe, points, tmp_path / "out")


def test_rows_of_somebody_else_are_taken(
    whole: Path, recipe_of: Recipes, points: Points, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes((whole / "data" / "1-sft.jsonl").read_bytes())
    stage = SFT.replace("steps = 6", "steps = 1") + f"file = {json.dumps(str(rows))}\n"
    fit(recipe_of(stage), points, tmp_path / "out")
    assert (tmp_path / "out" / "data" / "1-sft.jsonl").read_bytes() == rows.read_bytes()
    with pytest.raises(Exception, match="has no 'chosen'"):
        fit(recipe_of(stage.replace('"sft"', '"dpo"')), points, tmp_path / "other")
