"""The best grounded analysis decides: what code can check of it, and what a comparer adds."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import ConfigError
from coreact.judge.panel.analyses import BestAnalysis, Choice, Compare, Preference, choose
from coreact.judge.panel.groundedness import Sources, groundedness
from coreact.judge.records import Cost, Evidence, Status, Verdict
from coreact.judge.runner import Judge, Ruling
from coreact.rubric import Action, Criterion, Observation, State, Step, ToolCall

PAGE = "Burkina Faso uses the West African CFA franc. It has 22,489,126 people and joined in 1994."
STATE = State.start("Which currency is used in Ouagadougou?").after(
    Step(
        call=ToolCall(name="search", arguments={"query": "Ouagadougou"}),
        observation=Observation(text=PAGE, id="m1"),
    )
)
ACTION = Action(answer="It is the CFA franc.")
CRITERION = Criterion(id="c", text="The answer names the currency, founded before 1960.")
SOURCES = Sources.of(ACTION, STATE)

asks = pytest.mark.parametrize("colour", ["sync", "async"])


def verdict(
    status: Status = "met", reason: str = "r", *quotes: str, message: str = "m1", **of: Any
) -> Verdict:
    evidence = tuple(Evidence(message_id=message, quote=quote) for quote in quotes)
    return Verdict(criterion="c", reason=reason, status=status, evidence=evidence, **of)


def rated(found: Verdict) -> float:
    return groundedness(found, CRITERION, SOURCES)


# --- groundedness ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "rating"),
    [
        (verdict(), 0),  # nothing to check
        (verdict("met", "r", "West African CFA franc"), 1 / 2),
        (verdict("met", "r", "west  african CFA Franc"), 1 / 2),  # blanks and case
        (verdict("met", "r", "West African CFA franc", "Burkina Faso"), 2 / 3),
        (verdict("met", "r", "West African CFA franc", "CFA franc"), 1 / 2),  # one inside of the other
        (verdict("met", "r", "East African shilling"), 0),
        (verdict("met", "r", "West African CFA franc", "East African shilling"), 0),
        (verdict("met", "r", "West African CFA franc", "Burkina Faso", "shilling"), 1 / 4),
        (verdict("met", "r", "the"), 0),  # says nothing, and is no invention
        (verdict("met", "r", "the", "Burkina Faso"), 1 / 2),
        (verdict("met", "r", "West African CFA franc", message="m2"), 0),  # not in that message
        (verdict("met", "r", "It is the CFA franc", message="proposal"), 1 / 2),
        (verdict("met", "r", "currency is used", message="question"), 1 / 2),
        (verdict("met", 'it says "CFA franc"'), 1 / 2),
        (verdict("met", "it says “CFA franc” there", "CFA franc"), 1 / 2),  # the same words again
        (verdict("met", 'it says "three dollars"'), 0),
        (verdict("met", "since 1994"), 1 / 2),
        (verdict("met", "since 1994, 22489126 people"), 2 / 3),
        (verdict("met", "since 1995"), 0),
        (verdict("met", "since 1994, not 1995"), 0),
        (verdict("met", "not before 1960"), 1 / 2),  # the criterion's own number
        (verdict("met", "2 of 3 parts"), 0),  # counting is no reference
    ],
)
def test_what_an_analysis_refers_to_must_be_there(found: Verdict, rating: float) -> None:
    assert rated(found) == pytest.approx(rating)


def test_no_quote_reaches_from_one_text_into_the_next() -> None:
    sources = Sources({"1": "one two", "2": "three four"})
    assert sources.holds("three four")
    assert not sources.holds("two three")
    assert not sources.holds("three four", message_id="1")


def test_messages_of_one_id_are_all_searched() -> None:
    twice = STATE.after(
        Step(call=ToolCall(name="read"), observation=Observation(text="A later page.", id="m1"))
    )
    sources = Sources.of(ACTION, twice)
    assert sources.holds("West African", message_id="m1")
    assert sources.holds("A later page", message_id="m1")


QUOTES = st.sampled_from(["West African", "Burkina Faso", "joined in", "shilling", "Accra", "the"])


@given(st.lists(QUOTES, max_size=5), st.sampled_from(["shilling rate", "Accra city"]))
def test_an_invention_never_helps(quotes: list[str], invented: str) -> None:
    before = rated(verdict("met", "r", *quotes))
    assert 0 <= before < 1
    assert rated(verdict("met", "r", *quotes, invented)) <= before


# --- choosing --------------------------------------------------------------------------------

GROUNDED = verdict("unmet", "the page says otherwise", "West African CFA franc")
CARELESS = verdict("met", "looks fine to me")


def chosen(*verdicts: Verdict, compare: Compare | None = None, min_valid: int = 1) -> Choice:
    return choose(CRITERION, verdicts, SOURCES, by="best", min_valid=min_valid, compare=compare)


@pytest.mark.parametrize("winner", ["unmet", "met"])
def test_a_grounded_minority_beats_two_careless_ones(winner: Status) -> None:
    loser: Status = "met" if winner == "unmet" else "unmet"
    grounded = GROUNDED.model_copy(update={"status": winner})
    careless = CARELESS.model_copy(update={"status": loser})
    for order in ([grounded, careless, careless], [careless, grounded, careless]):
        found = chosen(*order)
        assert (found.verdict.status, found.majority) == (winner, loser)
        assert found.verdict.evidence == GROUNDED.evidence
        assert found.verdict.confidence == pytest.approx(1 / 3)
        assert (
            found.verdict.reason
            == f"the page says otherwise (chosen of 3 analyses; counting them says {loser})"
        )
        assert sorted(analysis.grounding for analysis in found.analyses) == [0, 0, 0.5]
        assert found.swap_consistency is None


def test_equally_grounded_ones_are_counted() -> None:
    also = verdict("met", "yes", "Burkina Faso")
    assert chosen(GROUNDED, also, also, CARELESS).verdict.status == "met"
    tied = chosen(GROUNDED, also, CARELESS)
    assert (tied.verdict.status, tied.verdict.fault, tied.majority) == ("unknown", "none", "met")
    assert chosen(CARELESS, CARELESS, verdict("unmet")).verdict.status == "met"


def test_who_cannot_tell_is_not_chosen() -> None:
    unsure = verdict("unknown", "no idea", "West African CFA franc", "Burkina Faso")
    found = chosen(unsure, CARELESS)
    assert (found.verdict.status, found.verdict.confidence) == ("met", 1)
    assert len(found.analyses) == 2
    none = chosen(unsure, unsure)
    assert (none.verdict.status, none.verdict.fault, none.majority) == ("unknown", "none", None)
    down = verdict("unknown", "down", fault="instrument", cause="transport")
    assert (chosen(down, down).verdict.fault, chosen(down, down).verdict.cause) == ("instrument", "transport")
    assert chosen(GROUNDED, unsure, min_valid=2).verdict.status == "unknown"


def test_analyses_agreed_are_simply_chosen() -> None:
    found = chosen(CARELESS, verdict("met", "quoted", "Burkina Faso"))
    assert found.verdict.reason == "quoted (chosen of 2 analyses)"
    assert found.verdict.confidence == 1


# --- comparing -------------------------------------------------------------------------------


def preferring(word: str) -> Compare:
    """A fair comparer: prefers the analysis whose reason holds the word, whatever its place."""

    def compare(criterion: Criterion, first: Verdict, second: Verdict, sources: Sources) -> Preference:
        assert sources is SOURCES
        if (word in first.reason) == (word in second.reason):
            return "tie"
        return "first" if word in first.reason else "second"

    return compare


def first_is_better(criterion: Criterion, first: Verdict, second: Verdict, sources: Sources) -> Preference:
    return "first"


def test_a_challenger_must_be_preferred_to_the_best_grounded() -> None:
    challenger = CARELESS.model_copy(update={"reason": "a telling argument"})
    found = chosen(GROUNDED, challenger, CARELESS, compare=preferring("telling"))
    assert found.verdict.status == "met"
    assert found.verdict.reason.startswith("a telling argument")
    assert found.swap_consistency == 1
    kept = chosen(GROUNDED, challenger, CARELESS, compare=preferring("otherwise"))
    assert (kept.verdict.status, kept.swap_consistency) == ("unmet", 1)


def test_a_challenger_must_be_preferred_to_all_of_them() -> None:
    def compare(criterion: Criterion, first: Verdict, second: Verdict, sources: Sources) -> Preference:
        order = ["otherwise", "fine", "strong"]  # the challenger stands between the two best grounded
        places = [next(at for at, word in enumerate(order) if word in one.reason) for one in (first, second)]
        return "first" if places[0] > places[1] else "second"

    strong = verdict("unmet", "a strong point", "Burkina Faso")
    found = chosen(GROUNDED, strong, CARELESS, compare=compare)
    assert (found.verdict.status, found.swap_consistency) == ("unmet", 1)


def test_a_preference_that_turns_with_the_order_is_none() -> None:
    found = chosen(GROUNDED, CARELESS, CARELESS, compare=first_is_better)
    assert (found.verdict.status, found.swap_consistency) == ("unmet", 0)


def test_a_comparer_parts_the_equally_grounded() -> None:
    also = verdict("met", "telling", "Burkina Faso")
    assert chosen(GROUNDED, also, compare=preferring("telling")).verdict.status == "met"
    assert chosen(GROUNDED, also, compare=preferring("otherwise")).verdict.status == "unmet"
    assert chosen(GROUNDED, also, compare=preferring("nothing")).verdict.status == "unknown"


def test_analyses_that_agree_are_not_compared() -> None:
    def never(*_: Any) -> Preference:
        raise AssertionError("nothing to decide")

    assert chosen(GROUNDED, verdict("unmet"), compare=never).swap_consistency is None


@given(st.permutations([GROUNDED, CARELESS, verdict("met", "telling"), verdict("partial", "telling, too")]))
def test_the_order_of_the_analyses_decides_nothing(order: list[Verdict]) -> None:
    for compare in (None, preferring("telling"), preferring("otherwise"), first_is_better):
        straight = chosen(
            GROUNDED, CARELESS, verdict("met", "telling"), verdict("partial", "telling, too"), compare=compare
        )
        turned = chosen(*order, compare=compare)
        assert turned.verdict.status == straight.verdict.status
        assert turned.swap_consistency == straight.swap_consistency


# --- as a judge ------------------------------------------------------------------------------


class Sampled:
    """A judge whose analyses come one after the other from a list."""

    def __init__(self, *analyses: Verdict, name: str = "sampled") -> None:
        self.id = name
        self._analyses = iter(analyses)
        self._lock = threading.Lock()

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        with self._lock:
            found = next(self._analyses)
        return Ruling(
            tuple(found.model_copy(update={"criterion": criterion.id}) for criterion in criteria),
            Cost(calls=1),
        )

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        return self.judge(criteria, action, state)


def ask(judge: Judge, colour: str) -> Ruling:
    criteria = (CRITERION, CRITERION.model_copy(update={"id": "d"}))
    if colour == "sync":
        return judge.judge(criteria, ACTION, STATE)
    return asyncio.run(judge.ajudge(criteria, ACTION, STATE))


@asks
def test_samples_of_one_judge(colour: str) -> None:
    best = BestAnalysis([Sampled(CARELESS, GROUNDED, CARELESS)], samples=3)
    ruling = ask(best, colour)
    assert [(v.criterion, v.status, v.decided_by) for v in ruling.verdicts] == [
        ("c", "unmet", best.id),
        ("d", "unmet", best.id),
    ]
    assert ruling.cost.calls == 3


@asks
def test_a_broken_judge_is_no_analysis(colour: str) -> None:
    ruling = ask(BestAnalysis([Sampled(), Sampled(GROUNDED)], compare=first_is_better), colour)
    assert {(v.status, v.confidence) for v in ruling.verdicts} == {("unmet", 1)}
    down = ask(BestAnalysis([Sampled(), Sampled()]), colour)
    assert {(v.status, v.fault, v.cause) for v in down.verdicts} == {("unknown", "instrument", "bug")}


def test_a_selection_shows_what_was_chosen_from() -> None:
    selection = BestAnalysis([Sampled(GROUNDED), Sampled(CARELESS)]).select((CRITERION,), ACTION, STATE)
    assert [analysis.grounding for analysis in selection.choices[0].analyses] == [0.5, 0]
    assert selection.choices[0].majority is None


def test_settings_that_cannot_be() -> None:
    for judges, settings in (([], {}), ([Sampled()], {"samples": 0}), ([Sampled()], {"min_valid": 2})):
        with pytest.raises(ConfigError, match="analyses cannot hold"):
            BestAnalysis(judges, **settings)
    one = Sampled()
    assert BestAnalysis([one], samples=2).id != BestAnalysis([one], samples=3).id
    assert isinstance(BestAnalysis([one]), Judge)
