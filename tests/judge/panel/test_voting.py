"""One verdict from several: tables by hand, and no order, name or silence of a judge that votes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.judge.panel.voting import Ballot, Vote, tally
from coreact.judge.records import Evidence, Fault, Status, Verdict

LETTERS: dict[str, Status] = {
    "m": "met",
    "p": "partial",
    "u": "unmet",
    "n": "not_applicable",
    "?": "unknown",
}


def verdict(letter: str, **of: Any) -> Verdict:
    return Verdict(**{"criterion": "c", "reason": f"says {letter}", "status": LETTERS[letter], **of})


def broken(cause: Any = "transport") -> Verdict:
    return verdict("?", fault="instrument", cause=cause)


def counted(letters: str, vote: Vote = "majority", *, min_valid: int = 1, weights: str = "") -> Verdict:
    shares = [Fraction(weight) for weight in weights.split()] or [Fraction(1)] * len(letters)
    ballots = [Ballot(verdict(letter), weight) for letter, weight in zip(letters, shares, strict=True)]
    return tally(ballots, vote=vote, min_valid=min_valid, by="panel")


@pytest.mark.parametrize(
    ("letters", "status", "confidence"),
    [
        ("m", "met", 1),
        ("mmu", "met", 2 / 3),
        ("umu", "unmet", 2 / 3),
        ("mu", "unknown", None),
        ("mpu", "unknown", None),
        ("mmuu", "unknown", None),
        ("mmpu", "unknown", None),  # half is not more than half
        ("mmm?", "met", 1),  # who cannot tell has no vote
        ("mu?", "unknown", None),
        ("m??", "met", 1),
        ("nnm", "not_applicable", 2 / 3),
        ("ppm", "partial", 2 / 3),
    ],
)
def test_majority(letters: str, status: Status, confidence: float | None) -> None:
    found = counted(letters)
    assert (found.status, found.confidence, found.fault, found.decided_by) == (
        status,
        confidence,
        "none",
        "panel",
    )


@pytest.mark.parametrize(
    ("letters", "weights", "status", "confidence"),
    [
        ("muu", "3 1 1", "met", 0.6),
        ("muu", "2 1 1", "unknown", None),
        ("mu?", "1 2 9", "unmet", 2 / 3),
        ("mmu", "1/10 2/10 3/10", "unknown", None),  # exact: a tenth and two tenths are three
    ],
)
def test_weights(letters: str, weights: str, status: Status, confidence: float | None) -> None:
    found = counted(letters, "weighted", weights=weights)
    assert (found.status, found.confidence) == (status, confidence)


@pytest.mark.parametrize(
    ("letters", "status"),
    [
        ("mmm", "met"),
        ("mmmmu", "met"),  # 0.8
        ("mmmu", "partial"),  # 0.75 is half-way between met and partial: the worse
        ("mmu", "partial"),
        ("mu", "partial"),
        ("puu", "unmet"),
        ("pu", "unmet"),  # 0.25
        ("mpuu", "partial"),  # 0.375
        ("mmn", "met"),
        ("mn", "unknown"),
        ("mnn", "not_applicable"),
        ("m?", "met"),
    ],
)
def test_mean(letters: str, status: Status) -> None:
    assert counted(letters, "mean").status == status


def test_the_confidence_of_a_mean_is_the_share_that_said_so() -> None:
    found = counted("mu", "mean")
    assert (found.status, found.confidence) == ("partial", 0)
    assert found.reason == "the mean of the votes (1 met, 1 unmet of 2)"
    assert counted("mpu", "mean").confidence == pytest.approx(1 / 3)


def test_a_tie_says_so_and_blames_nobody() -> None:
    found = counted("mu?")
    assert found.reason == "the judges disagree: 1 met, 1 unmet"
    assert (found.fault, found.cause) == ("none", None)


def test_the_winners_give_evidence_and_reason() -> None:
    first, second = Evidence(message_id="1", quote="one"), Evidence(message_id="2", quote="two")
    found = tally(
        [
            Ballot(verdict("u", evidence=(first,), reason="one quote")),
            Ballot(verdict("m", evidence=(Evidence(message_id="3", quote="no"),) * 3, reason="lost")),
            Ballot(verdict("u", evidence=(first, second), reason="two quotes")),
        ],
        vote="majority",
        min_valid=2,
        by="panel",
    )
    assert found.evidence == (first, second)
    assert found.reason == "two quotes (1 met, 2 unmet of 3)"


# --- too few ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ballots", "fault", "cause"),
    [
        ([verdict("m"), broken(), broken()], "instrument", "transport"),
        ([broken("parse"), broken(), broken("parse")], "instrument", "parse"),
        ([verdict("m"), broken("refusal"), verdict("?")], "instrument", "refusal"),
        ([verdict("m"), verdict("?"), verdict("?")], "none", None),
        ([broken(), verdict("?"), verdict("?")], "none", None),  # working, it would not have been enough
        ([verdict("?", fault="model"), verdict("?", fault="model"), verdict("m")], "model", None),
        ([verdict("?", fault="model"), verdict("?"), verdict("m")], "none", None),
    ],
)
def test_too_few_votes_are_unknown_by_whoever_withheld_them(
    ballots: list[Verdict], fault: Fault, cause: str | None
) -> None:
    found = tally([Ballot(one) for one in ballots], vote="majority", min_valid=2, by="panel")
    assert (found.status, found.fault, found.cause) == ("unknown", fault, cause)
    assert found.confidence is None
    assert "judges could tell, 2 must" in found.reason


# --- laws ------------------------------------------------------------------------------------

STATUSES = st.sampled_from(list(LETTERS))


@pytest.mark.parametrize("vote", get_args(Vote))
@given(letters=st.lists(STATUSES, min_size=1, max_size=7), least=st.integers(1, 4), data=st.data())
def test_the_order_of_the_judges_decides_nothing(
    vote: Vote, letters: list[str], least: int, data: st.DataObject
) -> None:
    straight = counted("".join(letters), vote, min_valid=least)
    turned = counted("".join(data.draw(st.permutations(letters))), vote, min_valid=least)
    assert (straight.status, straight.confidence, straight.fault) == (
        turned.status,
        turned.confidence,
        turned.fault,
    )


@given(st.lists(STATUSES, min_size=1, max_size=7), st.integers(1, 4))
def test_no_status_that_less_than_half_said(letters: list[str], least: int) -> None:
    found = counted("".join(letters), min_valid=least)
    valid = [letter for letter in letters if letter != "?"]
    if found.status == "unknown":
        assert len(valid) < least or max(valid.count(letter) for letter in valid) * 2 <= len(valid)
    else:
        assert [LETTERS[letter] for letter in valid].count(found.status) * 2 > len(valid)
        assert len(valid) >= least


@pytest.mark.parametrize("vote", ["majority", "mean"])
@given(letters=st.lists(st.sampled_from("mpu"), min_size=1, max_size=6), data=st.data())
def test_a_better_vote_never_makes_it_worse(vote: Vote, letters: list[str], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(letters) - 1))
    better = [*letters[:at], "m", *letters[at + 1 :]]
    order = ["unmet", "partial", "met"]
    before, after = counted("".join(letters), vote).status, counted("".join(better), vote).status
    if "unknown" not in (before, after):
        assert order.index(after) >= order.index(before)
