"""The callback in a real GRPOTrainer of TRL: figures from its log, a probe, an alarm that ends training."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("trl", reason="needs the extra `train`")

from coreact.errors import ConfigError
from coreact.train.llama import Shape, new_model
from coreact.train.monitor import Alarm, Bound, FigureName, Figures, Monitor
from coreact.train.monitor.callback import MonitorCallback
from coreact.train.tokenizing import END, PAD, TEMPLATE, train_tokenizer

os.environ.setdefault("HF_HUB_OFFLINE", "1")


def state(step: int, *, first: bool = True) -> Any:
    return SimpleNamespace(global_step=step, is_world_process_zero=first)


def control() -> Any:
    return SimpleNamespace(should_training_stop=False)


@pytest.mark.filterwarnings("ignore")  # of TRL and torch, about settings that do not matter here
def test_it_ends_a_run_of_trl_with_the_reason_of_its_alarm(tmp_path: Path) -> None:
    import torch
    import transformers
    import trl as untyped
    from datasets import Dataset  # type: ignore[import-untyped]

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    trl: Any = untyped
    fast: Any = transformers.PreTrainedTokenizerFast
    tokenizer = fast(
        tokenizer_object=train_tokenizer(["Search for name 1.", "Answer now."], size=270),
        pad_token=PAD,
        eos_token=END,
        chat_template=TEMPLATE,
    )
    model = new_model(
        Shape(width=32, layers=1, heads=2, feed_forward=32, context=128), vocabulary=len(tokenizer), seed=0
    )
    probed: list[int] = []

    def panel(model: Any, tokenizer: Any) -> Mapping[FigureName, float | None]:
        assert model.config.hidden_size == 32
        assert len(tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)) > 2
        probed.append(len(probed))
        return {"panel": 0.25, "referee": None}

    def length(completions: Any, log_metric: Any, **_: Any) -> list[float]:
        log_metric("rubric/masked", 0.125)
        return [len(one[0]["content"]) / 50 for one in completions]

    told: list[Alarm] = []
    monitor = Monitor(
        [Bound(name="spread", figure="entropy", most=0.5, window=3, stop=True)], folder=tmp_path / "watch"
    )
    callback = MonitorCallback(monitor, probe=panel, every=2, report=told.append)
    trainer = trl.GRPOTrainer(
        model=model,
        reward_funcs=length,
        args=trl.GRPOConfig(
            output_dir=str(tmp_path / "out"),
            per_device_train_batch_size=2,
            num_generations=2,
            max_completion_length=4,
            max_steps=9,
            logging_steps=1,
            use_cpu=True,
            bf16=False,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            gradient_checkpointing=False,
        ),
        train_dataset=Dataset.from_list([{"prompt": [{"role": "user", "content": "Go."}]}] * 8),
        processing_class=tokenizer,
        callbacks=[callback],
    )
    try:
        trainer.train()
    finally:
        torch.set_num_threads(threads)

    assert trainer.state.global_step == 3
    assert callback.stopped == told[0] == monitor.alarms[0]
    assert (told[0].rule, told[0].step) == ("spread", 3)
    assert told[0].reason.startswith("entropy is ")
    assert [figures.step for figures in monitor.history] == [0, 1, 2, 3]
    assert [figures.panel for figures in monitor.history] == [0.25, None, 0.25, None]
    assert len(probed) == 2
    last = monitor.history[-1]
    logged = trainer.state.log_history[2]
    assert last.proxy == logged["rewards/length/mean"]
    assert last.length == logged["completions/mean_length"]
    assert last.zero_variance == logged["frac_reward_zero_std"]
    assert last.masked == 0.125
    # A new process reads what this one saw.
    assert Monitor(monitor.rules, folder=tmp_path / "watch").stopped == told[0]


def test_what_is_no_number_was_not_measured() -> None:
    callback = MonitorCallback(Monitor())
    logs = {"reward": float("nan"), "entropy": 1.5, "kl": float("inf"), "loss": 3.0}
    callback.on_log(None, state(4), control(), logs=logs)  # type: ignore[arg-type]
    callback.on_log(None, state(9), control(), logs={"train_runtime": 3.0})  # type: ignore[arg-type]
    assert callback.monitor.history == (Figures(step=4, entropy=1.5),)


def test_the_proxy_is_the_mean_of_the_only_reward() -> None:
    """TRL's `reward` adds several up, and counts what one of them masked as 0."""
    callback = MonitorCallback(Monitor())
    names = ("rewards/a/mean", "rewards/a/std", "rewards/b/mean", "reward")
    for step, logs in enumerate(([0.7, 0.1], [0.7, 0.1, 0.6, 0.4], [float("nan"), 0.1])):
        log = dict(zip(names, logs, strict=False)) | {"reward": 0.4, "entropy": 1.0}
        callback.on_log(None, state(step + 1), control(), logs=log)  # type: ignore[arg-type]
    assert [figures.proxy for figures in callback.monitor.history] == [0.7, 0.4, None]
    named = MonitorCallback(Monitor(), log_names={"proxy": "rewards/b/mean"})
    named.on_log(None, state(1), control(), logs=dict(zip(names, (0.7, 0.1, 0.6, 0.4), strict=True)))  # type: ignore[arg-type]
    assert named.monitor.history[0].proxy == 0.6


def test_a_stage_forgets_the_one_before_however_short(tmp_path: Path) -> None:
    """Three steps of one, and the next one logs at its fifth: no figure of the first may stand among them."""
    monitor = Monitor(folder=tmp_path)
    callback = MonitorCallback(monitor)
    for steps in ((1, 2, 3), (5, 10)):
        callback.on_train_begin(None, state(0), control())  # type: ignore[arg-type]
        for step in steps:
            callback.on_log(None, state(step), control(), logs={"entropy": 1.0})  # type: ignore[arg-type]
    assert [figures.step for figures in monitor.history] == [0, 5, 10]
    assert Monitor(folder=tmp_path).history == monitor.history


def test_names_in_the_log_are_a_setting_and_a_wrong_one_is_an_error() -> None:
    callback = MonitorCallback(Monitor(), log_names={"panel": "eval_reward", "masked": "num_tokens"})
    callback.on_log(None, state(1), control(), logs={"eval_reward": 0.5})  # type: ignore[arg-type]
    assert callback.monitor.history[0].panel == 0.5
    with pytest.raises(ConfigError, match="masked"):
        callback.on_log(None, state(2), control(), logs={"num_tokens": 900.0})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="every 0 steps"):
        MonitorCallback(Monitor(), every=0)


def test_another_process_stops_too_and_writes_nothing(tmp_path: Path) -> None:
    monitor = Monitor([Bound(name="b", figure="kl", most=1, window=1, stop=True)], folder=tmp_path)
    given = control()
    MonitorCallback(monitor).on_log(None, state(1, first=False), given, logs={"kl": 2.0})  # type: ignore[arg-type]
    assert given.should_training_stop
    assert list(tmp_path.iterdir()) == []
