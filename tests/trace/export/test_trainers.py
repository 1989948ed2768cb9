"""Exported files train: one step of each TRL trainer on files loaded by `datasets`, on a model made here."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coreact.rubric import Rubric
from coreact.trace.export import ExportSettings, export

_MISSING = [
    name
    for name in ("torch", "transformers", "trl", "datasets", "tokenizers")
    if not importlib.util.find_spec(name)
]
pytestmark = [
    pytest.mark.skipif(
        bool(_MISSING), reason=f"the extra `train` is not installed: no {', '.join(_MISSING)}"
    ),
    # Warnings of torch, transformers and TRL about themselves are none of ours.
    pytest.mark.filterwarnings("ignore"),
]

TEMPLATE = (
    "{% if tools %}<tools>{{ tools | tojson }}</tools>{% endif %}"
    "{% for m in messages %}<{{ m.role }}>{{ m.content or '' }}"
    "{% for call in (m.tool_calls or []) %}"
    "<call>{{ call.function.name }} {{ call.function.arguments | tojson }}</call>"
    "{% endfor %}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """The folder of a Llama of random weights, and its byte-level tokenizer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("datasets")))
        patch.setenv("TOKENIZERS_PARALLELISM", "false")
        import torch
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers
        from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        special = ["<pad>", "<end>", "<system>", "<user>", "<assistant>", "<tool>"]
        letters = sorted(pre_tokenizers.ByteLevel.alphabet())
        vocabulary = {token: at for at, token in enumerate([*special, *letters])}
        raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
        raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        raw.decoder = decoders.ByteLevel()
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<end>")
        tokenizer.add_special_tokens({"additional_special_tokens": special[2:]})
        tokenizer.chat_template = TEMPLATE
        torch.manual_seed(0)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=32,
                intermediate_size=32,
                num_hidden_layers=1,
                num_attention_heads=2,
                num_key_value_heads=2,
                max_position_embeddings=2048,
                pad_token_id=0,
                eos_token_id=1,
                bos_token_id=1,
            )
        )
        folder = str(tmp_path_factory.mktemp("tiny"))
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        yield folder, tokenizer
        torch.set_num_threads(threads)


@pytest.fixture
def load(made: Any, tmp_path: Path) -> Any:
    """Export the golden run, and one with other arguments; load the file as a trainer's owner would."""
    import datasets

    other = made.run(
        [
            [
                made.trying("Oder", "mmm", "candidate", selected=True),
                made.trying("No idea.", "uuu", "candidate", answers=True),
            ],
            [made.trying("In the Oder Mountains.", "mmm", answers=True)],
        ],
        run_id="run-2",
        question="Where does the Oder rise?",
    )

    def loaded(form: str, **settings: Any) -> Any:
        out = tmp_path / form
        manifest = export(made.stored(made.golden(), other), out, ExportSettings(format=form, **settings))
        file = manifest.splits["train"].file
        assert file is not None
        kind = {"jsonl": "json"}.get(file.rpartition(".")[2], "parquet")
        data = datasets.load_dataset(
            kind, data_files=str(out / file), split="train", cache_dir=str(tmp_path / "cache")
        )
        assert len(data) == manifest.splits["train"].rows
        return data

    return loaded


def arguments(out: Path, **more: Any) -> dict[str, Any]:
    return {
        "output_dir": str(out),
        "max_steps": 1,
        "per_device_train_batch_size": 2,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
        **more,
    }


def trained(trainer: Any) -> float:
    """Take the step; the loss is a number and the weights moved."""
    import torch

    before = {name: weight.detach().clone() for name, weight in trainer.model.named_parameters()}
    loss = trainer.train().training_loss
    assert loss == loss
    assert any(not torch.equal(before[name], weight) for name, weight in trainer.model.named_parameters())
    return float(loss)


@pytest.mark.parametrize("file", ["jsonl", "parquet"])
def test_sft(load: Any, tiny: Any, tmp_path: Path, file: str) -> None:
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = tiny
    data = load("sft", file=file)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(**arguments(tmp_path / "run"), max_length=1024),
        train_dataset=data,
        processing_class=tokenizer,
    )
    texts = [tokenizer.decode(row["input_ids"]) for row in trainer.train_dataset]
    assert len(texts) == 5
    # The tools, the guidance and the call are all in what is trained on; the loss is on the completion.
    assert texts[0].startswith('<tools>[{"function": ') or texts[0].startswith('<tools>[{"type": "function"')
    assert "Next step: name the river." in texts[0]
    labels = trainer.train_dataset[0]["labels"]
    completion = tokenizer.decode([token for token in labels if token != -100])
    assert completion == '<call>search {"query": "Elbe"}</call><end>'
    trained(trainer)


