"""No country of a held-out question occurs in a training question, or in a passage shown in training."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest

from coreact.train.searcher.entity_split import EntitySplit, by_country, is_held_out
from coreact.train.searcher.making import training_world


@pytest.fixture(scope="module")
def split(world: Any) -> EntitySplit:
    return by_country(world)


def _says(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def test_every_question_belongs_to_one_half_or_to_none(world: Any, split: EntitySplit) -> None:
    train, held_out = {one.id for one in split.train}, {one.id for one in split.held_out}
    assert not train & held_out
    assert train | held_out <= {one.id for one in world.questions}
    assert len(train) > 3000
    assert len(held_out) > 500


def test_names_of_held_out_countries_are_in_no_training_proof(world: Any, split: EntitySplit) -> None:
    text = {passage.id: f"{passage.title}\n{passage.text}" for passage in world.passages}
    for question in split.train:
        for one in question.supporting_ids:
            assert one not in split.hidden
    for question in split.held_out:
        assert all(one in split.hidden or "code" in text[one] or "script" in text[one]
                   for one in question.supporting_ids)  # fmt: skip


def test_cities_of_held_out_countries_are_asked_in_one_half_only(split: EntitySplit) -> None:
    def first_cities(questions: Any) -> set[str]:
        return {
            q.chain[0].entity for q in questions if q.chain and q.chain[0].relation in {"capital", "city"}
        }

    assert first_cities(split.held_out)
    assert not first_cities(split.train) & first_cities(split.held_out)


def test_a_longer_name_is_not_the_shorter_one(split: EntitySplit) -> None:
    assert is_held_out("Guinea")
    assert not is_held_out("Equatorial Guinea")
    proofs = [one for one in split.train if "Equatorial Guinea" in {hop.entity for hop in one.chain}]
    assert proofs


def test_a_training_world_shows_no_held_out_country(split: EntitySplit) -> None:
    world = training_world(Random(3), made_up=False)
    shown = "\n".join(f"{passage.title}\n{passage.text}" for passage in world.passages)
    assert "Japan" in shown
    exempt = {"Guinea"}  # stands inside names of other countries
    assert [name for name in split.countries - exempt if _says(shown, name)] == []
    assert [
        q.id for q in world.questions for name in split.countries if name in {h.entity for h in q.chain}
    ] == []


def test_the_split_does_not_move(split: EntitySplit) -> None:
    assert {"France", "Germany", "India", "Turkey", "United States"} <= split.countries
    assert not {"Japan", "Kenya", "Spain"} & split.countries
