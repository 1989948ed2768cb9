"""Audit arithmetic: the exploitation rate against its formula, gaps, and what is left out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.judge import Judgement, Status, Verdict
from coreact.rubric import Criterion, Rubric
from coreact.train.monitor import Credit, Scored, audit, credits_of, exploitation

STATUSES: tuple[Status, ...] = ("met", "partial", "unmet", "not_applicable", "unknown")


def credit(weight: float, before: Status, now: Status, *panel: Status) -> Credit:
    return Credit(criterion="c", weight=weight, before=before, now=now, panel=panel)


def test_golden() -> None:
    found = exploitation(
        [
            credit(3, "unmet", "met", "unmet", "unmet", "partial"),  # all reject: counts in full
            credit(1, "unmet", "met", "unmet", "met", "unmet"),  # one accepts
            credit(9, "met", "met", "unmet", "unmet", "unmet"),  # not new
            credit(9, "unmet", "unmet", "unmet", "unmet", "unmet"),  # not credited
            credit(9, "unknown", "met", "unmet", "unmet", "unmet"),  # nothing to compare with
            credit(9, "unmet", "met", "unmet", "unknown", "unmet"),  # the second might have accepted
            credit(9, "unmet", "met"),  # there is no panel
            credit(1, "partial", "met", "unknown", "met"),  # one accepts, whatever the other thinks
        ]
    )
    assert found.model_dump() == {"rate": 0.6, "credited": 3, "rejected": 1, "undecided": 2}
    assert exploitation([]).rate is None


@given(
    st.lists(
        st.builds(
            Credit,
            criterion=st.just("c"),
            weight=st.floats(0.1, 10),
            before=st.sampled_from(STATUSES[:3]),
            now=st.sampled_from(STATUSES[:3]),
            panel=st.lists(st.sampled_from(STATUSES[:3]), min_size=3, max_size=3).map(tuple),
        )
    )
)
def test_it_is_the_formula_of_the_paper_where_everybody_rules(items: list[Credit]) -> None:
    new = [(c.weight, c.panel) for c in items if c.now == "met" and c.before != "met"]
    total = math.fsum(w for w, _ in new)
    rejected = math.fsum(w for w, panel in new if "met" not in panel)
    assert exploitation(items).rate == (pytest.approx(rejected / total) if new else None)


def judgement(**statuses: Status) -> Judgement:
    verdicts = tuple(Verdict(criterion=name, reason="r", status=status) for name, status in statuses.items())
    return Judgement(rubric="lock", verdicts=verdicts, score=None, passed=None, judged=0, total=0)


def test_credits_come_from_judgements_under_one_rubric() -> None:
    rubric = Rubric(criteria=(Criterion(id="a", text="A", weight=3), Criterion(id="b", text="B", weight=1)))
    found = credits_of(
        rubric,
        before=judgement(a="unmet", b="met"),
        now=judgement(a="met", b="met"),
        panel=[judgement(a="unmet"), judgement(a="partial", b="met")],
    )
    assert [(c.criterion, c.weight, c.before, c.now, c.panel) for c in found] == [
        ("a", 0.75, "unmet", "met", ("unmet", "partial")),
        ("b", 0.25, "met", "met", ("unknown", "met")),
    ]
    assert exploitation(found).rate == 1.0


def test_gaps_say_whether_the_verifier_or_the_rubric_is_fooled() -> None:
    verifier = audit(
        [Scored(item=str(at), proxy=0.9, panel=(0.3, 0.2, None), referee=0.25) for at in range(3)]
    )
    assert verifier.verifier_gap == pytest.approx(0.65)
    assert verifier.rubric_gap == pytest.approx(0.0)
    assert verifier.disagreements == ()
    rubric = audit([Scored(item=str(at), proxy=0.9, panel=(0.9, 0.8), referee=0.1 * at) for at in range(3)])
    assert rubric.verifier_gap == pytest.approx(0.05)
    assert rubric.rubric_gap == pytest.approx(0.75)
    assert [one.item for one in rubric.disagreements] == ["0", "1", "2"]


def test_what_was_not_scored_is_left_out() -> None:
    found = audit([Scored(item="a", proxy=None, panel=(None,), referee=None), Scored(item="b", proxy=0.5)])
    assert (found.items, found.proxy, found.panel, found.referee) == (2, 0.5, None, None)
    assert (found.verifier_gap, found.rubric_gap) == (None, None)
    # Without a panel the training judge is what the referee is compared with.
    assert audit([Scored(item="c", proxy=1.0, referee=0.0)]).disagreements[0].rubric == 1.0
    with pytest.raises(ValueError, match="margin"):
        audit([], margin=0)
