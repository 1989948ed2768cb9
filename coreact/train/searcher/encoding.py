"""Demonstrations as token ids, and which of them are learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from coreact.train.searcher.demonstrations import Demonstration
from coreact.train.tokenizing import END, START

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Tokens(NamedTuple):
    """A conversation as the model reads it."""

    ids: list[int]
    learned: list[bool]
    """Of each token, whether it is to be predicted: it stands in a reply that shows the right action."""
    prompt: list[bool]
    """Of each token, whether it stands in a system or user turn. A wrong reply is neither."""


def encode(tokenizer: Tokenizer, demonstration: Demonstration) -> Tokens:
    """The token ids of a demonstration, and which of them are learned."""
    ids: list[int] = []
    learned: list[bool] = []
    prompt: list[bool] = []
    for place, turn in enumerate(demonstration.turns):
        # Special tokens cut the text, so pieces between them may be cut one by one.
        head = tokenizer.encode(f"{START}{turn['role']}\n").ids
        body = tokenizer.encode(f"{turn['content']}{END}").ids
        tail = tokenizer.encode("\n").ids
        ids += [*head, *body, *tail]
        wanted = place in demonstration.learned
        learned += [False] * len(head) + [wanted] * len(body) + [False] * len(tail)
        theirs = turn["role"] != "assistant"
        prompt += [False] * len(head) + [theirs] * len(body) + [False] * len(tail)
    return Tokens(ids, learned, prompt)
