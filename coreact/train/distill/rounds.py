"""Learning from few labels: what training changed on unlabelled prompts becomes the next round's pairs.

After a first round on the labelled few, the trained model and the one it was trained from answer prompts
that nobody labelled. Where the answers differ, the trained one's is preferred, if a verifier agrees; the
pairs carry the number of their round. Then it is trained on, and the same again.

Source: self-reinforcement on PuzzleBen (differences between fine-tuned and base answers, repeated). What
differs: the paper takes the trained model to be the better one; here a verifier that scores each answer by
itself has to say so, a verifier that fails drops the pair, and where it says the opposite nothing is turned
round: it is no label, and against it the direction of training would be decided by the verifier alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from coreact.errors import ConfigError
from coreact.rubric.canonical import digest

Messages = Sequence[Mapping[str, Any]]

Verify = Callable[[Messages, str], float | None]
"""Scores one answer to a prompt, higher is better; None where it could not."""

Answer = Callable[[Messages], str]
"""A model's answer to a prompt."""


class Pairs(NamedTuple):
    """The pairs of one round."""

    rows: tuple[dict[str, Any], ...]
    """For TRL's DPOTrainer: prompt, chosen, rejected, margin, and the round that made them."""
    left_out: Counter[str]
    """Prompts without a pair: `same` answer, `unverified` (the verifier failed), `no_gain`, `worse`."""

    @property
    def agreement(self) -> float | None:
        """Share of the verified differences in which the trained model's answer is better.

        Below one half training did harm; None where nothing was verified.
        """
        against = self.left_out["no_gain"] + self.left_out["worse"]
        verified = len(self.rows) + against
        return len(self.rows) / verified if verified else None


def differences(
    prompts: Iterable[Messages],
    *,
    trained: Answer,
    base: Answer,
    verify: Verify,
    round_id: int,
    least: float = 0.0,
) -> Pairs:
    """Pairs from what training changed on unlabelled prompts.

    Args:
        prompts: chat messages each.
        trained: the model after this round.
        base: the model that it was trained from.
        verify: scores one answer without knowing whose it is.
        round_id: number of the round, from 1; each row carries it.
        least: by how much the trained model's answer must be better; more than it, so at 0 a tie is none.

    Raises:
        ConfigError: the round's number is below 1, or `least` below 0.
    """
    if round_id < 1 or least < 0:
        raise ConfigError(
            f"Round {round_id} with a least gain of {least} cannot be.",
            remedy="Count rounds from 1 and give a gain of at least 0.",
        )
    rows: list[dict[str, Any]] = []
    left_out: Counter[str] = Counter()
    for prompt in prompts:
        better, worse = trained(prompt), base(prompt)
        if better == worse:
            left_out["same"] += 1
            continue
        high, low = verify(prompt, better), verify(prompt, worse)
        if high is None or low is None:
            left_out["unverified"] += 1
        elif high - low <= least:
            left_out["worse" if high < low else "no_gain"] += 1
        else:
            messages = [dict(message) for message in prompt]
            rows.append(
                {
                    "prompt": messages,
                    "chosen": [{"role": "assistant", "content": better}],
                    "rejected": [{"role": "assistant", "content": worse}],
                    "margin": high - low,
                    "round": round_id,
                    "pair_id": digest([messages, better, worse, round_id]),
                }
            )
    return Pairs(tuple(rows), left_out)