def test_correction(load: Any, tiny: Any, tmp_path: Path) -> None:
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = tiny
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(**arguments(tmp_path / "run"), max_length=1024),
        train_dataset=load("correction"),
        processing_class=tokenizer,
    )
    (row,) = trainer.train_dataset
    text = tokenizer.decode(row["input_ids"])
    assert text.endswith(
        '<tool>Name the river.<end><assistant><call>search {"query": "Giant Mountains"}</call><end>'
    )
    trained(trainer)


@pytest.mark.parametrize("file", ["jsonl", "parquet"])
def test_dpo(load: Any, tiny: Any, tmp_path: Path, file: str) -> None:
    from trl import DPOConfig, DPOTrainer

    model, tokenizer = tiny
    data = load("dpo", rubric="stripped", file=file)
    assert set(data.column_names) >= {"prompt", "chosen", "rejected", "tools", "margin"}
    trainer = DPOTrainer(
        model=model,
        args=DPOConfig(**arguments(tmp_path / "run")),
        train_dataset=data,
        processing_class=tokenizer,
    )
    row = trainer.train_dataset[0]
    assert "Elbe" in tokenizer.decode(row["chosen_ids"])
    assert "Rivers" in tokenizer.decode(row["rejected_ids"])
    trained(trainer)


@pytest.mark.parametrize("file", ["jsonl", "parquet"])
def test_kto(load: Any, tiny: Any, tmp_path: Path, file: str) -> None:
    from trl import KTOConfig, KTOTrainer

    model, tokenizer = tiny
    data = load("kto", file=file)
    assert sorted(data["label"]) == [False] * 3 + [True] * 5
    trainer = KTOTrainer(
        model=model,
        args=KTOConfig(**arguments(tmp_path / "run")),
        train_dataset=data,
        processing_class=tokenizer,
    )
    trained(trainer)


@pytest.mark.parametrize("file", ["jsonl", "parquet"])
def test_grpo(load: Any, tiny: Any, tmp_path: Path, file: str) -> None:
    from trl import GRPOConfig, GRPOTrainer

    model, tokenizer = tiny
    asked: list[Rubric] = []

    def reward(prompts: Any, completions: Any, rubric: list[str], **columns: Any) -> list[float]:
        asked.extend(map(Rubric.model_validate_json, rubric))
        assert {"rubric_sha", "run", "step", "task", "tools", "state_digest"} <= set(columns)
        return [len(one[0]["content"]) + at % 2 for at, one in enumerate(completions)]

    config = GRPOConfig(
        **arguments(tmp_path / "run"), num_generations=2, max_completion_length=4, learning_rate=1e-2
    )
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=config,
        train_dataset=load("grpo", file=file),
        processing_class=tokenizer,
    )
    trained(trainer)
    assert len(asked) == 2


def test_a_reward_model_reads_pairs(load: Any, tiny: Any, tmp_path: Path) -> None:
    from transformers import LlamaForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    model, tokenizer = tiny
    trainer = RewardTrainer(
        model=LlamaForSequenceClassification.from_pretrained(model, num_labels=1),
        args=RewardConfig(**arguments(tmp_path / "run")),
        train_dataset=load("dpo", rubric="stripped"),
        processing_class=tokenizer,
    )
    trained(trainer)


@pytest.mark.parametrize("form", ["sft", "correction", "dpo", "kto", "prm", "grpo", "ranking", "judge"])
@pytest.mark.parametrize("arguments", ["object", "string"])
def test_both_kinds_of_file_load_as_the_same_rows(
    load: Any, form: str, arguments: str, tmp_path: Path
) -> None:
    import datasets

    data = load(form, arguments=arguments)
    (tmp_path / form).rename(tmp_path / "before")
    columns = load(form, arguments=arguments, file="parquet")

    def plain(value: Any) -> Any:
        if isinstance(value, dict):  # a struct has every field; what is not there is None
            return {key: plain(one) for key, one in value.items() if one is not None}
        return [plain(one) for one in value] if isinstance(value, list) else value

    assert isinstance(data, datasets.Dataset)
    for one, other in zip(data, columns, strict=True):
        assert plain(one) == plain(other)
