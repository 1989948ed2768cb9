"""Fan-out questions: plans against the human decomposition, answers by parts; values computed by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import WorldError
from coreact.worlds import Corpus, FanOutQuestion, gold_share, load_fanout, loose_accuracy, plan_score
from coreact.worlds.fanout import answer_strings


def step(key: str, question: str, answer: Any, page: int | None = None, **more: Any) -> dict[str, Any]:
    evidence = None if page is None else {"pageid": page, "title": f"Page {page}", "revid": 1, "url": "u"}
    return {"id": key, "question": question, "answer": answer, "evidence": evidence, **more}


QUESTION = {
    "id": "q1",
    "question": "How tall are the sons of Ann?",
    "answer": {"Bob": 1.8, "Cid": "2 m"},
    "decomposition": [
        step("a", "Who are the sons of Ann?", ["Bob", "Cid"], 1, decomposition=[]),
        step(
            "b",
            "How tall is each?",
            {"Bob": 1.8, "Cid": "2 m"},
            decomposition=[
                step("b1", "What is the height of Bob?", 1.8, 2, depends_on=["a"]),
                step("b2", "What is the height of Cid?", "2 m", 3, depends_on=["a"]),
            ],
        ),
    ],
    "categories": ["People"],
}


def write(folder: Path, *rows: Any) -> Path:
    path = folder / "questions.jsonl"
    path.write_text(
        "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows), encoding="utf-8"
    )
    return path


@pytest.fixture
def question(tmp_path: Path) -> FanOutQuestion:
    return load_fanout(write(tmp_path, QUESTION)).questions[0]


def test_the_tree_comes_down_to_its_lookups(question: FanOutQuestion) -> None:
    assert question.supporting_ids == ("a", "b1", "b2")
    assert {page.id for page in question.pages} == {1, 2, 3}
    assert question.parts[1].parts[0].depends_on == ("a",)
    assert question.categories == ("People",)


def test_notes_are_passages_that_a_corpus_finds(tmp_path: Path) -> None:
    world = load_fanout(write(tmp_path, QUESTION, QUESTION | {"id": "q2"}))
    notes = world.notes()
    assert [note.id for note in notes] == ["a", "b1", "b2"]  # shared lookups once
    assert notes[0].text == "Who are the sons of Ann? Bob, Cid"
    found = [hit.passage.id for hit in Corpus(notes).search("height of Bob", k=1)]
    assert found == ["b1"]
    assert gold_share(found, world.questions[0]) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("steps", "pages", "expected"),
    [
        # The words that count: {son, ann}, {height, bob}, {height, cid}.
        (["Who are the sons of Ann?", "height of Bob", "height of Cid"], None, (None, 1.0, 1.0)),
        (["sons of Ann", "sons of Ann", "height of Bob"], None, (None, 2 / 3, 2 / 3)),
        (["height of Dan"], None, (None, 0.0, 0.0)),  # 1 of 3 words: another name
        (["height of Bob in metres"], [2], (1 / 3, 1 / 3, 1.0)),  # 2 of 3 words
        (["Which river is long?"], ["page 3", "Page 1", 9], (2 / 3, 0.0, 0.0)),
        ([], [], (0.0, 0.0, None)),
    ],
)
def test_plans_are_scored_by_hand(
    question: FanOutQuestion, steps: list[str], pages: list[str | int] | None, expected: tuple[Any, ...]
) -> None:
    assert plan_score(steps, question, pages=pages) == pytest.approx(expected)


@given(st.lists(st.sampled_from(["sons of Ann", "height of Bob", "height of Cid", "rivers", ""]), max_size=6))
def test_more_steps_never_lower_recall_and_scores_are_shares(steps: list[str]) -> None:
    question = FanOutQuestion.model_validate(
        {
            "id": "q",
            "question": "?",
            "answer": "x",
            "parts": [
                {"id": str(at), "question": text, "answer": "x"}
                for at, text in enumerate(("sons of Ann", "height of Bob", "height of Cid"))
            ],
        }
    )
    score = plan_score(steps, question)
    assert 0 <= score.recall <= 1
    assert score.precision is None or 0 <= score.precision <= 1
    assert plan_score([*steps, "sons of Ann"], question).recall >= score.recall
    assert score.recall * 3 == pytest.approx(len({step for step in steps if step not in ("rivers", "")}))


@pytest.mark.parametrize(
    ("gold", "answer", "score", "missing"),
    [
        ("Spain", "It is SPAIN.", 1, ()),
        ("Spain", "Spaniards live there", 0, ("Spain",)),
        (True, "Yes, they do", 1, ()),
        (False, "Yes, they do", 0, ("no",)),
        (5917000, "5,917,000 people", 1, ()),
        (61.6, "61.6 decibels", 1, ()),
        (61.6, "616 decibels", 0, ("61.6",)),
        (["Ann", "Bob", "Cid"], "Bob and Ann", 2 / 3, ("Cid",)),
        ({"Ann": "left", "Bob": "right"}, "Ann: right", 2 / 4, ("left", "Bob")),
        ({"Ann": ["red", "blue"]}, "Ann likes blue", 2 / 3, ("red",)),
        ({"Ann": None}, "Ann", 1, ()),
    ],
)
def test_loose_accuracy_by_hand(gold: Any, answer: str, score: float, missing: tuple[str, ...]) -> None:
    found = loose_accuracy(answer, gold)
    assert (found.score, found.missing) == (pytest.approx(score), missing)
    assert found.strict is (not missing)


def test_swapped_values_are_not_found_out() -> None:
    assert loose_accuracy("Ann: right, Bob: left", {"Ann": "left", "Bob": "right"}).score == 1


@given(st.lists(st.from_regex(r"[a-z]{3,8}", fullmatch=True), min_size=1, unique=True))
def test_the_gold_answer_scores_one(items: list[str]) -> None:
    assert loose_accuracy("; ".join(answer_strings(list(items))), list(items)).score == 1
    assert loose_accuracy("", list(items)).score == 0


def test_an_empty_gold_answer_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="empty"):
        loose_accuracy("x", [])


@pytest.mark.parametrize(
    ("rows", "number", "says"),
    [
        ([QUESTION, QUESTION], 2, "'q1' is taken"),
        (["[]"], 1, "list where an object"),
        ([QUESTION | {"decomposition": []}], 1, "'parts' does not fit"),
        ([QUESTION | {"decomposition": "a"}], 1, "'decomposition' does not fit"),
        ([QUESTION | {"decomposition": [{"id": "a"}]}], 1, "'question' is missing"),
        (
            [QUESTION | {"decomposition": [step("a", "Who?", "x") | {"evidence": "no"}]}],
            1,
            "'pageid' is missing",
        ),
        (
            [
                QUESTION
                | {"decomposition": [step("a", "Who?", "x") | {"evidence": {"pageid": "x", "title": "T"}}]}
            ],
            1,
            "'id' does not fit",
        ),
        ([QUESTION | {"answer": []}], 1, "'answer' does not fit"),
        ([{"id": "q1", "question": "Who?", "answer": "x"}], 1, "'decomposition' is missing"),
    ],
)
def test_an_unusable_line_is_named(tmp_path: Path, rows: list[Any], number: int, says: str) -> None:
    path = write(tmp_path, *rows)
    with pytest.raises(WorldError, match=says) as caught:
        load_fanout(path)
    assert (caught.value.path, caught.value.line) == (path, number)
    assert caught.value.remedy


def test_a_decomposition_without_end_is_an_error(tmp_path: Path) -> None:
    deep = step("x", "Who?", "x")
    for _ in range(30):
        deep = step("x", "Who?", "x", decomposition=[deep])
    with pytest.raises(WorldError, match="too deep"):
        load_fanout(write(tmp_path, QUESTION | {"decomposition": [deep]}))


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="has no questions"):
        load_fanout(write(tmp_path))


def test_the_real_questions_score_their_own_plans_and_answers() -> None:
    root = Path(__file__).resolve().parents[2]
    data = Path(os.environ.get("COREACT_DATA") or root.parent / "shared" / "data")
    path = data / "fanoutqa_dev" / "questions.jsonl"
    if not path.is_file():
        pytest.skip(f"no fanoutqa_dev in {data}; set COREACT_DATA to the folder that has it")
    world = load_fanout(path)
    assert len(world.questions) == 310
    assert sum(len(question.parts) for question in world.questions) == 1984
    known = {note.id for note in world.notes()}
    for question in world.questions:
        own = [leaf.question for leaf in question.leaves]
        score = plan_score(own, question, pages=[page.id for page in question.pages])
        assert score == (1, 1, 1)
        assert known.issuperset(question.supporting_ids)
        assert plan_score([question.question], question).recall < 1 or len(own) == 1
        assert loose_accuracy(" ; ".join(answer_strings(question.answer)), question.answer).score > 0.85


def test_blank_texts_of_a_gold_answer_are_none() -> None:
    assert answer_strings({"Bob": "", "Cid": ["2 m", " ", None]}) == ("Bob", "Cid", "2 m")
    assert loose_accuracy("Bob", {"Bob": ""}).strict


@pytest.mark.parametrize("answer", ["", "  ", [], [None, ""], None])
def test_a_question_without_a_gold_answer_is_refused(tmp_path: Path, answer: Any) -> None:
    with pytest.raises(WorldError, match=r"line 1.*'answer'"):
        load_fanout(write(tmp_path, {**QUESTION, "answer": answer}))


@pytest.mark.parametrize(
    ("steps", "what"),
    [
        ([step("a", "x?", "1"), step("a", "y?", "2")], "same id"),
        ([step("a", "x?", "1", decomposition=[step("a", "y?", "2")])], "same id"),
        ([step("a", "x?", "1", depends_on=["z"])], "unknown step 'z'"),
    ],
)
def test_steps_that_do_not_hold_together_are_refused(tmp_path: Path, steps: list[Any], what: str) -> None:
    with pytest.raises(WorldError, match=f"line 1.*{what}"):
        load_fanout(write(tmp_path, {**QUESTION, "decomposition": steps}))


def test_one_id_is_one_lookup_in_all_questions(tmp_path: Path) -> None:
    other = {**QUESTION, "id": "q2"}
    assert len(load_fanout(write(tmp_path, QUESTION, other)).notes()) == 3, "the same lookup twice is one"
    other["decomposition"] = [step("a", "Who are the sons of Eve?", ["Abel"], 9)]
    with pytest.raises(WorldError, match=r"line 2.*another lookup with the id 'a'"):
        load_fanout(write(tmp_path, QUESTION, other))
