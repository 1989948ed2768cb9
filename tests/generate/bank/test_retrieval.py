from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from langchain_core.embeddings import Embeddings

from coreact.generate.bank.records import BankEntry, Outcomes
from coreact.generate.bank.retrieval import EmbeddingNeighbours, Found, LexicalNeighbours, Neighbours
from coreact.generate.bank.store import RubricBank
from coreact.rubric import Criterion, Rubric


def entry(question: str, text: str = "Search.", **fields: Any) -> BankEntry:
    rubric = Rubric(criteria=(Criterion(id="c1", text=text),))
    return BankEntry(question=question, rubric=rubric, source="test", **fields)


RIVER = entry("Which river crosses the capital of Gabon?")
CODE = entry("What is the currency code of Peru?")
CURRENCY = entry("Which currency does Chile use?")


class Axes(Embeddings):
    """Embeds a text as how often each of these words stands in it; counts what it is asked."""

    def __init__(self, *axes: str) -> None:
        self.axes = axes
        self.asked: list[str] = []

    def embed_query(self, text: str) -> list[float]:
        self.asked.append(text)
        return [float(text.count(axis)) for axis in self.axes]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


@pytest.fixture
def bank() -> Any:
    with RubricBank() as opened:
        for one in (RIVER, CODE, CURRENCY):
            opened.append(one)
        yield opened


@pytest.fixture(params=["lexical", "embedding"])
def neighbours(request: pytest.FixtureRequest, bank: RubricBank) -> Neighbours:
    if request.param == "lexical":
        return LexicalNeighbours(bank)
    return EmbeddingNeighbours(bank, Axes("currency", "river", "code", "Q"))


def asked(found: tuple[Found, ...]) -> list[str]:
    return [one.entry.question for one in found]


def test_the_nearest_come_first_and_what_has_nothing_in_common_not_at_all(neighbours: Neighbours) -> None:
    found = neighbours.nearest("What is the currency code of Kenya?", 3)
    assert asked(found) == [CODE.question, CURRENCY.question]
    assert found[0].score > found[1].score > 0
    assert neighbours.nearest("Who painted it?", 3) == ()
    assert len(neighbours.nearest("What is the currency code of Kenya?", 1)) == 1


def test_async_gives_the_same(neighbours: Neighbours) -> None:
    question = "What is the currency code of Kenya?"
    assert asyncio.run(neighbours.anearest(question, 3)) == neighbours.nearest(question, 3)


def test_an_empty_bank_gives_nothing() -> None:
    with RubricBank() as empty:
        assert LexicalNeighbours(empty).nearest("Who?", 3) == ()
        embeddings = Axes("x")
        assert EmbeddingNeighbours(empty, embeddings).nearest("Who?", 3) == ()
        assert embeddings.asked == []


def test_the_very_question_can_be_left_out(neighbours: Neighbours) -> None:
    question = CODE.question.upper()
    assert asked(neighbours.nearest(question.lower(), 1)) == [CODE.question]
    left = neighbours.nearest(CODE.question, 3, exclude_question=True)
    assert asked(left) == [CURRENCY.question]
    shouted = "  what is the CURRENCY code of péru "
    assert CODE.question not in asked(neighbours.nearest(shouted, 3, exclude_question=True))


def test_only_usable_entries_count(neighbours: Neighbours) -> None:
    found = neighbours.nearest("Which currency code?", 1, usable=lambda one: "code" not in one.question)
    assert asked(found) == [CURRENCY.question]


def test_each_question_is_there_once_with_its_best_entry(bank: RubricBank, neighbours: Neighbours) -> None:
    worse = entry(CODE.question, "Read.", outcomes=Outcomes(fixed=1, spoiled=1))
    better = entry(CODE.question, "Look.", outcomes=Outcomes(fixed=2))
    bank.append(worse)
    bank.append(better)
    found = neighbours.nearest("What is the currency code of Kenya?", 3)
    assert [one.entry.key for one in found] == [better.key, CURRENCY.key]
    bank.record_outcome(better.key, spoiled=5)
    (first, _) = neighbours.nearest("What is the currency code of Kenya?", 3)
    assert first.entry.key == min(CODE.key, worse.key)


def test_a_grown_bank_is_seen_and_a_removed_entry_is_not(bank: RubricBank, neighbours: Neighbours) -> None:
    question = "Which river code has it?"
    assert set(asked(neighbours.nearest(question, 3))) == {RIVER.question, CODE.question}
    new = entry("Which river code?")
    bank.append(new)
    assert asked(neighbours.nearest(question, 1)) == [new.question]
    bank.remove(new.key)
    assert new.question not in asked(neighbours.nearest(question, 3))


@pytest.mark.parametrize("order", [1, -1])
def test_equal_scores_are_ordered_by_content(order: int) -> None:
    entries = [entry(f"Which currency Q{n}?") for n in range(6)][::order]
    with RubricBank() as bank:
        for one in entries:
            bank.append(one)
        expected = sorted(one.key for one in entries)[:3]
        found = LexicalNeighbours(bank).nearest("Which currency?", 3)
        assert [one.entry.key for one in found] == expected
        found = EmbeddingNeighbours(bank, Axes("currency", "Q")).nearest("Which currency?", 3)
        assert [one.entry.key for one in found] == expected


def test_k_below_one_is_an_error(neighbours: Neighbours) -> None:
    with pytest.raises(ValueError, match="k must be"):
        neighbours.nearest("currency", 0)


def test_questions_without_a_word_are_no_neighbours() -> None:
    with RubricBank() as bank:
        bank.append(entry("???"))
        neighbours = LexicalNeighbours(bank)
        assert neighbours.nearest("???", 3) == ()
        bank.append(entry("東京の人口は?"))
        assert asked(neighbours.nearest("東京", 3)) == ["東京の人口は?"]


# --- embeddings ------------------------------------------------------------------------------------


def test_cosines_are_as_worked_by_hand(bank: RubricBank) -> None:
    found = EmbeddingNeighbours(bank, Axes("currency", "code")).nearest("currency code", 3)
    assert [(one.entry.key, one.score) for one in found] == [
        (CODE.key, pytest.approx(1.0)),
        (CURRENCY.key, pytest.approx(math.sqrt(0.5))),
    ]


def test_each_text_is_embedded_once(bank: RubricBank) -> None:
    embeddings = Axes("currency", "code")
    neighbours = EmbeddingNeighbours(bank, embeddings)
    asyncio.run(neighbours.anearest("currency", 3))
    assert sorted(embeddings.asked) == sorted([RIVER.question, CODE.question, CURRENCY.question, "currency"])
    neighbours.nearest("currency", 3)
    assert len(embeddings.asked) == 4
    bank.append(entry("One more currency?"))
    neighbours.nearest("currency", 3)
    assert embeddings.asked[4:] == ["One more currency?"]


@pytest.mark.parametrize(
    "vectors", [[[1.0]], [[math.nan], [1.0], [1.0]], [[], [], []], [[1.0], [1.0], [1.0, 2.0]]]
)
def test_vectors_that_cannot_be_compared_are_an_error(bank: RubricBank, vectors: list[list[float]]) -> None:
    class Broken(Axes):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return vectors

    with pytest.raises(ValueError):
        EmbeddingNeighbours(bank, Broken("currency")).nearest("currency", 3)


def test_opposite_and_empty_directions_are_no_neighbours(bank: RubricBank) -> None:
    class Signed(Axes):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[-1.0], [0.0], [2.0]]

    found = EmbeddingNeighbours(bank, Signed("currency")).nearest("currency", 3)
    assert asked(found) == [CURRENCY.question]
