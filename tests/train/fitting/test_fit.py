"""Fitting with real TRL on a model of ten thousand weights: what is left, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreact.errors import ConfigError, ExperimentMismatchError, TrainingDivergedError
from coreact.generate.trained import check_versions, read_folder
from coreact.generate.trained.opening import open_weights
from coreact.local.pull import check_gguf
from coreact.rubric.branching import BranchingPoint
from coreact.train.fitting import Progress, fit, read_run
from coreact.train.recipes import Recipe

from .conftest import GRPO, SFT, Length, metrics, same, weights

Recipes = Callable[[str], Recipe]
Points = list[BranchingPoint]


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


def test_a_finished_run_is_only_read(whole: Path, recipe_of: Recipes, points: Points) -> None:
    """The figures that an evaluation wrote into the card stay."""
    card = whole / "card.md"
    before = card.read_text()
    card.write_text(before + "held-out figures\n")
    seen: list[Progress] = []
    done = fit(recipe_of(SFT + GRPO), points, whole, reward=Length(), report=seen.append)
    assert done.record.finished
    assert seen == []
    assert card.read_text() == before + "held-out figures\n"
    card.write_text(before)


def test_a_folder_of_another_run_is_left_alone(whole: Path, recipe_of: Recipes, points: Points) -> None:
    files = ("run.json", "data/points.jsonl")
    before = [(whole / name).read_bytes() for name in files]
    with pytest.raises(ExperimentMismatchError, match="stage was") as caught:
        fit(recipe_of(SFT), points, whole)
    assert caught.value.folder == whole
    with pytest.raises(ExperimentMismatchError, match="other points"):
        fit(recipe_of(SFT + GRPO), points[:8], whole)
    assert [(whole / name).read_bytes() for name in files] == before
    assert not list((whole / "data").glob("*.part"))


def test_a_loss_that_is_no_number_stops_the_run(recipe_of: Recipes, points: Points, tmp_path: Path) -> None:
    recipe = recipe_of(SFT.replace("1e-2", "1e38").replace("warm_up = 1", "warm_up = 2"))
    with pytest.raises(TrainingDivergedError, match=r"(loss|gradient) of step \d is no number") as caught:
        fit(recipe, points, tmp_path)
    assert caught.value.step is not None
    assert (caught.value.checkpoint is not None) == (caught.value.step >= 2)


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


def test_what_a_later_stage_lacks_is_told_before_the_first(
    recipe_of: Recipes, points: Points, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="'grpo' learns from 200 rows a step"):
        fit(recipe_of(SFT + GRPO.replace("rows = 2", "rows = 200")), points, tmp_path)
    assert not (tmp_path / "stages").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "recipe.toml"]  # free for another


def test_rows_that_are_too_long_are_left_out(recipe_of: Recipes, points: Points, tmp_path: Path) -> None:
    """Cut from the end they have no reply left, and a loss that is no number."""
    with pytest.raises(ConfigError, match=r"too long: \d+\)"):
        fit(recipe_of(SFT + "max_tokens = 64\n"), points, tmp_path / "row")
    beyond = recipe_of(GRPO)
    small = beyond.model.shape.model_copy(update={"context": 128})
    beyond = beyond.model_copy(update={"model": beyond.model.model_copy(update={"shape": small})})
    with pytest.raises(ConfigError, match=r"too long: \d+\)"):
        fit(beyond, points, tmp_path / "context")


def test_a_pretrained_base_an_adapter_by_seed_and_template_variables(
    whole: Path, recipe_of: Recipes, points: Points, tmp_path: Path
) -> None:
    import torch

    base = tmp_path / "my base"
    shutil.copytree(whole / "model", base)
    chat = base / "chat_template.jinja"
    chat.write_text("{% if thinking is defined and not thinking %}<off>{% endif %}" + chat.read_text())
    settings = "adapter = 'lora'\nrank = 2\n[prompt]\ntemplate = { thinking = false }\n"
    recipe = recipe_of(settings + SFT.replace("steps = 6", "steps = 3"))  # the first has a rate of 0
    recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update={"base": str(base)})})
    for seed in (1, 2):  # of the process: the recipe's own decides
        torch.manual_seed(seed)
        fit(recipe, points, tmp_path / str(seed))
    assert same(tmp_path / "1", tmp_path / "2")
    folder = read_folder(tmp_path / "1")
    assert folder.adapter is not None
    assert (folder.adapter / "adapter_model.safetensors").is_file()
    assert folder.record.base == "my base"
    assert str(tmp_path) not in (tmp_path / "1" / "card.md").read_text()
    assert folder.record.template == {"thinking": False}
    turns = [{"role": "user", "content": "x"}]
    assert open_weights(folder).rendered(turns).startswith("<off>")
    plain = folder.record.model_copy(update={"template": {}})
    assert plain.version != folder.record.version
