from __future__ import annotations

import pytest
from pydantic import ValidationError

from coreact.worlds import Hop, Passage, Question, World, content_version

PASSAGES = (
    Passage(id="p1", title="Ouagadougou", text="Ouagadougou is the capital of Burkina Faso."),
    Passage(id="p2", title="Money", text="Burkina Faso pays in West African CFA francs."),
)


def question(**changes: object) -> Question:
    fields: dict[str, object] = {
        "id": "q1",
        "question": "Which money?",
        "answer": "West African CFA franc",
        "hops": 2,
        "kind": "bridge",
        "supporting_ids": ("p1", "p2"),
    }
    return Question.model_validate(fields | changes)


def test_version_is_content_only():
    world = World(name="one", passages=PASSAGES, questions=(question(),))
    assert world.version == World(name="other name", passages=PASSAGES, questions=(question(),)).version
    # Pinned: the canonical form must not drift between releases, or old results lose their world.
    assert content_version((), ()) == (
        "sha256:b6a8ac752d5bf33a0b1fe76516550a87affe36d55e75a27344ab1e9711d64db4"
    )


@pytest.mark.parametrize("changed", [{"answer": "Euro"}, {"answer_aliases": ("XOF",)}, {"id": "q2"}])
def test_version_sees_every_change(changed):
    before = World(name="w", passages=PASSAGES, questions=(question(),))
    after = World(name="w", passages=PASSAGES, questions=(question(**changed),))
    assert before.version != after.version


def test_world_survives_json_and_refuses_a_false_version():
    hops = tuple(
        Hop(entity=entity, relation="x", passage_id=key, answer="y")
        for entity, key in (("a", "p1"), ("b", "p2"))
    )
    world = World(name="w", passages=PASSAGES, questions=(question(chain=hops),))
    assert World.model_validate_json(world.model_dump_json()) == world
    with pytest.raises(ValidationError, match="has the version"):
        World.model_validate(world.model_dump() | {"version": "sha256:" + "0" * 64})


def test_world_refuses_repeats_and_unknown_support():
    with pytest.raises(ValidationError, match="more than one passage"):
        World(name="w", passages=(PASSAGES[0], PASSAGES[0]), questions=())
    with pytest.raises(ValidationError, match="more than one question"):
        World(name="w", passages=PASSAGES, questions=(question(), question()))
    with pytest.raises(ValidationError, match="unknown passages"):
        World(name="w", passages=PASSAGES, questions=(question(supporting_ids=("p9",)),))


def test_question_needs_a_chain_through_its_support():
    stray = Hop(entity="a", relation="x", passage_id="p2", answer="y")
    with pytest.raises(ValidationError, match="does not run through"):
        question(chain=(stray,))
    with pytest.raises(ValidationError):
        question(supporting_ids=())


def test_split_moves_with_nothing_but_the_id():
    assert question().split == question(answer="Euro", question="Else?").split
    shares = [question(id=f"q{number}").split for number in range(2000)]
    assert 0.15 < shares.count("dev") / len(shares) < 0.25
