"""Recipes are read whole or refused with the name that was meant; shipped ones say what the paper says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreact.errors import ConfigError
from coreact.train.recipes import (
    DpoStage,
    GrpoStage,
    ModelSettings,
    MonitorSettings,
    PromptSettings,
    Recipe,
    SftStage,
    parse_recipe,
    read_recipe,
    recipe_text,
)

SHIPPED = Path(__file__).resolve().parents[2] / "rubric_models"
NAMES = sorted(path.parent.name for path in SHIPPED.glob("*/recipe.toml"))

SMALL = 'name = "a"\n[[stage]]\nmethod = "grpo"\n'
RULE = '[[monitor.rules]]\nkind = "bound"\nname = "long"\nfigure = "length"\nmost = 1\n'


def test_four_recipes_are_shipped() -> None:
    assert NAMES == ["qwen3-14b", "qwen3-8b", "smollm2-135m", "tiny"]


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_recipe_is_named_like_its_folder(name: str) -> None:
    recipe = read_recipe(SHIPPED / name)
    assert recipe.name == name
    assert recipe == read_recipe(SHIPPED / name / "recipe.toml")
    assert parse_recipe(recipe_text(recipe)) == recipe


@pytest.mark.parametrize(
    ("name", "rows", "rate", "warm_up"), [("qwen3-8b", 64, 3e-6, 0), ("qwen3-14b", 32, 2e-6, 10)]
)
def test_the_papers_settings(name: str, rows: int, rate: float, warm_up: int) -> None:
    recipe = read_recipe(SHIPPED / name)
    (stage,) = recipe.stage
    assert isinstance(stage, GrpoStage)
    assert (stage.group, stage.temperature, stage.kl, stage.clip_low) == (8, 1.0, 0.005, 0.2)
    assert (stage.rows, stage.rate, stage.warm_up, stage.epochs) == (rows, rate, warm_up, 2)
    assert (stage.max_tokens, stage.scale, stage.importance) == (2048, "group", "token")
    reward = recipe.reward
    assert (reward.ranking, reward.atomic, reward.format) == (0.75, 0.15, 0.10)


def test_the_cluster_file_says_what_the_recipe_says() -> None:
    path = SHIPPED / "qwen3-14b" / "verl.sh"
    said = dict(re.findall(r"^ *\+?([\w.]+)=(\S+)", path.read_text(), re.MULTILINE))
    recipe = read_recipe(SHIPPED / "qwen3-14b")
    (stage,) = recipe.stage
    assert isinstance(stage, GrpoStage)
    actor = "actor_rollout_ref.actor."
    assert int(said["data.train_batch_size"]) == int(said[f"{actor}ppo_mini_batch_size"]) == stage.rows
    assert int(said["data.max_response_length"]) == stage.max_tokens
    assert int(said["data.max_prompt_length"]) == recipe.prompt.longest
    assert float(said[f"{actor}optim.lr"]) == stage.rate
    assert int(said[f"{actor}optim.lr_warmup_steps"]) == stage.warm_up
    assert float(said[f"{actor}clip_ratio"]) == stage.clip_low
    assert float(said[f"{actor}kl_loss_coef"]) == stage.kl
    assert int(said["actor_rollout_ref.rollout.n"]) == stage.group
    assert float(said["actor_rollout_ref.rollout.temperature"]) == stage.temperature
    assert float(said["trainer.total_epochs"]) == stage.epochs
    assert said["actor_rollout_ref.model.path"] == recipe.model.base
    rewarded = "reward.custom_reward_function.reward_kwargs."
    assert said[f"{rewarded}form"] == recipe.prompt.form
    for name in ("full_candidates", "floor_criteria"):
        assert int(said[f"{rewarded}settings.{name}"]) == getattr(recipe.reward, name)


def test_the_cluster_file_hands_its_overrides_on(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    fake = tmp_path / "python3"
    fake.write_text('#!/bin/sh\nif [ "$1" = -c ]; then echo /reward.py; else printf "%s\\n" "$@"; fi\n')
    fake.chmod(0o755)
    path = str(SHIPPED / "qwen3-14b" / "verl.sh")
    run = [bash, path, "a b.parquet", "v.parquet", "out", "2", "4", "trainer.total_epochs=1"]
    done = subprocess.run(run, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["-m", "verl.trainer.main_ppo"]
    assert "data.train_files=a b.parquet" in lines
    assert "trainer.nnodes=2" in lines
    assert "reward.custom_reward_function.path=/reward.py" in lines
    assert lines[-1] == "trainer.total_epochs=1"
    short = subprocess.run(
        [bash, path, "t", "v", "out"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert "trainer.n_gpus_per_node=8" in short.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SMALL + "grup = 4\n", r"stage\[1\]\.grup: there is no such setting. Did you mean 'group'\?"),
        (SMALL + "[model]\nbasis = 'new'\n", r"model\.basis: there is no such setting. Did you mean 'base'"),
        (SMALL + "[model.shape]\nwidht = 64\n", r"model\.shape\.widht: .* Did you mean 'width'"),
        (SMALL + "[rewrd]\n", r"rewrd: there is no such setting. Did you mean 'reward'"),
        (SMALL + "[reward]\nrankng = 1\n", r"reward\.rankng: .* Did you mean 'ranking'"),
        (SMALL + "zzz = 4\n", r"stage\[1\]\.zzz: there is no such setting. Settings there are: steps, "),
        (SMALL + "rate = -1\n", r"stage\[1\]\.rate: .*greater than 0"),
        (SMALL.replace("grpo", "ppo"), r"stage\[1\]: .*'sft', 'dpo', 'grpo'"),
        ('name = "a"\n', "stage: Field required"),
        ('name = "../a"\n[[stage]]\nmethod = "sft"\n', "name: "),
        (SMALL + 'importance = "sequence"\n', r'needs loss = "grpo"'),
        (SMALL + "rows = 2\nmicro = 3\n", "micro must divide the 16 replies"),
        (SMALL + "every = 5\nlog = 2\n", "every must be a multiple of log"),
        (SMALL + "every = 5\niterations = 2\n", "every must be a multiple of iterations"),
        (SMALL + "[monitor]\nevry = 5\n", r"monitor\.evry: .* Did you mean 'every'"),
        (SMALL + RULE.replace("most", "mst"), r"monitor\.rules\[1\]\.mst: .* Did you mean 'most'"),
        (SMALL + RULE.replace("bound", "patience"), r"monitor\.rules\[1\]\.most: .*Settings there are: kind"),
        (SMALL + RULE.replace("length", "lenght"), r"monitor\.rules\[1\]\.figure: "),
        (SMALL + "every = 4\nlog = 2\n", r"\[monitor\] every must be a multiple of the stage's log"),
        ("name = \n", "is no TOML"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_recipe(text)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_recipe(tmp_path / "recipe.toml")
    (tmp_path / "recipe.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_recipe(tmp_path)


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=20)
STAGES = st.one_of(
    st.builds(SftStage, rate=st.floats(1e-12, 1e3), steps=st.none() | st.integers(1, 10**9)),
    st.builds(DpoStage, beta=st.floats(1e-3, 10), file=st.none() | WORDS),
    st.builds(GrpoStage, kl=st.floats(0, 1), clip_high=st.none() | st.floats(0.1, 1), server=WORDS),
)


@given(
    recipe=st.builds(
        Recipe,
        name=st.just("a"),
        about=WORDS,
        model=st.builds(ModelSettings, base=WORDS),
        prompt=st.builds(PromptSettings, template=st.dictionaries(st.just("enable_thinking"), st.booleans())),
        monitor=st.sampled_from(
            [MonitorSettings(), MonitorSettings(rules=(), points=0), parse_recipe(SMALL + RULE).monitor]
        ),
        stage=st.lists(STAGES, min_size=1, max_size=3).map(tuple),
    )
)
@settings(max_examples=100, deadline=None)
def test_what_is_written_reads_as_what_it_was(recipe: Recipe) -> None:
    assert parse_recipe(recipe_text(recipe)) == recipe


def test_reading_a_recipe_loads_no_torch() -> None:
    import sys

    code = (
        "import sys, coreact.train.models, coreact.train.fitting, coreact.cli.train_fit\n"
        "print([n for n in ('torch', 'trl', 'transformers', 'datasets') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
