"""A small Llama with random weights: what training from nothing begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from coreact.errors import MissingExtraError
from coreact.rubric import Record

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM


class Shape(Record):
    """Size of the model: about two million parameters."""

    width: int = Field(default=192, ge=32, multiple_of=32)
    layers: int = Field(default=4, ge=1)
    heads: int = Field(default=6, ge=1)
    feed_forward: int = Field(default=512, ge=32, multiple_of=32)
    context: int = Field(default=2048, ge=64)
    """Tokens that the model can read at once."""


def new_model(shape: Shape, *, vocabulary: int, seed: int) -> LlamaForCausalLM:
    """A Llama with random weights.

    Raises:
        MissingExtraError: the extra `train` is not installed.
    """
    try:
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM
    except ImportError as missing:
        raise MissingExtraError("Training", extra="train") from missing
    config = LlamaConfig(
        hidden_size=shape.width,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        vocab_size=vocabulary,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        bos_token_id=None,
        eos_token_id=2,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):  # the caller's own draws are not moved
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)
