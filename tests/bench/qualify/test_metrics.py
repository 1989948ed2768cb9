"""Figures equal scikit-learn's and SciPy's; what is undecided counts as each measure says."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from coreact.bench.qualify import metrics
from coreact.bench.qualify.cases import JudgeCase, Label
from coreact.bench.qualify.metrics import (
    LABELS,
    Item,
    agreement,
    broken_down,
    measured,
    paired,
    rate,
)
from coreact.judge.records import Cause, Status, Verdict
from coreact.rubric import Action, Criterion

MakeCases = Callable[..., tuple[JudgeCase, ...]]
SAID = ("met", "partial", "unmet", "not_applicable", "unknown")
TABLES = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(SAID)), min_size=1, max_size=30)


def item(
    at: int,
    label: Label,
    status: Status,
    *,
    group: str = "",
    stratum: str | None = None,
    cause: Cause | None = None,
) -> Item:
    case = JudgeCase(
        id=f"c{at}",
        dataset="d",
        question="?",
        action=Action(answer="x"),
        criteria=(Criterion(id="a", text="T."),),
        labels={"a": label},
        group=group,
        stratum=stratum,
    )
    verdict = Verdict(
        criterion="a", reason="", status=status, cause=cause, fault="instrument" if cause else "none"
    )
    return Item(case, "a", label, verdict)


def items(pairs: Sequence[tuple[Label, Status]]) -> list[Item]:
    return [item(at, label, status) for at, (label, status) in enumerate(pairs)]


@given(TABLES)
@settings(max_examples=25)
def test_figures_equal_the_libraries(pairs: list[tuple[str, str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "RESAMPLES", 40)  # the values are compared, not the intervals
        found = agreement(items(pairs))  # type: ignore[arg-type]
    truth, said = map(list, zip(*pairs, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries warn of constant input
        present = sorted(set(truth))
        expected = f1_score(truth, said, labels=present, average="macro", zero_division=0)
        assert found.macro_f1.value == pytest.approx(expected)
        assert found.accuracy_all.value == pytest.approx(accuracy_score(truth, said))
        decided = [(one, two) for one, two in pairs if two != "unknown"]
        if decided:
            assert found.accuracy is not None
            assert found.accuracy.value == pytest.approx(accuracy_score(*zip(*decided, strict=True)))
            kappa = cohen_kappa_score(*zip(*decided, strict=True), labels=LABELS)
            assert (found.kappa is None) == bool(np.isnan(kappa))
            assert found.kappa is None or found.kappa.value == pytest.approx(kappa)
        worth = {"met": 1.0, "partial": 0.5, "unmet": 0.0}
        both = [(worth[one], worth[two]) for one, two in pairs if one in worth and two in worth]
        rank = spearmanr(*zip(*both, strict=True)).statistic if len(both) > 1 else np.nan
        assert (found.spearman is None) == bool(np.isnan(rank))
        assert found.spearman is None or found.spearman.value == pytest.approx(rank)
        constants = [
            f1_score(truth, [label] * len(truth), labels=present, average="macro", zero_division=0)
            for label in present
        ]
        assert found.constant_f1 == pytest.approx(max(constants))
    for measure in (found.coverage, found.accuracy, found.accuracy_all, found.macro_f1, found.kappa):
        assert measure is None or measure.low <= measure.value <= measure.high


def test_undecided_items_are_counted_apart_and_as_each_measure_says() -> None:
    found = agreement(
        [
            *items([("met", "met")] * 6 + [("unmet", "met")] * 2 + [("met", "unknown")]),
            item(20, "met", "unknown", cause="parse"),
        ]
    )
    assert (found.items, found.undecided) == (10, {"none": 1, "parse": 1})
    assert found.coverage.value == 0.8
    assert found.accuracy is not None
    assert found.accuracy.value == 0.75
    assert found.accuracy_all.value == 0.6
    assert found.confusion == {
        "met": {"met": 6, "partial": 0, "unmet": 0, "not_applicable": 0, "unknown": 2},
        "unmet": {"met": 2, "partial": 0, "unmet": 0, "not_applicable": 0, "unknown": 0},
    }
    # F1 of met: 2 * 6 / (8 labelled + 8 said); of unmet: 0.
    assert found.macro_f1.value == pytest.approx(0.75 / 2)
    assert found.false_met is not None
    assert found.false_met.value == 1.0
    assert found.precision is not None
    assert found.precision.value == 0.75
    assert (found.constant, found.constant_accuracy) == ("met", 0.8)


def test_a_judge_that_decides_nothing() -> None:
    found = agreement(items([("met", "unknown"), ("unmet", "unknown")]))
    assert found.coverage.value == found.macro_f1.value == found.accuracy_all.value == 0
    assert found.accuracy is found.kappa is found.spearman is found.precision is None
    with pytest.raises(ValueError, match="at least one"):
        agreement([])


def test_scores_are_ranked_as_they_are_and_matched_by_status() -> None:
    found = agreement(items([(0.1, "unmet"), (0.4, "partial"), (0.6, "partial"), (0.9, "met")]))
    assert found.accuracy_all.value == 1.0
    assert found.spearman is not None
    assert found.spearman.value == pytest.approx(spearmanr([0.1, 0.4, 0.6, 0.9], [0, 0.5, 0.5, 1]).statistic)


# --- intervals ---------------------------------------------------------------------------------


def test_nothing_or_everything_hit_is_no_certainty() -> None:
    found = rate(items([("met", "met")] * 50), [False] * 50)
    assert (found.value, found.low, found.n) == (0.0, 0.0, 50)
    assert found.high == pytest.approx(0.0713, abs=0.001)  # Wilson's bound for none of 50
    assert rate(items([("met", "met")] * 50), [True] * 50).low == pytest.approx(1 - found.high)
    with pytest.raises(ValueError, match="at least one"):
        rate([], [])


def test_items_of_one_question_are_not_independent() -> None:
    hits = [at // 20 % 2 == 0 for at in range(200)]  # ten questions, all hit or none
    alone = rate([item(at, "met", "met") for at in range(200)], hits)
    together = rate([item(at, "met", "met", group=f"g{at // 20}") for at in range(200)], hits)
    assert alone.value == together.value == 0.5
    assert alone.high - alone.low == pytest.approx(0.14, abs=0.01)
    assert together.high - together.low > 0.5


def test_about_95_percent_of_intervals_cover_the_truth() -> None:
    draw = np.random.default_rng(0)
    cases = [item(at, "met", "met", group=f"g{at // 4}") for at in range(120)]
    covered = 0
    for _ in range(60):
        by_group = draw.normal(size=30)
        values = np.repeat(by_group, 4) + draw.normal(scale=0.3, size=120)
        found = measured(cases, lambda rows, values=values: float(values[rows].mean()))  # type: ignore[misc]
        assert found is not None
        covered += found.low <= 0 <= found.high
    assert 0.85 <= covered / 60 <= 1.0


def test_intervals_repeat_and_an_undefined_statistic_has_none() -> None:
    some = items([("met", "met"), ("unmet", "met"), ("met", "unmet")])
    assert agreement(some) == agreement(some)
    assert measured(some, lambda rows: np.nan) is None
    assert measured([], lambda rows: 1.0) is None


# --- broken down -------------------------------------------------------------------------------


def test_a_judge_that_accepts_what_is_wrong_shows_on_the_hard_stratum() -> None:
    easy = [item(at, "met" if at % 10 else "unmet", "met", stratum="easy") for at in range(100)]
    hard = [item(at, "unmet" if at % 20 else "met", "met", stratum="hard") for at in range(100, 200)]
    rows = {row.name: row for row in broken_down([*easy, *hard])}
    assert set(rows) == {"stratum easy", "stratum hard"}
    assert rows["stratum easy"].precision is not None
    assert rows["stratum easy"].precision.value == 0.9
    assert rows["stratum hard"].precision is not None
    assert rows["stratum hard"].precision.value < 0.1
    assert rows["stratum hard"].accuracy_all.value == 0.05


def test_criteria_that_all_cases_share_are_told_apart(make_cases: MakeCases) -> None:
    pairs = [
        pair
        for case in make_cases(10)
        for pair in paired(case, [Verdict(criterion=c, reason="", status="met") for c in ("a", "b")])
    ]
    assert [(row.name, row.items) for row in broken_down(pairs)] == [("criterion a", 10), ("criterion b", 10)]
    assert broken_down(items([("met", "met")])) == ()
