"""What is left out changes nothing: log-probabilities, gradients and replies are those of plain TRL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("trl", reason="needs the extra `train`")

import torch
import trl
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OpenAIGPTConfig,
    OpenAIGPTLMHeadModel,
)
from trl.trainer.utils import add_fused_lm_head

from coreact.rubric.branching import BranchingPoint
from coreact.train.fitting import METRICS, fit
from coreact.train.fitting.thrift import learned_alone, shares_prompts, sharing
from coreact.train.recipes import Recipe

from .conftest import GRPO, SFT, Length

PROMPT, REPLY = 40, 10
SHAPE: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.4,  # so that a token more or less shows
}


def model_of(seed: int = 0, **shape: Any) -> Any:
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(**SHAPE | shape))
    add_fused_lm_head(model, outputs=("log_probs", "entropy"))
    return model


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Eight replies to three prompts, mixed; one prompt is shorter and some replies are."""
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 300, (8, PROMPT + REPLY), generator=draw)
    mask = torch.ones_like(ids)
    which = torch.tensor([0, 1, 2, 1, 1, 1, 0, 2])
    ids[:, :PROMPT] = ids[:3, :PROMPT][which]
    mask[which == 1, :7] = 0
    ids[which == 1, :7] = 0
    mask[:, -2:] = mask[3, -4:] = 0
    return ids, mask


def trainer_of(kind: type, model: Any, *, processes: int = 1, recomputes: bool = False) -> Any:
    made = object.__new__(kind)
    made.accelerator = SimpleNamespace(
        num_processes=processes, is_main_process=True, autocast=nullcontext, unwrap_model=lambda one: one
    )
    made.args = SimpleNamespace(
        gradient_checkpointing=False, activation_checkpointing=recomputes, report_to=[]
    )
    made.is_fsdp_enabled = made.is_deepspeed_enabled = made.use_vllm = False
    made.use_transformers_continuous_batching = False
    made.model = made.model_wrapped = model
    return made


def scored(trainer: Any, **given: Any) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    """Log-probabilities, entropies and gradients of a batch."""
    ids, mask = batch()
    trainer.model.zero_grad()
    log_probs, entropies, _ = trainer._get_per_token_logps_and_entropies(
        trainer.model, ids, mask, REPLY, compute_entropy=True, **given
    )
    counted = mask[:, -REPLY:]
    weights = torch.linspace(-1, 1, counted.numel()).view(counted.shape)
    (log_probs * weights * counted).sum().backward()
    grads = [one.grad.clone() for one in trainer.model.parameters() if one.grad is not None]
    return log_probs.detach() * counted, entropies.detach() * counted, grads


@contextmanager
def counting(model: Any) -> Iterator[list[int]]:
    """How many tokens each pass of a model reads."""
    read: list[int] = []
    hook = model.get_input_embeddings().register_forward_hook(
        lambda _, given, __: read.append(given[0].numel())
    )
    yield read
    hook.remove()


@pytest.mark.parametrize("batch_size", [None, 3])
def test_log_probabilities_and_gradients_are_those_of_trl(batch_size: int | None) -> None:
    model = model_of()
    with counting(model) as read:
        ours = scored(trainer_of(sharing(trl.GRPOTrainer), model), batch_size=batch_size)
    with counting(model) as plainly:
        theirs = scored(trainer_of(trl.GRPOTrainer, model), batch_size=batch_size)
    for one, other in zip(ours[:2], theirs[:2], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert len(ours[2]) == len(theirs[2]) > 10
    for one, other in zip(ours[2], theirs[2], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3 * float(other.abs().max()))
    assert sum(plainly) == 8 * (PROMPT + REPLY)
    whole, short = PROMPT - 1, PROMPT - 8  # without the last token, and without what pads it
    tokens = {None: 3 * whole, 3: 3 * whole + short + 2 * whole}[batch_size]  # different ones in each batch
    assert sum(read) == tokens + 8 * (REPLY - 2 + 1)


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")  # of PEFT
def test_low_rank_additions_have_the_same_gradients() -> None:
    import peft

    def adapted() -> Any:
        model = model_of()
        torch.manual_seed(1)
        config = peft.LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
        return peft.get_peft_model(model, config)

    ours = scored(trainer_of(sharing(trl.GRPOTrainer), adapted()))
    theirs = scored(trainer_of(trl.GRPOTrainer, adapted()))
    torch.testing.assert_close(ours[0], theirs[0], rtol=1e-4, atol=1e-4)
    assert len(ours[2]) == len(theirs[2]) == 2 * 7 * 3
    for one, other in zip(ours[2], theirs[2], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3 * float(other.abs().max()))


@pytest.mark.parametrize(
    "case",
    [
        "several processes",
        "recomputed activations",
        "a sliding window",
        "dropout",
        "attention dropout",
        "turning positions",
    ],
)
def test_all_is_as_trl_does_it_where_prompts_cannot_be_shared(case: str) -> None:
    model = model_of()
    if case == "a sliding window":
        model = MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=8))
        add_fused_lm_head(model, outputs=("log_probs", "entropy"))
    elif case == "dropout":
        model.model.layers[0].mlp.append_dropout = torch.nn.Dropout(0.1)
    elif case == "attention dropout":
        model.config.attention_dropout = 0.1
    elif case == "turning positions":
        model.config.rope_parameters = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}
    how = {"processes": 2 if case == "several processes" else 1, "recomputes": case.startswith("recomputed")}
    with counting(model) as read:
        scored(trainer_of(sharing(trl.GRPOTrainer), model, **how))
    assert read == [8 * (PROMPT + REPLY)]


