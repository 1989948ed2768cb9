from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from coreact.errors import WorldError
from coreact.worlds import Corpus, contains_answer, load_world

PASSAGE = {"id": "p1", "title": "Paris", "text": "Paris is the capital of France.", "src": "me"}
QUESTION = {
    "id": "q1",
    "question": "What is the capital of France?",
    "answer": "Paris",
    "answer_aliases": ["City of Light"],
    "type": "bridge",
    "hops": 1,
    "supporting_ids": ["p1"],
    "level": "easy",
}


def write(folder: Path, name: str, *lines: object) -> None:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / name).write_text(text + "\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path) -> Path:
    write(tmp_path, "passages.jsonl", PASSAGE)
    write(tmp_path, "questions.jsonl", QUESTION)
    return tmp_path


def test_loads(folder):
    world = load_world(folder)
    assert world.name == folder.name
    assert world.passages[0].text == PASSAGE["text"]
    question = world.questions[0]
    assert (question.kind, question.hops, question.answer_aliases) == ("bridge", 1, ("City of Light",))


def test_optional_fields_blank_lines_and_a_mark_at_the_start(folder):
    lean = {key: QUESTION[key] for key in ("id", "question", "answer", "supporting_ids")}
    write(folder, "questions.jsonl", "\ufeff", "", lean | {"answer_aliases": None}, "  ")
    question = load_world(folder).questions[0]
    assert (question.kind, question.hops, question.answer_aliases) == ("other", 1, ())


def test_line_separators_inside_a_text_do_not_cut_it(folder):
    write(
        folder, "passages.jsonl", json.dumps(PASSAGE | {"text": "one\u2028two\x85three"}, ensure_ascii=False)
    )
    assert load_world(folder).passages[0].text == "one\u2028two\x85three"


def test_distractors_come_only_when_asked(folder):
    with pytest.raises(WorldError, match="distractors"):
        load_world(folder, distractors=True)
    write(folder, "distractors_more.jsonl", PASSAGE | {"id": "d1"})
    assert len(load_world(folder).passages) == 1
    assert [passage.id for passage in load_world(folder, distractors=True).passages] == ["p1", "d1"]


@pytest.mark.parametrize(
    ("name", "lines", "number", "says"),
    [
        ("passages.jsonl", [PASSAGE, "{broken"], 2, "not JSON"),
        ("passages.jsonl", [PASSAGE, "", "[1]"], 3, "list where an object"),
        ("passages.jsonl", ["1" * 5000], 1, "too long"),
        ("passages.jsonl", ["[" * 100_000], 1, "nested too deep"),
        ("passages.jsonl", [{"id": "p1", "title": "x"}], 1, "'text' is missing"),
        ("passages.jsonl", [PASSAGE | {"text": ""}], 1, "'text' does not fit"),
        ("passages.jsonl", [PASSAGE | {"title": 3}], 1, "'title' does not fit"),
        ("passages.jsonl", [PASSAGE, PASSAGE], 2, "'p1' is taken"),
        ("questions.jsonl", [QUESTION, QUESTION], 2, "'q1' is taken"),
        ("questions.jsonl", [{"id": "q1"}], 1, "'question' is missing"),
        ("questions.jsonl", [QUESTION | {"supporting_ids": ["p1", "p7"]}], 1, "unknown passage 'p7'"),
        ("questions.jsonl", [QUESTION | {"supporting_ids": []}], 1, "'supporting_ids' does not fit"),
        ("questions.jsonl", [QUESTION | {"supporting_ids": "p1"}], 1, "'supporting_ids' does not fit"),
        ("questions.jsonl", [QUESTION | {"hops": 0}], 1, "'hops' does not fit"),
    ],
)
def test_an_unusable_line_is_named(folder, name, lines, number, says):
    write(folder, name, *lines)
    with pytest.raises(WorldError, match=says) as caught:
        load_world(folder)
    assert (caught.value.path, caught.value.line) == (folder / name, number)
    assert f"{name}, line {number}" in str(caught.value)
    assert caught.value.remedy


def test_bytes_that_are_no_text_are_named(folder):
    (folder / "passages.jsonl").write_bytes(json.dumps(PASSAGE).encode() + b'\n{"id": "\xff"}\n')
    with pytest.raises(WorldError, match="UTF-8") as caught:
        load_world(folder)
    assert caught.value.line == 2


@pytest.mark.parametrize("name", ["passages.jsonl", "questions.jsonl"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(WorldError, match=name) as caught:
        load_world(folder)
    assert caught.value.path == folder / name
    assert "passages.jsonl and questions.jsonl" in caught.value.remedy


def test_an_empty_corpus_is_an_error(folder):
    write(folder, "passages.jsonl", "")
    with pytest.raises(WorldError, match="no passages"):
        load_world(folder)


def shared_data() -> Path:
    root = Path(__file__).resolve().parents[2]
    data = Path(os.environ.get("COREACT_DATA") or root.parent / "shared" / "data")
    folder = data / "multihop_qa_open"
    if not folder.is_dir():
        pytest.skip(f"no multihop_qa_open in {data}; set COREACT_DATA to the folder that has it")
    return folder


def test_real_questions_load_and_can_be_searched():
    world = load_world(shared_data(), distractors=True)
    assert len(world.questions) == 200
    assert len(world.passages) == 2471 + 6119
    passages = {passage.id: passage for passage in world.passages}
    stated = [
        any(contains_answer(passages[key].text, question) for key in question.supporting_ids)
        for question in world.questions
    ]
    assert sum(stated) > 170
    corpus = Corpus(world.passages)
    found = [
        {hit.passage.id for hit in corpus.search(question.question, k=10)}.issuperset(question.supporting_ids)
        for question in world.questions
    ]
    assert 0.5 < sum(found) / len(found) < 0.75  # The data's own note gives 0.585 for plain BM25.
