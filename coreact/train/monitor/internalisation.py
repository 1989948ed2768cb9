"""How far a policy has taken a rubric in: what it does without the rubric against what it does with it.

The self-internalisation gap of arXiv 2605.12474: on answers that the policy gives when it is shown the
rubric, the mean per token of log p(answer | prompt) - log p(answer | prompt and rubric). It is negative at
first, and rises as the policy comes to do unasked what the rubric asks. In the paper it followed a panel of
judges (r = .91 to .97) and peaked where the panel did while the training reward rose on, so that it can end
a run without any judge. It is a diagnostic of the policy and no score of an answer.

Log-probabilities may come from anywhere; `token_log_probs` takes them from a transformers model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from coreact.errors import MissingExtraError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SAMPLES = 10
"""Answers per prompt, as in the paper."""


class Internalisation(NamedTuple):
    """The gap and what it was computed from."""

    gap: float | None
    """In nats a token; higher means more taken in. None where there was no answer with a token."""
    answers: int
    tokens: int


class Conditioned(NamedTuple):
    """An answer that was sampled with the rubric in sight, as token ids."""

    prompt: Sequence[int]
    """Without the rubric."""
    prompt_with_rubric: Sequence[int]
    answer: Sequence[int]


def internalisation_gap(answers: Iterable[tuple[Sequence[float], Sequence[float]]]) -> Internalisation:
    """The gap, from log-probabilities of the tokens of answers; each answer counts alike, however long.

    Args:
        answers: for each, the log-probabilities of its tokens without the rubric, and with it.

    Raises:
        ValueError: the two of an answer are not equally long, or one is not finite.
    """
    gaps: list[float] = []
    tokens = 0
    for plain, conditioned in answers:
        if len(plain) != len(conditioned):
            raise ValueError(f"{len(plain)} log-probabilities without and {len(conditioned)} with the rubric")
        if not all(map(math.isfinite, (*plain, *conditioned))):
            raise ValueError("a log-probability is not finite")
        if plain:
            gaps.append(fmean(plain) - fmean(conditioned))
            tokens += len(plain)
    return Internalisation(fmean(gaps) if gaps else None, len(gaps), tokens)


def model_gap(model: PreTrainedModel, answers: Iterable[Conditioned]) -> Internalisation:
    """The gap of a transformers model.

    Raises:
        MissingExtraError: torch is not installed.
    """
    return internalisation_gap(
        (
            token_log_probs(model, one.prompt, one.answer),
            token_log_probs(model, one.prompt_with_rubric, one.answer),
        )
        for one in answers
    )


def token_log_probs(model: PreTrainedModel, prompt: Sequence[int], answer: Sequence[int]) -> list[float]:
    """The log-probability of each token of an answer given all before it, in nats.

    Args:
        model: a causal model; it is put back into training afterwards, if it was training.
        prompt: ids of at least one token.
        answer: ids.

    Raises:
        MissingExtraError: torch is not installed.
        ValueError: the prompt is empty.
    """
    try:
        import torch
    except ImportError as missing:
        raise MissingExtraError("Log-probabilities of a model", extra="train") from missing
    if not prompt:
        raise ValueError("the first token of an answer needs one before it")
    training = model.training
    model.train(False)
    try:
        ids = torch.tensor([[*prompt, *answer]], device=model.device)
        with torch.no_grad():
            logits: Any = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].float()
        chosen = logits.log_softmax(-1).gather(-1, ids[0, len(prompt) :, None])
        return [float(value) for value in chosen[:, 0]]
    finally:
        model.train(training)
