"""Sampling in a batch, each row from a source of its own. Imported where torch is there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import LogitsProcessor

_LEAST = 1e-5
"""Temperature below which the likeliest token is taken, as vLLM does: dividing by less overflows."""


class OwnDraws(LogitsProcessor):
    """Makes the likeliest token of each row a sample of that row's distribution (the Gumbel-max trick).

    Args:
        temperatures: of each row; 0, and what is next to it, leaves a row's scores as they are.
        seeds: of each row.
    """

    def __init__(self, temperatures: Sequence[float], seeds: Sequence[int]) -> None:
        self._temperatures = temperatures
        # On the processor whatever computes: the draws are then the same on every device.
        self._sources = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Scores whose largest is the drawn token."""
        drawn = scores.float().clone()
        for row, (temperature, source) in enumerate(zip(self._temperatures, self._sources, strict=True)):
            if temperature >= _LEAST:
                uniform = torch.rand(drawn.shape[1], generator=source, dtype=torch.float64)
                noise = -torch.log(-torch.log(uniform.clamp(min=1e-300)))
                drawn[row] = drawn[row] / temperature + noise.to(drawn)
        return drawn  # type: ignore[return-value]
