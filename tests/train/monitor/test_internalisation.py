"""The self-internalisation gap: its arithmetic, and the log-probabilities of a real small model."""

from __future__ import annotations

import math
from typing import Any

import pytest

from coreact.train.monitor.internalisation import (
    Conditioned,
    Internalisation,
    internalisation_gap,
    model_gap,
    token_log_probs,
)


def test_each_answer_counts_alike() -> None:
    found = internalisation_gap([([-2.0, -2.0], [-1.0, -1.0]), ([-4.0], [-1.0]), ([], [])])
    assert found.gap == pytest.approx(-2.0)
    assert (found.answers, found.tokens) == (2, 3)
    assert internalisation_gap([]) == Internalisation(None, 0, 0)


def test_bad_log_probabilities_are_refused() -> None:
    with pytest.raises(ValueError, match="1 log-probabilities without and 2"):
        internalisation_gap([([-1.0], [-1.0, -1.0])])
    with pytest.raises(ValueError, match="not finite"):
        internalisation_gap([([-math.inf], [-1.0])])


def test_a_model_that_is_trained_on_answers_takes_the_rubric_in(request: pytest.FixtureRequest) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    request.addfinalizer(lambda: torch.set_num_threads(threads))
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=12,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=32,
    )
    model = transformers.LlamaForCausalLM(config)
    prompt, rubric, answer, habit = [1, 2, 3], [4, 5, 6], [7, 8, 9, 10], [11, 11, 11, 11]
    conditioned = Conditioned(prompt, [*rubric, *prompt], answer)

    def loss(before: list[int], after: list[int]) -> Any:
        ids = torch.tensor([[*before, *after]])
        labels = torch.tensor([[*[-100] * len(before), *after]])
        return model(input_ids=ids, labels=labels).loss

    # The same number as the model's own loss.
    model.train()
    alone = -math.fsum(token_log_probs(model, prompt, answer)) / len(answer)
    assert model.training
    assert alone == pytest.approx(loss(prompt, answer).item(), abs=1e-5)

    def train(*pairs: tuple[list[int], list[int]], steps: int) -> None:
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2)
        for _ in range(steps):
            sum(loss(*pair) for pair in pairs).backward()
            optimizer.step()
            optimizer.zero_grad()

    train(([*rubric, *prompt], answer), (prompt, habit), steps=25)  # does what is asked if it is asked
    before = model_gap(model, [conditioned])
    train((prompt, answer), steps=25)
    after = model_gap(model, [conditioned])
    assert before.tokens == 4
    assert before.gap is not None
    assert after.gap is not None
    assert before.gap < -1
    assert after.gap > -0.2


def test_an_answer_needs_a_token_before_it() -> None:
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match="one before it"):
        token_log_probs(None, [], [1])  # type: ignore[arg-type]
