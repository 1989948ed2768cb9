"""Pairs of replies: who may be chosen, by how much, and that the few pairs of a prompt differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import ConfigError
from coreact.rubric import Action, State, ToolCall, ToolContract
from coreact.rubric.branching import BranchingPoint, Candidate
from coreact.train.preferences import Reply, drawn_replies, pairs, rated
from coreact.train.teaching import teach

SEARCH = ToolContract(
    name="search",
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    role="search",
    read_only=True,
)
POINT = BranchingPoint(
    id="p",
    question_id="q",
    world="toy",
    state=State.start("Which river flows through the birthplace of Carla Diaz?", tools=(SEARCH,), limit=4),
    candidates=(
        Candidate(action=Action(call=ToolCall(name="search", arguments={"query": "Carla Diaz"})), gain=1),
        Candidate(action=Action(call=ToolCall(name="search", arguments={"query": "rivers"})), gain=0.5),
        Candidate(action=Action(answer="the Po"), gain=0),
    ),
)
RIGHT = "1. [0.6] Search for name 1.\n2. [0.4] Do not answer yet."


@pytest.mark.parametrize(
    ("text", "score", "qualified"),
    [
        (RIGHT, 1.0, True),
        ("1. [1] Answer now.", 0.0669872981, True),  # rho -.866, by hand
        ("1. [1] Do not repeat an earlier call.", 0.5, True),  # all tie
        ("Here are some thoughts.", 0.0, False),
        ("1. [1] Search for name 9.", 0.0, False),  # there is no such name
        (RIGHT + "\n3. [0.1] Search for name 9.", 1.0, False),  # a line of it was dropped
        (RIGHT + "\n3. [0.1] Answer now.", 1.0, False),  # nobody can follow both
        ("1. [1] The search shows real insight.", None, False),  # no code decides that
    ],
)
def test_rated_by_hand(text: str, score: float | None, qualified: bool) -> None:
    found = rated(text, POINT)
    assert found.score == (None if score is None else pytest.approx(score))
    assert found.qualified is qualified


def test_what_ranks_by_luck_is_never_chosen() -> None:
    replies = [
        Reply("lucky", 1.0, qualified=False),
        Reply("fair", 0.6, qualified=True),
        Reply("bad", 0.1, True),
    ]
    assert [(p.chosen, p.rejected, p.margin) for p in pairs(replies)] == [("fair", "bad", 0.5)]


def test_margin_and_unknown_scores() -> None:
    replies = [Reply("a", 0.5, True), Reply("b", 0.31, True), Reply("c", None, True), Reply("d", 0.3, True)]
    assert [(p.chosen, p.rejected) for p in pairs(replies)] == [("a", "d")], "exactly the margin is enough"
    assert pairs(replies, margin=0.25) == []
    assert pairs([Reply("a", 1.0, True)]) == []


def test_the_second_pair_differs() -> None:
    """The widest first; then not the next one in line but the one that says something else."""
    replies = [
        Reply("right", 1.0, True),
        Reply("search for name two", 0.0, True),
        Reply("search for name two now", 0.1, True),
        Reply("answer at once", 0.3, True),
    ]
    assert [p.rejected for p in pairs(replies)] == ["search for name two", "answer at once"]
    assert [p.rejected for p in pairs(replies, most=5)][2:] == ["search for name two now"]


@given(
    st.lists(
        st.builds(
            Reply,
            st.text("abc ", min_size=1, max_size=6),
            st.one_of(st.none(), st.sampled_from([0.0, 0.2, 0.4, 0.6, 1.0])),
            st.booleans(),
        ),
        max_size=6,
        unique_by=lambda one: one.text,
    ),
    st.randoms(use_true_random=False),
)
def test_rules_hold_for_any_replies(replies: list[Reply], draw: object) -> None:
    found = pairs(replies, margin=0.2, most=2)
    by_text = {one.text: one for one in replies}
    assert len(found) <= 2
    assert len({p.rejected for p in found}) == len(found)
    for pair in found:
        high, low = by_text[pair.chosen], by_text[pair.rejected]
        assert high.qualified
        assert high.score is not None
        assert low.score is not None
        assert high.score - low.score == pytest.approx(pair.margin)
        assert pair.margin >= 0.2
    shuffled = list(replies)
    draw.shuffle(shuffled)  # type: ignore[attr-defined]
    assert pairs(shuffled, margin=0.2, most=2) == found


@pytest.mark.parametrize("form", ["sheet", "lines"])
def test_drawn_replies_repeat_and_differ(form: str) -> None:
    drawn = drawn_replies(POINT, form=form, seed=1)  # type: ignore[arg-type]
    assert drawn == drawn_replies(POINT, form=form, seed=1)  # type: ignore[arg-type]
    assert drawn != drawn_replies(POINT, form=form, seed=2)  # type: ignore[arg-type]
    assert len(set(drawn)) == len(drawn) > 4
    lesson = teach(POINT, form=form)  # type: ignore[arg-type]
    assert lesson is not None
    assert drawn[0] == lesson.text
    assert all(rated(text, POINT, form=form).score is not None for text in drawn)  # type: ignore[arg-type]


def test_records_cannot_be_drawn() -> None:
    with pytest.raises(ConfigError, match="records"):
        drawn_replies(POINT, form="records")
