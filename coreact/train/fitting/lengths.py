"""Rows that are too long for their stage: they are left out before training, and counted.

A trainer cuts a row from its end, where the reply stands: what is left of a long one teaches nothing, and a
batch of them has a loss that is no number. A prompt beyond the model's context is read as noise. Both look
like bad training and are bad data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from coreact.train.models import open_tokenizer
from coreact.train.recipes import GrpoStage, Recipe, Stage

Row = Mapping[str, Any]
DEFAULT_CONTEXT = 2048
"""Tokens that a model reads at once, where its configuration does not say."""


class Lengths:
    """Counts the tokens of rows as the trainer will.

    Args:
        recipe: the recipe.
        source: the base model's folder, or its name on the hub.

    Raises:
        ModelFileError: its tokenizer or configuration cannot be read.
        ConfigError: its tokenizer has no chat template.
    """

    def __init__(self, recipe: Recipe, source: str) -> None:
        self._tokenizer: Any = open_tokenizer(source)
        self._template = dict(recipe.prompt.template)
        self._longest = recipe.prompt.longest
        self._context = context_of(source)

    def checker(self, stage: Stage) -> Callable[[Row], bool]:
        """Says of a row of this stage whether it fits."""
        replies = () if isinstance(stage, GrpoStage) else ("completion", "chosen", "rejected")

        def fits(row: Row) -> bool:
            prompt = self._count(row["prompt"])
            if self._longest is not None and prompt > self._longest:
                return False
            if not replies:
                return prompt + stage.max_tokens <= self._context
            most = min(stage.max_tokens, self._context)
            return all(self._count(row["prompt"], row[name]) <= most for name in replies if name in row)

        return fits

    def fits_prompt(self, messages: Any, reply: int) -> bool:
        """Whether a prompt leaves room for a reply of so many tokens."""
        return self._count(messages) + reply <= self._context

    def _count(self, prompt: Any, reply: Any = None) -> int:
        if isinstance(prompt, str):  # rows that somebody else made
            text = prompt + (reply or "")
        else:
            text = self._tokenizer.apply_chat_template(
                [*prompt, *(reply or ())],
                tokenize=False,
                add_generation_prompt=reply is None,
                **self._template,
            )
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])


def context_of(source: str) -> int:
    """Tokens that a model can read at once."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    return int(getattr(config, "max_position_embeddings", None) or DEFAULT_CONTEXT)
