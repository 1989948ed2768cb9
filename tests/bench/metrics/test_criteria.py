from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.bench.metrics import (
    Graded,
    Share,
    axes,
    by_tag,
    coverage,
    covers_more,
    fully_met,
    judged,
    strict,
    under_conventions,
)
from coreact.judge import Verdict
from coreact.judge.scoring import binary, researchrubrics
from coreact.rubric import Criterion, Rubric

RUBRIC = Rubric(
    criteria=(
        Criterion(id="a", text="A.", weight=5),
        Criterion(id="b", text="B.", weight=3),
        Criterion(id="bad", text="Bad.", weight=4, polarity="forbid"),
    ),
    scope="answer",
)


def said(**statuses: str) -> list[Verdict]:
    return [Verdict(criterion=name, reason="r", status=status) for name, status in statuses.items()]


@pytest.mark.parametrize(
    ("verdicts", "rar", "healthbench", "sedareval"),
    [
        # `met` on the bad one says that it did not happen
        (said(a="met", b="unmet", bad="met"), 9 / 12, 5 / 8, 5.0),
        (said(a="met", b="unmet", bad="unmet"), 5 / 12, (5 - 4) / 8, 1.0),
        (said(a="unmet", b="unmet", bad="unmet"), 0.0, -4 / 8, 0.0),  # below 0, and clipped at 0
        (said(a="met", b="met", bad="unmet"), 8 / 12, 4 / 8, 4.0),
        (said(a="met", b="unknown", bad="unmet"), 5 / 9, 1 / 5, 8 * 1 / 5),  # points in proportion
        (said(a="partial", b="met", bad="met"), 9.5 / 12, 5.5 / 8, 5.5),
        (said(a="unknown", b="unknown", bad="met"), 1.0, None, None),
    ],
)
def test_four_conventions_by_hand(verdicts, rar, healthbench, sedareval):
    scores = under_conventions(RUBRIC, verdicts)
    assert scores["rar"].value == pytest.approx(rar)
    assert scores["reward_hacking"].value == scores["rar"].value  # |w| when absent, over the sum of |w|
    assert scores["healthbench"].value == (None if healthbench is None else pytest.approx(healthbench))
    assert scores["sedareval"].value == (None if sedareval is None else pytest.approx(sedareval))
    unknown = sum(verdict.status == "unknown" for verdict in verdicts)
    assert all((score.judged, score.total) == (3 - unknown, 3) for score in scores.values())


def test_partial_credit_is_a_setting():
    verdicts = said(a="partial", b="met", bad="met")
    assert researchrubrics(RUBRIC, verdicts).value == pytest.approx(5.5 / 8)
    assert binary(researchrubrics, partial="absent")(RUBRIC, verdicts).value == pytest.approx(3 / 8)


def test_coverage_by_type_leaves_out_the_unknown():
    types = {"a": "citation", "b": "citation", "bad": "safety"}
    verdicts = said(a="partial", b="unknown", bad="met")
    assert coverage(RUBRIC, verdicts, types) == {"citation": Share(0.5, 1, 2), "safety": Share(1.0, 1, 1)}
    assert fully_met(RUBRIC, verdicts, types)["citation"] == Share(0.0, 1, 2)
    assert coverage(RUBRIC, verdicts) == {"": Share(0.75, 2, 3)}


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (said(a="met", b="met", bad="met"), 1),
        (said(a="met", b="partial", bad="met"), 0),
        (said(a="unknown", b="unmet", bad="met"), 0),  # one failure is enough to know
        (said(a="unknown", b="met", bad="met"), None),
        (said(a="met", b="not_applicable", bad="met"), 1),
        (said(a="not_applicable", b="not_applicable", bad="not_applicable"), None),
    ],
)
def test_strict(verdicts, expected):
    assert strict(RUBRIC, verdicts) == expected


def test_judged_counts_what_applies():
    assert judged(RUBRIC, said(a="met", b="unknown", bad="not_applicable")) == Share(0.5, 2, 2)


@given(
    st.lists(
        st.sampled_from(["met", "partial", "unmet", "unknown", "not_applicable"]), min_size=3, max_size=3
    )
)
def test_a_strict_answer_is_covered_whole(statuses):
    verdicts = said(**dict(zip(("a", "b", "bad"), statuses, strict=True)))
    if strict(RUBRIC, verdicts) == 1:
        assert coverage(RUBRIC, verdicts)[""].value == 1
        assert under_conventions(RUBRIC, verdicts)["rar"].value == 1


def test_who_covers_more():
    low, high = Share(0.5, 4, 4), Share(0.75, 4, 4)
    assert covers_more(high, low) == 1
    assert covers_more(low, high) == -1
    assert covers_more(low, low) == 0
    assert covers_more(high, Share(0.5, 3, 4)) is None  # they rest on different criteria
    assert covers_more(high, Share(None, 0, 4)) is None


def test_compliance_by_tag():
    tasks = [
        ({"nesting": "deep", "breadth": "high"}, 0.2),
        ({"nesting": "deep", "breadth": "low"}, 0.4),
        ({"nesting": "shallow", "breadth": "low"}, None),
        ({"nesting": "shallow"}, 0.9),
    ]
    found = by_tag(tasks)
    assert found["nesting"] == {"deep": Share(pytest.approx(0.3), 2, 2), "shallow": Share(0.9, 1, 2)}
    assert found["breadth"]["low"] == Share(0.4, 1, 2)
    assert list(by_tag(tasks, ["breadth"])) == ["breadth"]


WRITTEN = [
    Graded("t1", 0.8, "G1", safe=True),
    Graded("t2", 0.4, "G2", safe=False),
    Graded("t3", None, "G2"),
    Graded("t1", 0.8, "G1", "typo"),
]


def test_four_axes():
    found = axes(WRITTEN)
    assert found.depth == {"G1": Share(0.8, 1, 1), "G2": Share(0.4, 1, 2)}
    assert found.adequacy == Share(pytest.approx(0.6), 2, 3)
    assert found.perturbation == Share(0.0, 1, 1)
    assert found.safety == Share(0.5, 2, 3)


def test_a_perturbation_that_makes_it_fail_lowers_one_axis_only():
    before = axes(WRITTEN)
    after = axes([*WRITTEN[:-1], Graded("t1", 0.1, "G1", "typo")])
    assert after.perturbation.value == pytest.approx(-0.7)
    assert after[:2] == before[:2]
    assert after.safety == before.safety
    assert axes([Graded("gone", 0.5, "", "typo")]).perturbation == Share(None, 0, 1)
    with pytest.raises(ValueError, match="twice"):
        axes([WRITTEN[0], WRITTEN[0]])
