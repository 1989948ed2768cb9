"""What each step of training reads: conversations of about the same length, or drills in copying.

A drill is a row of tokens drawn at random and repeated to the end of the row. Nothing but copying predicts
it, so copying is learned from it within some hundred steps, where conversations, in which most tokens can be
predicted without, show no trace of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from coreact.errors import ConfigError
from coreact.train.searcher.encoding import Tokens
from coreact.train.tokenizing import SPECIAL

DRILL_TOKENS = 64
"""Length of a drill."""
_PERIOD = (6, 24)
"""Fewest tokens before a drill repeats itself, and one more than the most."""


class Batches:
    """The batch of every step: a pure function of data, settings and seed, so a run can stop anywhere.

    Args:
        data: conversations; all are read once before any is read again.
        vocabulary: tokens there are, for drills.
        tokens: most tokens in a batch, padding included.
        drills: steps from the first to the second (left out) are drills.
        seed: draws the order and the drills.

    Raises:
        ConfigError: there is no conversation, or one is longer than a batch.
    """

    def __init__(
        self, data: Sequence[Tokens], *, vocabulary: int, tokens: int, drills: tuple[int, int], seed: int
    ) -> None:
        longest = max((len(one.ids) for one in data), default=0)
        if not data or longest > tokens:
            raise ConfigError(
                f"Of {len(data)} conversations the longest has {longest} tokens, and a batch {tokens}.",
                remedy="Give conversations, and batches that hold the longest one.",
            )
        self._data = data
        self._vocabulary = vocabulary
        self._tokens = tokens
        self._drills = drills
        self._seed = seed
        self._plan: list[list[int]] = []
        batch: list[int] = []
        for at in sorted(range(len(data)), key=lambda at: len(data[at].ids)):
            if batch and (len(batch) + 1) * len(data[at].ids) > tokens:
                self._plan.append(batch)
                batch = []
            batch.append(at)
        self._plan.append(batch)

    def at(self, step: int) -> tuple[Any, Any, Any]:
        """Token ids (rows, length), and the weights 0 or 1 (rows, length - 1) of replies and of prompts."""
        begin, end = self._drills
        if begin <= step < end:
            rng = Random(f"{self._seed}|drill|{step}")
            return _tensors(
                [drill(rng, self._vocabulary) for _ in range(max(1, self._tokens // DRILL_TOKENS))]
            )
        if step >= end:
            step -= max(0, end - begin)
        epoch, place = divmod(step, len(self._plan))
        order = list(range(len(self._plan)))
        Random(f"{self._seed}|{epoch}").shuffle(order)
        return _tensors([self._data[at] for at in self._plan[order[place]]])


def drill(rng: Random, vocabulary: int) -> Tokens:
    """Tokens at random, again and again; what repeats is predicted as a prompt is."""
    period = rng.randrange(*_PERIOD)
    drawn = [rng.randrange(len(SPECIAL), vocabulary) for _ in range(period)]
    return Tokens(
        ids=[drawn[at % period] for at in range(DRILL_TOKENS)],
        learned=[False] * DRILL_TOKENS,
        prompt=[at >= period for at in range(DRILL_TOKENS)],
    )


def _tensors(rows: Sequence[Tokens]) -> tuple[Any, Any, Any]:
    import torch

    length = max(len(row.ids) for row in rows)
    ids = torch.zeros((len(rows), length), dtype=torch.long)
    learned = torch.zeros((len(rows), length))
    prompt = torch.zeros((len(rows), length))
    for at, row in enumerate(rows):
        ids[at, : len(row.ids)] = torch.tensor(row.ids)
        learned[at, : len(row.ids)] = torch.tensor(row.learned, dtype=torch.float32)
        prompt[at, : len(row.ids)] = torch.tensor(row.prompt, dtype=torch.float32)
    return ids, learned[:, 1:], prompt[:, 1:]
