"""Decompositions become chains, and a small set of questions is halved; both also on the real files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import WorldError
from coreact.worlds import Question, load_world
from coreact.worlds.multihop import chain, halves

PASSAGES = [
    {"id": "p1", "title": "Hello Love", "text": "Hello Love is a song by Hank Snow."},
    {"id": "p2", "title": "Hank Snow", "text": "Hank Snow died in Tennessee."},
    {"id": "p3", "title": "Publix", "text": "Publix is found in Tennessee."},
]
TITLES = {row["id"]: row["title"] for row in PASSAGES}


def step(question: str, answer: str, passage_id: str) -> dict[str, Any]:
    return {"question": question, "answer": answer, "passage_id": passage_id}


def test_a_step_names_its_entity_before_the_arrows() -> None:
    (hop,) = chain([step("Hello Love >> performer", "Hank Snow", "p1")], TITLES)
    assert (hop.entity, hop.relation, hop.answer, hop.passage_id) == (
        "Hello Love",
        "performer",
        "Hank Snow",
        "p1",
    )
    assert hop.query == "Hello Love performer"


def test_a_reference_is_the_answer_of_that_step() -> None:
    steps = [
        step("Hello Love >> performer", "Hank Snow", "p1"),
        step("Where did #1 die?", "Tennessee", "p2"),
        step("#2 >> shop sold by #1", "Publix", "p3"),
    ]
    hops = chain(steps, TITLES)
    assert [hop.entity for hop in hops] == ["Hello Love", "Hank Snow", "Tennessee"]
    assert [hop.relation for hop in hops] == ["performer", "Where did die?", "shop sold by Hank Snow"]


def test_a_question_that_refers_to_nothing_is_about_its_passage() -> None:
    (hop,) = chain([step("Who sang the song of 1957?", "Hank Snow", "p1")], TITLES)
    assert (hop.entity, hop.relation) == ("Hello Love", "Who sang the song of 1957?")


@pytest.mark.parametrize(
    "steps",
    [
        [step("Where did #1 die?", "Tennessee", "p2")],
        [step("Where did #0 die?", "Tennessee", "p2")],
        [{"question": "Who?", "answer": "x"}],
        [step("Who?", "", "p2")],
    ],
)
def test_a_broken_step_is_an_error(steps: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError):
        chain(steps, TITLES)


# --- the files --------------------------------------------------------------------------------------


def write(folder: Path, **fields: Any) -> Path:
    question = {
        "id": "q1",
        "question": "Which shop is found where the singer of Hello Love died?",
        "answer": "Publix",
        "type": "bridge",
        "supporting_ids": ["p3", "p1"],
        "src": "musique",
    }
    for name, rows in (("passages", PASSAGES), ("questions", [question | fields])):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return folder


STEPS = [step("Hello Love >> performer", "Hank Snow", "p1"), step("#1 >> shop", "Publix", "p3")]


def test_the_proof_stands_in_the_order_of_the_decomposition(tmp_path: Path) -> None:
    (question,) = load_world(write(tmp_path, decomposition=STEPS)).questions
    assert question.supporting_ids == ("p1", "p3")
    assert [hop.query for hop in question.chain] == ["Hello Love performer", "Hank Snow shop"]


@pytest.mark.parametrize("nothing", [{}, {"decomposition": None}])
def test_without_a_decomposition_there_is_no_chain(tmp_path: Path, nothing: dict[str, Any]) -> None:
    (question,) = load_world(write(tmp_path, **nothing)).questions
    assert (question.chain, question.supporting_ids) == ((), ("p3", "p1"))


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ("#1", "a list of objects"),
        (["#1"], "a list of objects"),
        ([step("Where did #1 die?", "Tennessee", "p1")], "does not stand before"),
        ([step("Who?", "", "p1")], "'decomposition' does not fit"),
        (STEPS[:1], "does not run through supporting_ids"),
    ],
)
def test_a_broken_decomposition_is_named_with_its_line(tmp_path: Path, steps: Any, says: str) -> None:
    folder = write(tmp_path, decomposition=steps)
    with pytest.raises(WorldError, match=says) as caught:
        load_world(folder)
    assert (caught.value.path, caught.value.line) == (folder / "questions.jsonl", 1)
    assert caught.value.remedy


# --- halves -----------------------------------------------------------------------------------------


def asked(name: str) -> Question:
    return Question(id=name, question="Who?", answer="x", hops=1, kind="bridge", supporting_ids=("p1",))


@given(st.lists(st.text(min_size=1, max_size=5), unique=True, max_size=12))
def test_halves_share_nothing_and_lose_nothing(names: list[str]) -> None:
    questions = [asked(name) for name in names]
    parts = halves(questions)
    assert len(parts.train) == len(names) // 2
    assert sorted(q.id for q in (*parts.train, *parts.dev)) == sorted(names)
    assert halves(reversed(questions)) == parts


def test_halves_are_where_they_are_for_good() -> None:
    parts = halves(asked(name) for name in "abcdef")
    assert ["".join(q.id for q in part) for part in parts] == ["dfb", "aec"]


def test_the_real_questions_have_chains_that_search_finds() -> None:
    root = Path(__file__).resolve().parents[2]
    data = Path(os.environ.get("COREACT_DATA") or root.parent / "shared" / "data")
    folder = data / "multihop_qa_open"
    if not folder.is_dir():
        pytest.skip(f"no multihop_qa_open in {data}; set COREACT_DATA to the folder that has it")
    world = load_world(folder)
    chained = [question for question in world.questions if question.chain]
    assert len(chained) == 50
    assert not any("#" in hop.query for question in chained for hop in question.chain)
    parts = halves(world.questions)
    assert (len(parts.train), len(parts.dev)) == (100, 100)
