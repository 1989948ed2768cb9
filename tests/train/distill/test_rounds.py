"""Rounds on unlabelled prompts: which differences become pairs, and a policy that gets better by them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from coreact.errors import ConfigError
from coreact.train.distill.rounds import Pairs, differences


def prompt(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def text_of(messages: Sequence[Any]) -> str:
    return str(messages[-1]["content"])


SCORES = {"good": 1.0, "fair": 0.5, "bad": 0.0, "odd": None}


def of(trained: dict[str, str], base: dict[str, str], **settings: Any) -> Pairs:
    return differences(
        [prompt(name) for name in trained],
        trained=lambda p: trained[text_of(p)],
        base=lambda p: base[text_of(p)],
        verify=lambda p, answer: SCORES[answer],
        round_id=settings.pop("round_id", 1),
        **settings,
    )


def test_a_difference_that_the_verifier_confirms_becomes_a_pair() -> None:
    trained = {"a": "good", "b": "good", "c": "bad", "d": "odd", "e": "fair"}
    base = {"a": "bad", "b": "good", "c": "good", "d": "bad", "e": "bad"}
    found = of(trained, base, round_id=2)
    assert [(text_of(row["prompt"]), row["margin"], row["round"]) for row in found.rows] == [
        ("a", 1.0, 2),
        ("e", 0.5, 2),
    ]
    assert found.rows[0]["chosen"] == [{"role": "assistant", "content": "good"}]
    assert found.rows[0]["rejected"] == [{"role": "assistant", "content": "bad"}]
    assert found.left_out == {"same": 1, "worse": 1, "unverified": 1}
    assert found.agreement == pytest.approx(2 / 3)
    strict = of(trained, base, least=0.5)
    assert [text_of(row["prompt"]) for row in strict.rows] == ["a"]
    assert strict.left_out["no_gain"] == 1
    assert of({"a": "good"}, {"a": "good"}).agreement is None


def test_impossible_rounds_are_refused() -> None:
    for settings in ({"round_id": 0}, {"least": -0.1}):
        with pytest.raises(ConfigError, match="cannot be"):
            of({}, {}, **settings)


KINDS, CHOICES = 20, 4


class Policy:
    """A table of logits that reads a prompt's kind; prompts of one kind have one right answer."""

    def __init__(self, logits: list[list[float]], draw: Random) -> None:
        self.logits = logits
        self._draw = draw

    def answer(self, messages: Sequence[Any]) -> str:
        row = self.logits[int(text_of(messages).split()[0])]
        weights = [2.718281828**logit for logit in row]
        return str(self._draw.choices(range(CHOICES), weights)[0])

    def right(self) -> float:
        """Mean probability of the right answer."""
        shares = []
        for kind, row in enumerate(self.logits):
            weights = [2.718281828**logit for logit in row]
            shares.append(weights[kind % CHOICES] / sum(weights))
        return sum(shares) / KINDS


@pytest.mark.parametrize("seed", range(3))
def test_a_policy_improves_over_two_rounds_with_five_per_cent_labelled(seed: int) -> None:
    """400 prompts, 20 of them labelled; the verifier is right in 80 % of its verdicts."""
    draw = Random(seed)
    prompts = [prompt(f"{at % KINDS} {at}") for at in range(400)]
    labelled = draw.sample(prompts, 20)
    before = Policy([[0.0] * CHOICES for _ in range(KINDS)], draw)
    trained = Policy([row[:] for row in before.logits], draw)
    for one in labelled:
        kind = int(text_of(one).split()[0])
        trained.logits[kind][kind % CHOICES] += 1.0

    def verify(messages: Sequence[Any], answer: str) -> float | None:
        if draw.random() < 0.05:
            return None
        is_right = int(answer) == int(text_of(messages).split()[0]) % CHOICES
        return float(is_right if draw.random() < 0.8 else not is_right)

    scores, rounds = [before.right(), trained.right()], set()
    for number in (1, 2):
        found = differences(
            prompts, trained=trained.answer, base=before.answer, verify=verify, round_id=number
        )
        after = Policy([row[:] for row in trained.logits], draw)
        for row in found.rows:
            kind = int(text_of(row["prompt"]).split()[0])
            after.logits[kind][int(row["chosen"][0]["content"])] += 0.3
            after.logits[kind][int(row["rejected"][0]["content"])] -= 0.3
            rounds.add(row["round"])
        before, trained = trained, after
        scores.append(trained.right())
    assert scores == sorted(scores)
    assert scores[3] > scores[1] + 0.1
    assert rounds == {1, 2}
