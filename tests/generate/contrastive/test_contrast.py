"""A contrast is shown neutrally; what its criteria must not say."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from pydantic import ValidationError

from coreact.generate.contrastive import Contrast, contrasts
from coreact.generate.contrastive.contrast import MAX_SIDES, SIDE_CHARS, shown, sides
from coreact.generate.contrastive.nuisance import names_winner, nuisance
from coreact.rubric import Action, Observation, State, Step, ToolCall
from coreact.rubric.branching import BranchingPoint, Candidate

STATE = State.start("What is the capital of Jamaica?").after(
    Step(call=ToolCall(name="search"), observation=Observation(text="Kingston is the capital of Jamaica."))
)
GOOD = Action(answer="Kingston")
BAD = Action(answer="Montego Bay, 4411")


def point(*gains: float, order: Any = None) -> BranchingPoint:
    candidates = [Candidate(action=Action(answer=f"town {at}"), gain=gain) for at, gain in enumerate(gains)]
    return BranchingPoint(
        id="p",
        question_id="q",
        world="w",
        state=STATE,
        candidates=tuple(candidates[at] for at in order or range(len(gains))),
    )


def test_sides_do_not_depend_on_the_order_nor_on_the_label() -> None:
    one, other = Contrast(state=STATE, better=GOOD, worse=BAD), Contrast(state=STATE, better=BAD, worse=GOOD)
    assert one.sides == other.sides
    assert one.key == other.key
    assert {one.label, other.label} == {"x", "y"}
    assert next(side.action for side in one.sides if side.label == one.label) == GOOD


def test_call_ids_do_not_move_a_side() -> None:
    calls = [Action(call=ToolCall(name="search", arguments={"query": "a"}, id=name)) for name in ("1", "2")]
    assert [side.label for side in sides((GOOD, calls[0])) if side.action.call] == [
        side.label for side in sides((calls[1], GOOD)) if side.action.call
    ]
    with pytest.raises(ValidationError, match="same action"):
        Contrast(state=STATE, better=calls[0], worse=calls[1])


def test_the_order_of_candidates_never_shows() -> None:
    actions = [Action(answer=f"town {at}") for at in range(4)]
    assert len({sides(order) for order in itertools.permutations(actions)}) == 1


@pytest.mark.parametrize("number", [0, 1, MAX_SIDES + 1])
def test_too_few_and_too_many_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        sides([Action(answer=str(at)) for at in range(number)])


def test_long_sides_are_cut_to_where_they_differ() -> None:
    filler = "the same words over and over " * 400
    one = Action(answer=f"{filler} Kingston stands here {filler}")
    other = Action(answer=f"{filler} Montego stands here {filler}")
    sections = shown(sides((one, other)))
    assert all(len(section.text) < SIDE_CHARS + 200 for section in sections)
    assert {"Kingston" in section.text for section in sections} == {True, False}
    assert "Kingston" in "".join(section.text for section in sections)


def test_contrasts_of_a_branching_point() -> None:
    found = contrasts(point(0.0, 1.0, 0.5))
    assert [(one.better.answer, one.worse.answer) for one in found] == [("town 1", "town 0")]
    every = contrasts(point(0.0, 1.0, 0.5, 0.5), pairs="all")
    assert len(every) == 5  # six pairs, one of them a tie
    assert (every[0].better.answer, every[0].worse.answer) == ("town 1", "town 0")
    assert contrasts(point(1.0, 1.0)) == ()


@pytest.mark.parametrize("pairs", ["extremes", "all"])
def test_contrasts_do_not_depend_on_the_order_of_candidates(pairs: Any) -> None:
    gains = (1.0, 1.0, 0.0, 0.0)
    straight = contrasts(point(*gains), pairs=pairs)
    for order in itertools.permutations(range(4)):
        assert contrasts(point(*gains, order=order), pairs=pairs) == straight


COMPARED = sides((GOOD, BAD))


@pytest.mark.parametrize(
    "text",
    [
        "Prefer candidate x.",
        "The answer y is wrong.",
        "Response A names the capital.",
        'Candidate "B" wins.',
        "Say what answer 2 says.",
        "Follow the first response.",
        "Do as the former candidate does.",
        "Be like the better answer.",
        "Avoid what the rejected action does.",
        "Match the winner.",
        "What x does is right: x is grounded.",
    ],
)
def test_a_criterion_must_not_name_a_candidate_a_place_or_a_winner(text: str) -> None:
    assert names_winner(text, COMPARED) is not None
    bad = nuisance(text, compared=COMPARED, state=STATE)
    assert bad is not None
    assert bad.problem == "nuisance"


@pytest.mark.parametrize(
    "text",
    [
        "Be concise.",
        "Give a longer answer.",
        "Answer in few words.",
        "Use bullet points.",
        "Write in markdown.",
        "Keep the length low.",
        "Answer in two sentences.",
    ],
)
def test_a_criterion_must_not_reward_length_or_form(text: str) -> None:
    bad = nuisance(text, compared=COMPARED, state=STATE)
    assert bad is not None
    assert bad.problem == "nuisance"


@pytest.mark.parametrize(
    "text",
    [
        "Name the capital that an observation gives.",
        "Give the right answer to the question.",
        "State the length of the river in which the ship sank.",
        "Search for the first president.",
        "Answer a question that was asked.",
        "Do not repeat the last query.",
        "Say how long ago it was.",
        "Use other words than the last query.",
        "Find the second largest town.",
        "Call `search` with the name of the island.",
    ],
)
def test_what_is_about_the_matter_passes(text: str) -> None:
    assert nuisance(text, compared=COMPARED, state=STATE, sources=(STATE.question,)) is None


def test_what_the_question_demands_is_no_nuisance() -> None:
    state = State.start("Describe Kingston in two sentences and with bullet points.")
    assert nuisance("Write two sentences.", compared=COMPARED, state=state) is None
    assert nuisance("Use bullet points.", compared=COMPARED, state=state) is None
    assert nuisance("Be concise.", compared=COMPARED, state=state) is not None


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        ("Answer with Kingston.", True),
        ("Kingston must be the answer.", True),
        ("Do not say 4411.", True),
        ("Montego Bay is wrong.", True),
        ("Name the capital of Jamaica.", False),  # the question names it
        ("Name Port Royal.", False),  # neither side does
        ("Bay after bay must be named.", True),
        ("Name the town.", False),
    ],
)
def test_a_principle_names_nothing_that_one_side_alone_holds(text: str, leaks: bool) -> None:
    bad = nuisance(text, compared=COMPARED, state=STATE, sources=(STATE.question,))
    assert (bad is not None and bad.problem == "leaking") == leaks
    assert nuisance(text, compared=COMPARED, state=STATE) is None


def test_what_all_sides_hold_may_be_named() -> None:
    compared = sides((Action(answer="Kingston, Surrey"), Action(answer="Kingston, Cornwall")))
    assert nuisance("Name Kingston.", compared=compared, state=STATE, sources=(STATE.question,)) is None


def test_what_a_source_holds_may_be_named() -> None:
    observed = STATE.steps[0].observation
    assert observed is not None
    assert nuisance("Answer with Kingston.", compared=COMPARED, state=STATE, sources=(observed.text,)) is None
