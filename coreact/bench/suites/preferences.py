"""Pairs of answers of which people prefer one, in RewardBench's shape, for any scorer.

A scorer gives one answer a number, higher is better, or None where it cannot tell. How often it prefers what
people prefer is counted in `coreact.bench.metrics.preferences`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from coreact.bench.metrics.criteria import coverage
from coreact.bench.metrics.preferences import PairAccuracy, ScoredPair, pair_accuracy
from coreact.bench.suites.reading import id_of, located, records, text_of
from coreact.bench.suites.rubrics import rule_on
from coreact.judge import Judge
from coreact.judge.scoring import ScoringRule, weighted_mean
from coreact.rubric import Record, Rubric

Scorer = Callable[[str, str], float | None]
"""Gives an answer to a prompt a number, higher is better; None where it cannot tell."""


class PreferencePair(Record):
    """Two answers to one prompt."""

    id: str = Field(min_length=1)
    """Unique within its file."""
    prompt: str
    chosen: str
    """The answer that people prefer."""
    rejected: str
    subset: str = ""
    """What the pair is about: `chat`, `safety`; figures are also given by it."""

    @model_validator(mode="after")
    def _differs(self) -> PreferencePair:
        if self.chosen == self.rejected:
            raise ValueError("both answers are the same")
        return self


def load_pairs(path: Path | str) -> tuple[PreferencePair, ...]:
    """The pairs of a file: `id`, `prompt`, `chosen`, `rejected`, and optionally `subset`.

    Raises:
        LabelFileError: the file or a line cannot be used.
    """
    return records(located(path, "pairs.jsonl"), _pair)


def prefer(pairs: Iterable[PreferencePair], scorer: Scorer) -> PairAccuracy:
    """How often a scorer prefers the chosen answer, ties counted half; each answer is scored by itself."""
    return pair_accuracy(
        ScoredPair(pair.subset, scorer(pair.prompt, pair.chosen), scorer(pair.prompt, pair.rejected))
        for pair in pairs
    )


def rubric_scorer(judge: Judge, rubric: Rubric, *, rule: ScoringRule = weighted_mean) -> Scorer:
    """A scorer that has a judge rule on one rubric and takes the score."""

    def score(prompt: str, answer: str) -> float | None:
        return rule(rubric, rule_on(judge, rubric, prompt, answer)).value

    return score


def coverage_scorer(judge: Judge, rubric: Rubric) -> Scorer:
    """ResearchQA's judge of pairs: the answer that covers more of the rubric, unweighted, is the better."""

    def score(prompt: str, answer: str) -> float | None:
        covered = coverage(rubric, rule_on(judge, rubric, prompt, answer))
        return next((each.value for each in covered.values()), None)

    return score


def _pair(fields: Mapping[str, Any]) -> PreferencePair:
    texts = {name: text_of(fields, name) for name in ("prompt", "chosen", "rejected")}
    return PreferencePair(id=id_of(fields, "id"), subset=fields.get("subset", ""), **texts)
