"""Training rows: the columns that trainers read, the bytes a running agent sends, and counts that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from coreact.errors import ConfigError
from coreact.generate.prompt import chat, step_prompt
from coreact.rubric.branching import BranchingPoint
from coreact.train.branch.scripted import collect, parts
from coreact.train.points import point_of
from coreact.train.preferences import Reply, rated
from coreact.train.rows import dpo_rows, prompt_messages, prompt_rows, sft_rows, verl_rows
from coreact.train.teaching import teach
from coreact.worlds import World


@pytest.fixture(scope="module")
def points(world: World) -> list[BranchingPoint]:
    return list(collect(world, parts(world, n=5, seed=5).train, seed=5, per_question=3))


def tied(point: BranchingPoint) -> BranchingPoint:
    same = tuple(one.model_copy(update={"gain": 0.5}) for one in point.candidates)
    return point.model_copy(update={"candidates": same})


@pytest.mark.parametrize("form", ["records", "lines", "sheet"])
def test_prompt_rows(points: list[BranchingPoint], form: str) -> None:
    left: Counter[str] = Counter()
    given = [*points, tied(points[0])]
    rows = list(prompt_rows(given, form=form, left=left))  # type: ignore[arg-type]
    told = [one for one in given if one.has_contrast]
    assert len(rows) == len(told)
    assert left == {"no_contrast": len(given) - len(told)}
    for row, point in zip(rows, told, strict=True):
        assert list(row) == ["prompt", "point", "point_id", "question_id"]
        assert row["prompt"] == chat(step_prompt(point.state, form=form))  # type: ignore[arg-type]
        assert point_of(row["point"]) == point
        assert (row["point_id"], row["question_id"]) == (point.id, point.question_id)


def test_no_gold_answer_is_in_what_a_model_reads(points: list[BranchingPoint]) -> None:
    """The point holds gains and answers of candidates: reward functions get it, prompts do not."""
    for point in points:
        last = point.state.last_observation
        for row in prompt_rows([point]):
            said = " ".join(turn["content"] for turn in row["prompt"])
            for answer in (one.action.answer for one in point.candidates if one.action.answer):
                assert answer not in said or point.state.knows(answer) or (last and answer in last.text)
            assert "gain" not in said


def test_sft_rows(points: list[BranchingPoint]) -> None:
    left: Counter[str] = Counter()
    rows = list(sft_rows(points, form="lines", least_spearman=0.9, left=left))
    lessons = {one.id: teach(one, form="lines") for one in points if one.has_contrast}
    good = {key: one for key, one in lessons.items() if one is not None and one.spearman >= 0.9}
    assert {row["point_id"]: row["completion"] for row in rows} == {
        key: [{"role": "assistant", "content": one.text}] for key, one in good.items()
    }
    assert left["weak_lesson"] + left["no_lesson"] == len(lessons) - len(good)
    assert rows[0].keys() == {"prompt", "point", "point_id", "question_id", "completion"}


def test_dpo_rows_without_a_model(points: list[BranchingPoint]) -> None:
    rows = list(dpo_rows(points, margin=0.3, most_pairs=2))
    assert rows == list(dpo_rows(points, margin=0.3, most_pairs=2)), "the same dice"
    assert rows != list(dpo_rows(points, margin=0.3, seed=1))
    by_id = {one.id: one for one in points}
    assert max(Counter(row["point_id"] for row in rows).values()) == 2
    for row in rows:
        (chosen,), (rejected,) = row["chosen"], row["rejected"]
        high, low = (rated(one["content"], by_id[row["point_id"]]) for one in (chosen, rejected))
        assert high.qualified
        assert high.score is not None
        assert low.score is not None
        assert row["margin"] == pytest.approx(high.score - low.score)
        assert row["margin"] >= 0.3
        assert chosen["role"] == rejected["role"] == "assistant"


def test_dpo_rows_of_given_replies_and_scores(points: list[BranchingPoint]) -> None:
    left: Counter[str] = Counter()

    def replies(point: BranchingPoint) -> Iterator[str]:
        yield from ("good", "bad", "good") if point.id == contrasting[0].id else ("good",)

    def rate(text: str, _: BranchingPoint) -> Reply:
        return Reply(text, 0.9 if text == "good" else 0.1, qualified=text == "good")

    contrasting = [one for one in points if one.has_contrast]
    (row,) = dpo_rows(contrasting, replies=replies, rate=rate, left=left)
    assert row["chosen"] == [{"role": "assistant", "content": "good"}]
    assert row["rejected"] == [{"role": "assistant", "content": "bad"}]
    assert row["margin"] == pytest.approx(0.8)
    assert left == {"few_replies": len(contrasting) - 1}
    assert list(dpo_rows(contrasting[:1], replies=replies, rate=rate, margin=0.9, left=left)) == []
    assert left["no_pair"] == 1


@pytest.mark.parametrize("settings", [{"margin": 0.0}, {"margin": 1.5}, {"most_pairs": 0}])
def test_impossible_pairs_are_refused(points: list[BranchingPoint], settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="margin"):
        list(dpo_rows(points, **settings))  # type: ignore[arg-type]


def test_verl_rows(points: list[BranchingPoint]) -> None:
    rows = list(verl_rows(points, split="test", first=10))
    told = [one for one in points if one.has_contrast]
    assert [row["extra_info"]["index"] for row in rows] == list(range(10, 10 + len(told)))
    for row, point in zip(rows, told, strict=True):
        assert list(row) == ["data_source", "prompt", "ability", "reward_model", "extra_info"]
        assert row["reward_model"]["style"] == "rule"
        assert point_of(row["reward_model"]["ground_truth"]) == point
        assert row["extra_info"]["form"] == "sheet"
        assert row["extra_info"]["split"] == "test"


def test_halves_of_characters_are_no_part_of_a_row(points: list[BranchingPoint]) -> None:
    one = points[0]
    state = one.state.model_copy(update={"question": "Half \ud83d a smile?"})
    for turn in prompt_messages(state, "lines"):
        turn["content"].encode()
    (row,) = prompt_rows([one.model_copy(update={"state": state, "id": "\udc00"})])
    row["point"].encode()
    row["point_id"].encode()
