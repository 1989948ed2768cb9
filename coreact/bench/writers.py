"""The untrained writer of the suites: a chat model with room for a whole rubric.

The embedded model replies briefly and has a small context by default, which suits its chats; a rubric in
JSON is longer than such a reply. Other models are used as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from langchain_core.language_models import BaseChatModel

from coreact.generate.prompt import Exemplar, Form
from coreact.generate.prompted import PromptedGenerator
from coreact.local import LocalChatModel
from coreact.rubric import State

TOKENS = 600
"""Tokens of the embedded model's reply: five criteria in JSON."""

EMBEDDED_CHARS = 7_000
"""Most characters of a trajectory for the embedded model, whose context is 4096 tokens."""

CHARS = 12_000
"""The same for other models."""


def prompted(
    model: BaseChatModel,
    *,
    form: Form = "records",
    exemplars: Callable[[State], Sequence[Exemplar]] | None = None,
    max_chars: int | None = None,
) -> PromptedGenerator:
    """A prompted generator on a model of any size.

    Args:
        model: who writes.
        form: how it writes criteria.
        exemplars: examples for a state, or None.
        max_chars: most characters of a trajectory in a prompt; None: what the model has room for.
    """
    embedded = isinstance(model, LocalChatModel)
    return PromptedGenerator(
        model.model_copy(update={"max_tokens": TOKENS}) if embedded else model,
        form=form,
        exemplars=exemplars,
        max_chars=max_chars or (EMBEDDED_CHARS if embedded else CHARS),
    )
