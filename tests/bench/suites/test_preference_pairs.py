from __future__ import annotations

import pytest

from coreact.bench.metrics import Share
from coreact.bench.suites import coverage_scorer, load_pairs, prefer, rubric_scorer
from coreact.errors import LabelFileError
from coreact.rubric import Criterion, Rubric
from coreact.testing import ScriptedJudge

PAIR = {"id": 1, "prompt": "Why?", "chosen": "Because of rain.", "rejected": "No.", "subset": "chat"}
OTHER = {"id": 2, "prompt": "How?", "chosen": "Slowly.", "rejected": "With a long ladder.", "subset": "chat"}
RUBRIC = Rubric(
    criteria=(
        Criterion(id="rain", text="Names rain", weight=1),
        Criterion(id="snow", text="Names snow", weight=1),
        Criterion(id="ladder", text="Names ladder", weight=5),
    ),
    scope="answer",
)


def names(criterion, action):
    return "met" if criterion.text.split()[-1] in action.answer else "unmet"


def test_any_scorer_can_be_measured(write):
    pairs = load_pairs(write("pairs.jsonl", PAIR, OTHER).parent)
    assert prefer(pairs, lambda prompt, answer: len(answer)).overall == Share(0.5, 2, 2)
    assert prefer(pairs, lambda prompt, answer: 1.0).overall == Share(0.5, 2, 2)
    assert prefer(pairs, lambda prompt, answer: None).overall == Share(None, 0, 2)
    assert prefer(pairs, lambda prompt, answer: -len(answer)).subsets == {"chat": Share(0.5, 2, 2)}


def test_scorers_by_a_rubric(write):
    pairs = load_pairs(write("pairs.jsonl", {**PAIR, "chosen": "rain and snow", "rejected": "a ladder"}))
    assert (
        prefer(pairs, rubric_scorer(ScriptedJudge(names), RUBRIC)).overall.value == 0
    )  # the ladder weighs 5
    assert prefer(pairs, coverage_scorer(ScriptedJudge(names), RUBRIC)).overall.value == 1  # two items to one
    down = ScriptedJudge(RuntimeError("down"))
    assert prefer(pairs, rubric_scorer(down, RUBRIC)).overall == Share(None, 0, 1)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ({**OTHER, "rejected": OTHER["chosen"]}, "both answers are the same"),
        ({**OTHER, "chosen": ["a", "b"]}, "must be a text"),
        ({**OTHER, "id": 1}, "taken"),
        ({"id": 2, "prompt": "x", "chosen": "y"}, "'rejected' is missing"),
        ("[", "not JSON"),
    ],
)
def test_a_broken_pair_is_named(write, line, what):
    with pytest.raises(LabelFileError, match=what) as failure:
        load_pairs(write("pairs.jsonl", PAIR, line))
    assert failure.value.line == 2


@pytest.mark.parametrize("given", [None, True, " ", 1.5, ["a"]])
def test_an_id_is_a_text_or_a_whole_number(write, given):
    with pytest.raises(LabelFileError, match=r"line 2.*'id'"):
        load_pairs(write("pairs.jsonl", PAIR, {**OTHER, "id": given}))


def test_a_score_that_is_no_number_is_none(write):
    pairs = load_pairs(write("pairs.jsonl", PAIR, OTHER))
    assert prefer(pairs, lambda prompt, answer: float("nan")).overall == Share(None, 0, 2)
