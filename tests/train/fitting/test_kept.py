"""Points of a run on disk, checkpoints that are whole, and what a stage is called in TRL."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreact.errors import ConfigError, StoreError
from coreact.rubric.branching import BranchingPoint, JudgeRanking
from coreact.trace.export.splitting import split_of
from coreact.train.fitting import record
from coreact.train.fitting.arguments import Devices, arguments, steps_of
from coreact.train.fitting.checkpoints import drop_torn, last_whole, mark
from coreact.train.fitting.kept import HELD_OUT, keep
from coreact.train.fitting.progress import Progress, cut
from coreact.train.fitting.record import begin
from coreact.train.recipes import GrpoStage, PromptSettings, Recipe
from coreact.train.saving import saving, whole_file

Recipes = Callable[[str], Recipe]
Points = list[BranchingPoint]

SFT = '[[stage]]\nmethod = "sft"\n'


def test_points_come_back_in_an_order_of_the_seed(recipe_of: Recipes, points: Points, tmp_path: Path) -> None:
    recipe = recipe_of(SFT)
    kept = keep(iter(points), recipe, tmp_path / "points.jsonl")
    usable = [point for point in points if point.has_contrast]
    assert len(kept) == len(list(kept)) == len(usable)
    assert sorted(point.id for point in kept) == sorted(point.id for point in usable)
    assert [point.id for point in kept] != [point.id for point in usable]
    assert list(kept) == list(kept)
    assert list(kept.first(3)) == list(kept)[:3]
    again = keep(points, recipe, tmp_path / "again.jsonl")
    assert (list(again), again.sha256) == (list(kept), kept.sha256)
    other = keep(points, recipe.model_copy(update={"seed": 1}), tmp_path / "other.jsonl")
    assert [point.id for point in other] != [point.id for point in kept]
    assert other.sha256 == kept.sha256


def test_no_question_is_on_both_sides(recipe_of: Recipes, points: Points, tmp_path: Path) -> None:
    recipe = recipe_of("[data]\nheld_out = 0.5\nmost_of_a_kind = 0.5\n" + SFT)
    kept = keep(points, recipe, tmp_path / "points.jsonl")
    split = (("train", 0.5), ("test", 0.5))
    assert {split_of(point.question_id, split) for point in kept} == {"train"}
    gone = sum(split_of(point.question_id, split) == "test" for point in points)
    assert 0 < gone < len(points)
    assert kept.left_out["held out"] == gone
    seeded = keep(points, recipe.model_copy(update={"seed": 7}), tmp_path / "seeded.jsonl")
    assert {point.id for point in seeded} == {point.id for point in kept}


def test_points_of_two_panels_are_refused(recipe_of: Recipes, points: Points, tmp_path: Path) -> None:
    def ranked(point: BranchingPoint, judge: str) -> BranchingPoint:
        ranks = tuple(float(at) for at in range(1, len(point.candidates) + 1))
        return point.model_copy(update={"rankings": (JudgeRanking(judge=judge, ranks=ranks),)})

    mixed = [ranked(points[0], "a@1"), ranked(points[1], "a@2")]
    with pytest.raises(ConfigError, match="points before it by"):
        keep(mixed, recipe_of(SFT), tmp_path / "points.jsonl")
    allowed = recipe_of("[data]\nmix_judges = true\n" + SFT)
    assert len(keep(mixed, allowed, tmp_path / "points.jsonl")) == sum(p.has_contrast for p in mixed)


def test_a_checkpoint_is_whole_or_none(tmp_path: Path) -> None:
    for step in (2, 10, 4):
        folder = tmp_path / f"checkpoint-{step}"
        (folder / "sub").mkdir(parents=True)
        (folder / "a").write_bytes(b"12345")
        (folder / "sub" / "b").write_bytes(b"1")
        mark(folder, step, scored=step, masked=1)
    assert last_whole(tmp_path / "none") is None
    found = last_whole(tmp_path)
    assert found is not None
    assert (found[0].name, found[1].step, found[1].scored, found[1].masked) == ("checkpoint-10", 10, 10, 1)
    (tmp_path / "checkpoint-10" / "a").write_bytes(b"1234")
    (tmp_path / "checkpoint-4" / "whole.json").write_text("{")
    (tmp_path / "checkpoint-11").mkdir()
    (tmp_path / "checkpoint-x").mkdir()
    found = last_whole(tmp_path)
    assert found is not None
    assert found[1].step == 2
    drop_torn(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-2"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_is_really_full_is_told(recipe_of: Recipes, points: Points, tmp_path: Path) -> None:
    torn = tmp_path / "torn"
    torn.mkdir()
    with pytest.raises(StoreError, match="No space left on device") as caught, saving(torn):
        Path("/dev/full").write_bytes(b"x" * 100_000)
    assert caught.value.path == torn
    assert not torn.exists()
    with pytest.raises(ZeroDivisionError), saving(torn):
        raise ZeroDivisionError
    # A short file is only written when it is closed.
    (tmp_path / "points.jsonl.part").symlink_to("/dev/full")
    with pytest.raises(StoreError, match="No space left on device"):
        keep(points, recipe_of(SFT), tmp_path / "points.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_there_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with whole_file(path) as write:
        write(b"one")

    def broken() -> None:
        with whole_file(path) as write:
            write(b"two")
            raise OSError("theirs")

    with pytest.raises(OSError, match="theirs"):
        broken()
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("a", b"one")]


def test_points_for_the_monitor_do_not_hang_on_order(
    recipe_of: Recipes, points: Points, tmp_path: Path
) -> None:
    recipe = recipe_of("[data]\nheld_out = 0.5\n[monitor]\npoints = 2\n" + SFT.replace("sft", "grpo"))
    found = []
    for name, given in (("a", points), ("b", points[::-1])):
        keep(given, recipe, tmp_path / name / "points.jsonl")
        found.append((tmp_path / name / HELD_OUT).read_bytes())
    assert found[0] == found[1]
    assert found[0].count(b"\n") == 2


def test_lines_that_a_checkpoint_does_not_know_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [
        Progress(stage=stage, method="sft", step=step, steps=4, seconds=1.0, metrics={"n": float(step)})
        for stage in (0, 1, 2)
        for step in (1, 2, 3)
    ]
    path.write_text("".join(one.model_dump_json() + "\n" for one in lines) + '{"stage": 2, "st')
    assert cut(path, stage=1, step=2) == {"n": 2.0}
    assert [Progress.model_validate_json(line) for line in path.read_text().splitlines()] == lines[:5]
    assert cut(path, stage=1, step=0) == {}
    assert len(path.read_text().splitlines()) == 3


# --- names ----------------------------------------------------------------------------------------


def devices(*, count: int = 1, cpu: bool = True, seen: int = 0) -> Devices:
    found = Devices()
    found.count, found.cpu, found.seen = count, cpu, seen
    return found


def made(recipe: Recipe, *, rows: int = 1000, **machine: Any) -> dict[str, Any]:
    return arguments(recipe, recipe.stage[0], rows=rows, folder=Path("x"), devices=devices(**machine))


@pytest.mark.parametrize("method", ["sft", "dpo", "grpo"])
def test_trl_knows_every_name(method: str, recipe_of: Recipes, tmp_path: Path) -> None:
    import trl

    settings = 'rows = 8\nmicro = 4\nwarm_up = 3\ndecay = "constant"\n'
    recipe = recipe_of(f'[[stage]]\nmethod = "{method}"\n{settings}')
    given = made(recipe) | {"output_dir": str(tmp_path)}
    config = getattr(trl, f"{method.upper()}Config")(**given)
    sequences = 64 if method == "grpo" else 8
    assert config.per_device_train_batch_size * config.gradient_accumulation_steps == sequences
    assert config.per_device_train_batch_size == 4
    assert config.report_to == []
    assert not config.bf16
    assert config.max_steps == 125
    assert config.get_warmup_steps(125) == 3
    if method == "grpo":
        assert (config.num_generations, config.loss_type, config.beta) == (8, "dapo", 0.0)
        assert config.generation_batch_size == 64
        assert config.steps_per_generation == config.gradient_accumulation_steps


def test_vllm_is_a_setting() -> None:
    import dataclasses

    import trl

    known = {field.name for field in dataclasses.fields(trl.GRPOConfig)}
    stage = GrpoStage(rollouts="colocate", memory=0.4, tensor_parallel=2, rows=16)
    recipe = Recipe(name="a", stage=(stage,), prompt=PromptSettings(longest=8192))
    given = made(recipe, count=8, cpu=False)
    assert set(given) <= known
    assert (given["use_vllm"], given["vllm_mode"]) == (True, "colocate")
    assert (given["vllm_gpu_memory_utilization"], given["vllm_tensor_parallel_size"]) == (0.4, 2)
    assert given["per_device_train_batch_size"] == 16
    assert given["vllm_max_model_length"] == 8192 + stage.max_tokens
    server = recipe.model_copy(
        update={"stage": (stage.model_copy(update={"rollouts": "server", "server": "http://a:1"}),)}
    )
    given = made(server, count=8, cpu=False)
    assert set(given) <= known
    assert (given["vllm_mode"], given["vllm_server_base_url"]) == ("server", "http://a:1")
    with pytest.raises(ConfigError, match="there is no GPU"):
        made(recipe)


def test_gspo_is_a_setting(recipe_of: Recipes) -> None:
    given = made(recipe_of('[[stage]]\nmethod = "grpo"\nimportance = "sequence"\nloss = "grpo"\n'))
    assert (given["importance_sampling_level"], given["loss_type"]) == ("sequence", "grpo")


def test_what_cannot_be_split_is_refused(recipe_of: Recipes) -> None:
    with pytest.raises(ConfigError, match="cannot be split over 3 devices"):
        made(recipe_of(SFT + "rows = 8\n"), count=3)
    with pytest.raises(ConfigError, match="One process sees 2 GPUs"):
        made(recipe_of(SFT + "rows = 8\n"), cpu=False, seen=2)
    assert made(recipe_of(SFT + "rows = 8\n"), cpu=False, seen=2, count=2)["gradient_accumulation_steps"] == 1
    with pytest.raises(ConfigError, match="there are only 7"):
        made(recipe_of(SFT + "rows = 8\n"), rows=7)


def test_steps_of_passes() -> None:
    assert steps_of(GrpoStage(rows=8, epochs=2), 100) == 24
    assert steps_of(GrpoStage(rows=8, epochs=2, iterations=2, every=50), 100) == 48
    assert steps_of(GrpoStage(rows=8, steps=5), 100) == 5
    assert steps_of(GrpoStage(rows=10, epochs=1.1), 100) == 11


def test_one_process_of_several_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "WORLD_SIZE", "4")
    monkeypatch.setitem(os.environ, "RANK", "3")
    found = Devices()
    assert (found.count, found.first) == (4, False)


def test_the_revision_of_another_checkout_is_not_ours(
    recipe_of: Recipes, points: Points, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment lies in somebody's repository: that one's revision says nothing of this library."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("needs git")

    def run(*command: str) -> None:
        name = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        subprocess.run([git, "-C", str(tmp_path), *name, *command], check=True, capture_output=True)

    file = tmp_path / "a" / "b" / "c" / "record.py"
    file.parent.mkdir(parents=True)
    file.touch()
    run("init", "--quiet")
    run("commit", "--quiet", "--allow-empty", "-m", "theirs")
    monkeypatch.setattr(record, "__file__", str(file))
    kept = keep(points, recipe_of(SFT), tmp_path / "points.jsonl")
    assert begin(recipe_of(SFT), tmp_path, kept, sources={}).revision == ""
    run("add", str(file))
    run("commit", "--quiet", "-m", "ours")
    assert len(begin(recipe_of(SFT), tmp_path, kept, sources={}).revision) == 40
    file.write_text("changed")
    assert begin(recipe_of(SFT), tmp_path, kept, sources={}).revision.endswith("-dirty")
