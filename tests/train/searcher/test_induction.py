"""A planted circuit copies before any training, and keeps to what a Llama can hold."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from coreact.train.llama import Shape, new_model
from coreact.train.searcher.induction import plant

torch = pytest.importorskip("torch", reason="needs the extra `train`")

VOCABULARY = 300


def _copied(model: Any, period: int) -> float:
    """Share of tokens that are the likeliest one where a random row of tokens repeats itself."""
    rng = Random(1)
    rows = [[rng.randrange(VOCABULARY) for _ in range(period)] * 2 for _ in range(8)]
    ids = torch.tensor(rows)
    with torch.no_grad():
        likeliest = model(input_ids=ids).logits[:, :-1].argmax(-1)
    return float((likeliest == ids[:, 1:])[:, period:].float().mean())


@pytest.fixture(scope="module")
def planted() -> Any:
    model = new_model(Shape(layers=2), vocabulary=VOCABULARY, seed=0)
    plant(model, seed=0)
    return model.train(False)


@pytest.mark.parametrize("period", [8, 40, 150])
def test_a_planted_model_copies_untrained(planted: Any, period: int) -> None:
    assert _copied(planted, period) > 0.5
    assert _copied(new_model(Shape(layers=2), vocabulary=VOCABULARY, seed=0).train(False), period) < 0.05


def test_a_head_looks_at_the_token_before(planted: Any) -> None:
    """Its scores, by hand: queries and keys of one position each, rotated as the model rotates them."""
    attention = planted.model.layers[0].self_attn
    size = attention.head_dim
    hidden = planted.model.layers[0].input_layernorm(planted.model.embed_tokens(torch.arange(40)[None]))
    query = attention.q_proj(hidden)[0, :, :size].view(40, 1, size)
    key = attention.k_proj(hidden)[0, :, :size].view(40, 1, size)
    cos, sin = planted.model.rotary_emb(hidden, torch.arange(40)[None])

    def rotated(vectors: Any) -> Any:
        half = torch.cat([-vectors[..., size // 2 :], vectors[..., : size // 2]], -1)
        return (vectors * cos[0][:, None] + half * sin[0][:, None])[:, 0]

    scores = rotated(query) @ rotated(key).T
    for at in range(5, 40):
        assert int(scores[at, : at + 1].argmax()) == at - 1


def test_the_seed_draws_the_embeddings() -> None:
    def embeddings(seed: int) -> Any:
        model = new_model(Shape(layers=2), vocabulary=50, seed=0)
        plant(model, seed=seed)
        return model.model.embed_tokens.weight

    assert torch.equal(embeddings(1), embeddings(1))
    assert not torch.equal(embeddings(1), embeddings(2))
