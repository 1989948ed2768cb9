"""Helpful and misleading rubrics: the generator's pair, the verifier's rows, and what its replies earn."""

from __future__ import annotations

from collections import Counter

import pytest

from coreact.errors import ConfigError
from coreact.generate.contrastive import contrasts
from coreact.generate.prompt import chat, step_prompt
from coreact.rubric import Criterion, Rubric
from coreact.rubric.branching import BranchingPoint
from coreact.train.branch.scripted import collect, parts
from coreact.train.distill.critic import (
    CriticReward,
    Labelled,
    critic_prompt,
    critic_reward,
    critic_rows,
    generator_row,
    read_critique,
)
from coreact.worlds import World


@pytest.fixture(scope="module")
def points(world: World) -> list[BranchingPoint]:
    questions = parts(world, n=8, seed=0).train
    return [one for one in collect(world, questions, seed=0) if one.has_contrast]


def rubric(text: str) -> Rubric:
    return Rubric(criteria=(Criterion(id="c1", text=text),))


def test_the_pair_is_the_most_helpful_and_the_most_misleading(points: list[BranchingPoint]) -> None:
    texts = ["weak", "best", "worst", "bad", "unread", "neutral"]
    margins = [0.9, 2.0, -3.0, -1.0, None, 0.2]
    row = generator_row(points[0], texts, margins, without=0.5, form="sheet")
    assert row is not None
    assert row["chosen"] == [{"role": "assistant", "content": "best"}]
    assert row["rejected"] == [{"role": "assistant", "content": "worst"}]
    assert row["margin"] == 5.0
    assert row["prompt"] == chat(step_prompt(points[0].state, form="sheet"))
    assert (row["point_id"], row["question_id"]) == (points[0].id, points[0].question_id)
    # Above 0 and above the margin without a rubric, or it is not helpful; the same downwards.
    assert generator_row(points[0], texts[:2], [0.4, -1.0], without=0.5, form="sheet") is None
    assert generator_row(points[0], texts[:2], [0.6, -0.1], without=-0.2, form="sheet") is None
    assert generator_row(points[0], texts, margins, without=None, form="sheet") is None
    with pytest.raises(ConfigError, match="1 margins for 2 rubrics"):
        generator_row(points[0], ["a", "b"], [1.0], without=0.0, form="sheet")


@pytest.mark.parametrize(
    ("text", "label", "answer"),
    [
        ("analysis: it names the river.\nrubric: helpful\nanswer: x", "helpful", "x"),
        ("**Rubric:** Misleading\n**Answer:** `y`", "misleading", "y"),
        ("rubric: helpful\nanswer: x\nrubric: none\nanswer: y", "none", "y"),
        ("answer: x", None, "x"),
        ("rubric: maybe\nanswer: z", None, None),
        ("I think the rubric is helpful and the answer is x", None, None),
        ("", None, None),
    ],
)
def test_replies_are_read(text: str, label: str | None, answer: str | None) -> None:
    found = read_critique(text)
    assert (found.label, found.answer) == (label, answer)
    assert found.trusts == (label == "helpful" and answer is not None)


def test_the_reward_by_hand() -> None:
    def earned(text: str) -> float:
        return critic_reward(text, answer="x", label="misleading")

    assert earned("rubric: misleading\nanswer: x") == pytest.approx(1.0)
    assert earned("rubric: helpful\nanswer: x") == pytest.approx(0.6 - 0.3 + 0.1)
    assert earned("rubric: misleading\nanswer: y") == pytest.approx(-0.6 + 0.3 + 0.1)
    assert earned("answer: x") == pytest.approx(0.6 - 0.3 - 0.1)
    assert earned("…") == pytest.approx(-1.0)
    as_trl = CriticReward()(
        [None, None],
        [[{"role": "assistant", "content": "rubric: none\nanswer: y"}], "…"],
        answer=["y", "x"],
        label=["none", "helpful"],
        point_id=["a", "b"],
    )
    assert as_trl == pytest.approx([1.0, -1.0])


def test_always_one_label_earns_nothing_on_balanced_rows(points: list[BranchingPoint]) -> None:
    labelled = [
        Labelled(point, rubric(f"Rubric {at} {n} {bearing}."), bearing)
        for at, point in enumerate(points)
        for n, bearing in enumerate(("helpful", "helpful", "misleading"))
        if bearing == "misleading" or at % 2 == 0
    ]
    found = critic_rows(labelled, seed=0)
    counts = Counter(row["label"] for row in found.rows)
    assert counts["helpful"] == counts["misleading"] > 0
    assert counts["none"] == len(points)
    assert found.left_out["balance"] == len(labelled) - counts["helpful"] - counts["misleading"]
    rows = [row for row in found.rows if row["label"] != "none"]
    for label in ("helpful", "misleading"):
        parts = [critic_reward(f"rubric: {label}\nanswer: x", answer="x", label=row["label"]) for row in rows]
        assert sum(parts) / len(parts) == pytest.approx(0.7)  # nothing from the label
    assert found == critic_rows(labelled, seed=0)
    assert found.rows != critic_rows(labelled, seed=1).rows
    assert len({row["row_id"] for row in found.rows}) == len(found.rows)
    twice = critic_rows([*labelled, labelled[0]], seed=0)
    assert twice.rows == found.rows
    assert twice.left_out["duplicate"] == 1


def test_a_verifier_is_not_told_the_answer(points: list[BranchingPoint]) -> None:
    answers = Counter()
    for point in points:
        pair = contrasts(point)[0]
        with_rubric, plain = critic_prompt(pair, rubric("Name the river.")), critic_prompt(pair, None)
        assert "Name the river." in with_rubric[1]["content"]
        assert "Name the river." not in plain[1]["content"]
        swapped = pair.model_copy(update={"better": pair.worse, "worse": pair.better})
        assert critic_prompt(swapped, None) == plain  # byte for byte, whichever is the better one
        answers[pair.label] += 1
    assert set(answers) <= {"x", "y"}


def test_points_without_contrast_are_counted(points: list[BranchingPoint]) -> None:
    flat = points[0].model_copy(
        update={"candidates": tuple(c.model_copy(update={"gain": 0.0}) for c in points[0].candidates)}
    )
    found = critic_rows([Labelled(flat, rubric("A."), "helpful")], seed=0)
    assert found.rows == ()
    assert found.left_out == {"no_contrast": 1}
