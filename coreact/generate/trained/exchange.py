"""What weights are asked and what they reply: plain data, without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from coreact.errors import GenerationError


class Asked(NamedTuple):
    """One chat to be completed."""

    messages: Sequence[Mapping[str, str]]
    """Turns of `role` and `content`."""
    max_tokens: int = 256
    """Longest reply, in tokens; what does not fit the context is cut off it."""
    temperature: float = 0.0
    """0 takes the likeliest token each time."""
    seed: int = 0
    """Seed of this reply; matters above temperature 0."""


class Completed(NamedTuple):
    """A reply."""

    text: str
    finish: Literal["stop", "length"]
    input_tokens: int
    output_tokens: int


class PromptTooLongError(GenerationError):
    """A prompt leaves no room for a reply; `tokens` it has, `limit` is the model's context."""

    def __init__(self, *, generator: str, tokens: int, limit: int) -> None:
        super().__init__(
            f"The prompt has {tokens} tokens; the context of {generator!r} is {limit}.",
            generator=generator,
            cause="budget",
            remedy="Shorten it, or serve a model with a larger context.",
        )
        self.tokens = tokens
        self.limit = limit
