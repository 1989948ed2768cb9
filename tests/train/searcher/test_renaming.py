"""A renamed world keeps its shape: every proof still states its facts, under names that no text had."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from coreact.train.searcher.renaming import renamed
from coreact.worlds import Corpus, World


@pytest.fixture(scope="module")
def made_up(world: Any) -> World:
    return renamed(world, Random(7))


def test_every_proof_still_states_its_facts(made_up: World) -> None:
    text = {passage.id: f"{passage.title}: {passage.text}" for passage in made_up.passages}
    assert len(made_up.questions) > 4000
    for question in made_up.questions:
        assert question.chain[0].entity in question.question
        assert question.answer == question.chain[-1].answer
        for hop in question.chain:
            assert hop.entity in text[hop.passage_id], hop
            assert hop.answer in text[hop.passage_id], hop
        for before, after in zip(question.chain, question.chain[1:], strict=False):
            assert before.answer == after.entity


def test_the_shape_stays(world: Any, made_up: World) -> None:
    assert [passage.id for passage in made_up.passages] == [passage.id for passage in world.passages]
    bridges = [question for question in world.questions if question.kind == "bridge"]
    assert [q.supporting_ids for q in made_up.questions] == [q.supporting_ids for q in bridges]
    assert [[h.relation for h in q.chain] for q in made_up.questions] == [
        [h.relation for h in q.chain] for q in bridges
    ]


def test_real_names_are_gone(made_up: World) -> None:
    shown = "\n".join(f"{passage.title} {passage.text}" for passage in made_up.passages)
    for name in ("France", "Ouagadougou", "Japanese", "Dinar", "JPN", "Kenya"):
        assert name not in shown
    for word in ("The currency of", "capital", "Latin", "Asia", "Republic"):
        assert word in shown


def test_names_stay_apart(world: Any, made_up: World) -> None:
    def titles(of: Any) -> set[str]:
        return {passage.title for passage in of.passages}

    assert len(titles(made_up)) == len(titles(world))


def test_an_ideal_searcher_finds_what_it_found(world: Any, made_up: World) -> None:
    def found(of: World) -> float:
        corpus, hops = Corpus(of.passages), [hop for q in of.questions[:300] for hop in q.chain]
        return sum(hop.passage_id in {h.passage.id for h in corpus.search(hop.query)} for hop in hops) / len(
            hops
        )

    assert found(made_up) > 0.97


def test_the_seed_draws_the_names(world: Any, made_up: World) -> None:
    assert renamed(world, Random(7)) == made_up
    assert renamed(world, Random(8)).passages[0] != made_up.passages[0]
