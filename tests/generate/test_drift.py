"""The drift gate: every domain must hold its own, whatever the average says."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.errors import GraphInterrupt
from pydantic import ValidationError

from coreact.errors import ConfigError, MissingExtraError
from coreact.generate.anchors import AnchorPair
from coreact.generate.drift import FEWEST_ANCHORS, DriftReport, acompare, compare
from coreact.judge import Cost, Status
from coreact.rubric import (
    Action,
    ArgumentContains,
    Criterion,
    Observation,
    Rubric,
    State,
    Step,
    Stops,
    ToolCall,
    ToolContract,
    ToolIs,
)
from coreact.rubric.branching import BranchingPoint, Candidate
from coreact.testing import ScriptedJudge

SEARCH = ToolContract(
    name="search", parameters={"properties": {"q": {"type": "string"}}, "required": ["q"]}, role="search"
)
STATE = State.start("Which river?", tools=(SEARCH,))


def says(*terms: str) -> Rubric:
    """A rubric that wants all of these words in the query."""
    return Rubric(
        criteria=tuple(
            Criterion(id=f"c{at}", text=f"Ask for {term}.", check=ArgumentContains(terms=(term,)))
            for at, term in enumerate(terms)
        )
    )


def pair(domain: str, better: str, worse: str, group: str = "") -> AnchorPair:
    return AnchorPair(domain=domain, state=STATE, better=act(q=better), worse=act(q=worse), group=group)


def act(**arguments: Any) -> Action:
    return Action(call=ToolCall(name="search", arguments=arguments))


def many(domain: str, better: str, worse: str, n: int = 40) -> list[AnchorPair]:
    return [pair(domain, f"{better} {at}", f"{worse} {at}") for at in range(n)]


OLD = says("good")
ANCHORS = [*many("law", "good", "bad"), *many("medicine", "good", "bad")]


def test_an_edit_that_changes_nothing_is_accepted() -> None:
    report = compare(OLD, OLD, ANCHORS)
    assert report.accepted
    assert not report.fallen
    assert [(one.domain, one.old, one.new, one.low, one.high) for one in report.domains] == [
        ("law", 1, 1, 0, 0),
        ("medicine", 1, 1, 0, 0),
    ]
    assert report.pooled == pytest.approx((1, 1))
    assert (report.old, report.new) == (OLD.lock, OLD.lock)


def test_an_edit_that_holds_the_average_and_turns_one_domain_over_is_refused_by_name() -> None:
    # "law" was blind before and sees now; "medicine" saw before and is turned over.
    anchors = [*many("law", "fair", "foul", n=80), *many("medicine", "good", "fair", n=40)]
    old, new = says("good"), says("fair")
    report = compare(old, new, anchors)
    by = {one.domain: one for one in report.domains}
    assert (by["law"].old, by["law"].new) == (0.5, 1)
    assert (by["medicine"].old, by["medicine"].new) == (1, 0)
    assert report.pooled == pytest.approx((2 / 3, 2 / 3))
    assert report.fallen == ("medicine",)
    assert not report.accepted
    assert "1.000" in by["medicine"].reason


def test_one_flip_is_refused_without_a_margin_and_passes_with_one() -> None:
    lost = pair("law", "good", "fair")  # of 100, one turns over
    anchors = [*many("law", "good fair", "bad", n=99), lost]
    new = says("fair")
    report = compare(OLD, new, anchors)
    assert report.fallen == ("law",)
    (law,) = report.domains
    assert (law.old, law.new) == (1, 0.99)
    assert law.low < 0 <= law.high
    assert compare(OLD, new, anchors, margin=0.05).accepted
    assert not compare(OLD, new, anchors, margin=0.005).accepted


def test_gains_do_not_make_up_for_losses_that_the_interval_cannot_exclude() -> None:
    anchors = [*many("law", "fair", "good", n=20), *many("law", "good", "fair", n=20)]
    report = compare(OLD, says("fair"), anchors)
    (law,) = report.domains
    assert law.old == law.new == 0.5
    assert law.low < 0 < law.high
    assert not report.accepted


def test_a_domain_with_too_few_anchors_is_untested_and_not_accepted() -> None:
    anchors = [*many("law", "good", "bad"), *many("medicine", "good", "bad", n=FEWEST_ANCHORS - 1)]
    report = compare(OLD, OLD, anchors)
    assert report.fallen == ("medicine",)
    assert report.domains[1].reason.startswith("too few anchors")
    assert compare(OLD, OLD, [*anchors, pair("medicine", "good", "bad")]).accepted
    # The edit gets better there, and is still untested.
    assert compare(says("x"), OLD, anchors).fallen == ("medicine",)


def test_without_anchors_nothing_was_tested() -> None:
    report = compare(OLD, OLD, [])
    assert not report.accepted
    assert report.domains == ()
    assert report.pooled is None


def test_pairs_of_one_group_count_once_and_are_drawn_together() -> None:
    one_group = [pair("law", f"good {at}", f"bad {at}", group="q1") for at in range(100)]
    report = compare(OLD, OLD, one_group)
    assert report.domains[0].groups == 1
    assert not report.accepted
    # 10 groups of 10 pairs turn as wholes: the interval is wider than that of 100 pairs.
    turned = [
        pair("law", "good" if at % 10 < 2 else "good fair", "fair" if at % 10 < 2 else "bad")
        for at in range(100)
    ]
    grouped = [one.model_copy(update={"group": f"q{at % 10}"}) for at, one in enumerate(turned)]
    alone = compare(OLD, says("fair"), turned).domains[0]
    together = compare(OLD, says("fair"), grouped).domains[0]
    assert alone.new == together.new == 0.8
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_a_branching_point_is_every_two_candidates_that_differ_in_gain() -> None:
    points = [
        BranchingPoint(
            id=f"p{at}",
            question_id=f"q{at}",
            world="atlas",
            state=STATE,
            candidates=(
                Candidate(action=act(q="bad"), gain=0),
                Candidate(action=act(q=f"good {at}"), gain=1),
                Candidate(action=act(q="so"), gain=0),
            ),
        )
        for at in range(FEWEST_ANCHORS)
    ]
    report = compare(OLD, OLD, points)
    (atlas,) = report.domains
    assert (atlas.domain, atlas.pairs, atlas.groups) == ("atlas", 2 * FEWEST_ANCHORS, FEWEST_ANCHORS)
    assert atlas.old == 1
    assert report.accepted
    assert compare(OLD, says("bad"), points).domains[0].new == 0.25  # one pair wrong, one a tie
    flat = points[0].model_copy(
        update={"candidates": tuple(Candidate(action=act(q=q), gain=1) for q in ("a", "b"))}
    )
    assert compare(OLD, OLD, [flat]).domains[0].pairs == 0
    assert not compare(OLD, OLD, [flat]).accepted


# --- with a judge ------------------------------------------------------------------------------

PROSE = Rubric(criteria=(Criterion(id="p", text="It is good."),))


def likes_good(criterion: Criterion, action: Action) -> Status:
    return "met" if "good" in str(action) else "unmet"


def test_what_nobody_can_judge_is_a_tie_and_no_anchor() -> None:
    report = compare(OLD, PROSE, ANCHORS)
    assert not report.accepted
    assert [(one.new, one.unjudged, one.groups) for one in report.domains] == [(0.5, 40, 0)] * 2
    same = compare(PROSE, PROSE, ANCHORS)
    assert not same.accepted
    assert "could not be judged" in same.domains[0].reason


def test_a_judge_decides_what_code_cannot_in_both_forms() -> None:
    report = compare(OLD, PROSE, ANCHORS, judge=ScriptedJudge(likes_good))
    assert report.accepted
    assert report.cost.calls == 2 * len(ANCHORS)  # the old rubric asks nobody
    twin = asyncio.run(acompare(OLD, PROSE, ANCHORS, judge=ScriptedJudge(likes_good)))
    assert twin.domains == report.domains
    assert twin.cost.calls == report.cost.calls
    assert asyncio.run(acompare(OLD, says("fair"), ANCHORS)) == compare(OLD, says("fair"), ANCHORS)
    assert asyncio.run(acompare(PROSE, PROSE, ANCHORS)) == compare(PROSE, PROSE, ANCHORS)


def test_control_flow_passes_through() -> None:
    stop = ScriptedJudge(GraphInterrupt())
    with pytest.raises(GraphInterrupt):
        compare(OLD, PROSE, ANCHORS, judge=stop)
    with pytest.raises(GraphInterrupt):
        asyncio.run(acompare(OLD, PROSE, ANCHORS, judge=stop))


# --- laws --------------------------------------------------------------------------------------

_WORDS = st.sampled_from(["good", "fair", "bad", "good fair"])


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from("ab"), _WORDS, _WORDS), max_size=60), st.floats(0, 0.5))
def test_accuracies_are_shares_and_acceptance_is_what_the_domains_say(
    drawn: list[tuple[str, str, str]], margin: float
) -> None:
    anchors = [
        pair(domain, f"{better} {at}", f"{worse} x{at}") for at, (domain, better, worse) in enumerate(drawn)
    ]
    report = compare(OLD, says("fair"), anchors, margin=margin)
    for one in report.domains:
        assert 0 <= one.old <= 1
        assert 0 <= one.new <= 1
        assert one.low - 1e-9 <= one.new - one.old <= one.high + 1e-9
        assert one.accepted is (one.low >= -margin - 1e-9 and one.groups >= FEWEST_ANCHORS)
    assert report.accepted is (bool(report.domains) and all(one.accepted for one in report.domains))
    assert compare(OLD, says("fair"), anchors, margin=margin) == report
    shuffled = compare(OLD, says("fair"), list(reversed(anchors)), margin=margin)
    assert [one.old for one in shuffled.domains] == pytest.approx([one.old for one in report.domains])
    assert DriftReport.model_validate_json(report.model_dump_json()) == report


def test_the_margin_is_checked_and_numpy_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for margin in (-0.1, 1.0, float("nan")):
        with pytest.raises(ConfigError, match="margin"):
            compare(OLD, OLD, ANCHORS, margin=margin)
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(MissingExtraError) as missing:
        compare(OLD, OLD, ANCHORS)
    assert missing.value.extra == "judge"


# --- anchors as data ---------------------------------------------------------------------------


def test_a_state_written_by_hand_knows_what_its_steps_say() -> None:
    written = AnchorPair.model_validate(
        {
            "domain": "law",
            "state": {
                "question": "Which river?",
                "tools": [SEARCH.model_dump()],
                "steps": [
                    {
                        "call": {"name": "search", "arguments": {"q": "river"}},
                        "observation": {"text": "See https://a.test/x: the river."},
                    }
                ],
                "limit": 4,
            },
            "better": {"call": {"name": "search", "arguments": {"q": "mouth"}}},
            "worse": "I do not know.",
        }
    )
    step = Step(
        call=ToolCall(name="search", arguments={"q": "river"}),
        observation=Observation(text="See https://a.test/x: the river."),
    )
    assert written.state == State.start("Which river?", tools=(SEARCH,), limit=4).after(step)
    assert written.state.queries == ("river",)
    assert written.worse == Action(answer="I do not know.")


def test_a_stored_anchor_comes_back_and_cannot_claim_what_it_did_not_see() -> None:
    step = Step(call=ToolCall(name="search", arguments={"q": "river"}), observation=Observation(text="river"))
    state = State.start("Which river?", tools=(SEARCH,), limit=4).after(step, step)  # one decision
    stored = AnchorPair(domain="law", state=state, better=act(q="a"), worse=Action(answer="b"), group="g")
    assert AnchorPair.model_validate_json(stored.model_dump_json()) == stored
    lying = stored.model_dump(mode="json")
    lying["state"] |= {"urls_seen": ["https://evil.test"], "digest": "x"}
    assert AnchorPair.model_validate(lying) == stored


@pytest.mark.parametrize(
    "change",
    [
        {"domain": ""},
        {"better": {}},
        {"better": 3},
        {"state": {"quesion": "x"}},
        {"state": {"question": "x", "stepz": []}},
        {"state": {"question": "x", "limit": 0}},
        {"state": []},
        {"other": 1},
    ],
)
def test_a_broken_anchor_is_refused(change: dict[str, Any]) -> None:
    whole = {"domain": "law", "state": {"question": "x"}, "better": "a", "worse": "b"}
    AnchorPair.model_validate(whole)
    with pytest.raises(ValidationError):
        AnchorPair.model_validate(whole | change)


def test_answers_and_calls_can_be_compared() -> None:
    anchor = AnchorPair(domain="law", state=STATE, better=Action(answer="Yes."), worse=act(q="x"))
    stop = Rubric(criteria=(Criterion(id="s", text="Answer.", check=Stops()),))
    go = Rubric(criteria=(Criterion(id="s", text="Search.", check=ToolIs(tools=("search",))),))
    (domain,) = compare(stop, go, [anchor] * FEWEST_ANCHORS).domains
    assert (domain.old, domain.new) == (1, 0)
    assert compare(stop, stop, [anchor]).cost == Cost()
