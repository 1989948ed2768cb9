"""One step of the real GRPO trainer: it awaits the reward, logs its parts and leaves out what is masked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from coreact.generate.prompt import chat, step_prompt
from coreact.rubric.branching import BranchingPoint
from coreact.train.llama import Shape, new_model
from coreact.train.models import wrapped
from coreact.train.rewards.reward import RubricReward
from coreact.train.rewards.trl import TrlReward, point_of, text_of
from coreact.train.tokenizing import train_tokenizer

os.environ.setdefault("HF_HUB_OFFLINE", "1")
trl: Any = pytest.importorskip("trl", reason="needs the extra `train`")


class Told(TrlReward):
    """Writes down what it was given and what it gave."""

    async def __call__(self, prompts: Any, completions: Any, **columns: Any) -> list[float | None]:
        given = await super().__call__(prompts, completions, **columns)
        self.samples = [*zip(map(text_of, completions), columns["point"], given, strict=True)]
        return given


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")  # TRL's own
def test_a_step_of_grpo_uses_it(tmp_path: Path, collected: tuple[BranchingPoint, ...]) -> None:
    import torch
    from datasets import Dataset  # type: ignore[import-untyped]

    point = collected[0]
    flat = point.model_copy(
        update={
            "id": "flat",
            "candidates": tuple(one.model_copy(update={"gain": 1.0}) for one in point.candidates),
        }
    )
    prompts = [chat(step_prompt(one.state, form="sheet")) for one in (point, flat)]
    rows = [
        {"prompt": prompt, "point": one.model_dump_json()}
        for prompt, one in zip(prompts, (point, flat), strict=True)
    ]
    texts = [message["content"] for prompt in prompts for message in prompt]
    tokenizer = wrapped(train_tokenizer(texts, size=300), context=1024)
    shape = Shape(width=32, layers=1, heads=2, feed_forward=32, context=1024)
    reward: Any = Told(RubricReward(form="sheet"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        trainer = trl.GRPOTrainer(
            model=new_model(shape, vocabulary=len(tokenizer), seed=0),
            reward_funcs=reward,
            args=trl.GRPOConfig(
                output_dir=str(tmp_path),
                per_device_train_batch_size=4,
                num_generations=2,
                max_completion_length=8,
                max_steps=1,
                use_cpu=True,
                bf16=False,
                report_to="none",
                save_strategy="no",
                disable_tqdm=True,
                logging_steps=1,
                seed=0,
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
        )
        trainer.train()
    finally:
        torch.set_num_threads(threads)
    [log] = [line for line in trainer.state.log_history if "reward" in line]
    plain = RubricReward(form="sheet")
    assert [given for _, _, given in reward.samples] == [
        plain.score(text, point_of(row)).value for text, row, _ in reward.samples
    ]
    assert sum(given is None for _, _, given in reward.samples) == 2  # both completions for the flat point
    known = [given for _, _, given in reward.samples if given is not None]
    assert log["rewards/rubric_reward/mean"] == pytest.approx(sum(known) / len(known), abs=1e-6)
    assert log["rubric/masked"] == 0.5
    assert dict(reward.masked) == {"the candidates of the point are worth the same": 2}