def test_a_model_that_takes_no_keys_shares_none() -> None:
    """It would swallow them without a word."""
    still: dict[str, Any] = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    config = OpenAIGPTConfig(vocab_size=300, n_embd=32, n_layer=1, n_head=2, **still)
    assert not shares_prompts(OpenAIGPTLMHeadModel(config))
    assert shares_prompts(model_of())


def test_replies_are_sampled_from_the_same_distribution() -> None:
    model = model_of().eval()
    found: list[Any] = []

    class Plain:
        """Where TRL asks for replies."""

        def _generate_single_turn(self, ids: Any, mask: Any) -> Any:
            config = GenerationConfig(
                max_new_tokens=4, do_sample=False, pad_token_id=0, eos_token_id=[1],
                return_dict_in_generate=True, output_logits=True,
            )  # fmt: skip
            with torch.no_grad():
                return trl_model.generate(input_ids=ids, attention_mask=mask, generation_config=config)

    trl_model = model
    ids, mask = batch()
    for kind in (Plain, sharing(Plain)):
        with counting(model) as read:
            told = trainer_of(kind, model)._generate_single_turn(ids[:, :PROMPT], mask[:, :PROMPT])
        found.append((told, sum(read)))
    (theirs, plainly), (ours, shared) = found
    assert torch.equal(theirs.sequences, ours.sequences)
    for one, other in zip(ours.logits, theirs.logits, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)
    assert plainly == 8 * PROMPT + 8 * 3
    assert shared == 3 * (PROMPT - 1) + 8 + 8 * 3
    assert "generate" not in vars(model)


@pytest.mark.parametrize("loss", ["dapo", "bnpo"])
def test_a_stage_of_groups_shares_its_prompts(
    recipe_of: Callable[[str], Recipe], points: list[BranchingPoint], tmp_path: Any, loss: str
) -> None:
    """Both where replies are sampled and where they are learned from."""
    from transformers import TrainerCallback

    read: list[tuple[int, int]] = []

    class Counts(TrainerCallback):
        def on_train_begin(self, *args: Any, model: Any, **given: Any) -> None:
            model.get_input_embeddings().register_forward_hook(
                lambda _, given, __: read.append(tuple(given[0].shape))
            )

    stage = GRPO.replace("steps = 6", "steps = 1").replace(
        "group = 2", f"group = 4\nmicro = 4\nloss = '{loss}'"
    )
    fit(recipe_of(stage), points, tmp_path, reward=Length(), callbacks=(Counts(),))
    long = [shape for shape in read if shape[1] > 50]
    sampled, *learned = [rows for rows, _ in long]
    assert sampled == 2
    assert learned == [1, 1] if loss == "dapo" else max(learned) == 2, "batches of a prompt each, or mixed"
    assert {rows for rows, length in read if length <= 50} == {8, 4}


def test_the_divergence_from_the_first_model_is_none_at_first(
    recipe_of: Callable[[str], Recipe], points: list[BranchingPoint], tmp_path: Any
) -> None:
    """The model that a stage began with is asked in the same way, and gives the same."""
    stage = GRPO.replace("steps = 6", "steps = 3").replace("rate = 1e-2", "rate = 1e-2\nkl = 0.1")
    fit(recipe_of(stage), points, tmp_path, reward=Length())
    kl = [json.loads(line)["metrics"]["kl"] for line in (tmp_path / METRICS).read_text().splitlines()]
    assert abs(kl[0]) < 1e-6 < kl[-1]


def test_only_what_is_learned_from_is_taken_through_the_vocabulary(
    recipe_of: Callable[[str], Recipe],
    points: list[BranchingPoint],
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from trl.trainer import utils

    function, sizes = utils._ChunkedLogProbFunction, []
    apply = function.apply

    def counted(hidden: Any, *given: Any) -> Any:
        sizes.append(len(hidden))
        return apply(hidden, *given)

    monkeypatch.setattr(function, "apply", counted)
    fit(recipe_of(SFT.replace("steps = 6", "steps = 1")), points, tmp_path)
    model = model_of()
    ids, mask = batch()
    labels = ids.masked_fill(mask == 0, -100)
    labels[:, :PROMPT] = -100
    plain = model(input_ids=ids, attention_mask=mask, labels=labels, fused_lm_head=True)
    with learned_alone():
        alone = model(input_ids=ids, attention_mask=mask, labels=labels, fused_lm_head=True)
    again = model(input_ids=ids, attention_mask=mask, labels=labels, fused_lm_head=True)
    torch.testing.assert_close(alone.log_probs, plain.log_probs)
    torch.testing.assert_close(alone.loss, plain.loss)
    assert sizes[1:] == [8 * (PROMPT + REPLY - 1), 8 * (REPLY - 2) - 2, 8 * (PROMPT + REPLY - 1)]
    assert 0 < sizes[0] < 4 * 120, "four rows, whose prompts have some hundred tokens each"
    assert again.loss == plain.loss
