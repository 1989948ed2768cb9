"""Weights to begin with that can copy: an induction circuit, written into a Llama by hand.

A transformer copies by two heads: one looks at the token before, the next one looks for the place whose
token before is the present one, and says what stands there (arXiv 2209.11895). From random weights they come
after millions of tokens: more than a processor core reads in an hour. Here they are there from the start, and
training is left with what is the task's: which name, when. What differs from the paper: they are planted, not
found.

Residual dimensions: a block for the token, a block for the token before, and one that is the same for all
tokens, from which a head gets a place to look at. Only dimensions of a head that turn slowly compare tokens.
"""

from __future__ import annotations

import math
from typing import Any

_SCALE = 0.1
"""Standard deviation of a token's coordinates."""
_SLOW = 0.02
"""Radians a token: dimensions that rotate less compare contents."""


def plant(model: Any, *, seed: int) -> None:
    """Put an induction circuit into the first two layers of a Llama with tied embeddings.

    Args:
        model: its weights are changed in place; it must have as many key-value heads as heads.
        seed: draws the embeddings.
    """
    import torch

    config = model.config
    width, heads = config.hidden_size, config.num_attention_heads
    size, block = width // heads, (width - 2) // 2
    draw = torch.Generator().manual_seed(seed)
    constant = width - 1
    first, second = model.model.layers[0].self_attn, model.model.layers[1].self_attn
    speeds = [config.rope_parameters["rope_theta"] ** (-2 * at / size) for at in range(size // 2)]
    with torch.no_grad():
        embeddings = model.model.embed_tokens.weight
        embeddings.normal_(0.0, 0.002, generator=draw)
        drawn = torch.randn(len(embeddings), block, generator=draw)
        # All of one length: else a longer token, made smaller by the norm, would be looked at less.
        drawn *= math.sqrt(block) / drawn.norm(dim=1, keepdim=True)
        embeddings[:, :block] = drawn * _SCALE
        embeddings[:, constant] = _SCALE * math.sqrt(block)
        for head in range(math.ceil(block / size)):
            _look_back(first, head, size, constant, speeds, strength=math.sqrt(block))
            part = range(head * size, min(block, (head + 1) * size))
            _move(first, head, size, part, to=block, gain=_SCALE)
        slow = [at for at, speed in enumerate(speeds) if speed < _SLOW]
        slow += [at + size // 2 for at in slow]
        parts = math.ceil(block / size)
        for head in range(heads):
            _match(second, head, size, block, slow, draw)
            part = range(head % parts * size, min(block, (head % parts + 1) * size))
            _move(second, head, size, part, to=0, gain=4 * _SCALE)


def _look_back(
    attention: Any, head: int, size: int, constant: int, speeds: list[float], *, strength: float
) -> None:
    """Make a head look at the token before: its score is highest where the distance is one."""
    rows = slice(head * size, (head + 1) * size)
    attention.q_proj.weight[rows] = 0.0
    attention.k_proj.weight[rows] = 0.0
    amplitude = math.sqrt(10 * math.sqrt(size)) / strength
    for at, speed in enumerate(speeds):
        row, other = head * size + at, head * size + at + size // 2
        attention.k_proj.weight[row, constant] = amplitude
        attention.q_proj.weight[row, constant] = amplitude * math.cos(speed)
        attention.q_proj.weight[other, constant] = -amplitude * math.sin(speed)


def _match(attention: Any, head: int, size: int, block: int, slow: list[int], draw: Any) -> None:
    """Make a head look where the token before is the present token, by a random part of the coordinates."""
    import torch

    rows = slice(head * size, (head + 1) * size)
    attention.q_proj.weight[rows] = 0.0
    attention.k_proj.weight[rows] = 0.0
    chosen = torch.randperm(block, generator=draw)[: len(slow)]
    for at, coordinate in zip(slow, chosen.tolist(), strict=False):
        attention.q_proj.weight[head * size + at, coordinate] = 2.1
        attention.k_proj.weight[head * size + at, block + coordinate] = 2.1


def _move(attention: Any, head: int, size: int, part: range, *, to: int, gain: float) -> None:
    """Make a head carry these coordinates of the token it looks at into the block that begins at `to`."""
    rows = slice(head * size, (head + 1) * size)
    attention.v_proj.weight[rows] = 0.0
    attention.o_proj.weight[:, rows] = 0.0
    for at, coordinate in enumerate(part):
        attention.v_proj.weight[head * size + at, coordinate] = 1.0
        attention.o_proj.weight[to + coordinate, head * size + at] = gain
