"""Score and pass are arithmetic on verdicts: golden numbers, and laws that hold for every rubric."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from coreact.judge import Cost, Judgement, Status, Verdict, judgement
from coreact.rubric import Criterion, Rubric

LETTERS: dict[str, Status] = {
    "m": "met",
    "p": "partial",
    "u": "unmet",
    "n": "not_applicable",
    "?": "unknown",
}


def rubric_of(*weights: float, threshold: float = 0.6, **of: dict[str, Any]) -> Rubric:
    """Criteria c0, c1, … with these weights; `c1={"veto": True}` sets more fields of one."""
    return Rubric(
        criteria=tuple(
            Criterion(id=f"c{n}", text=f"criterion {n}", weight=weight, **of.get(f"c{n}", {}))
            for n, weight in enumerate(weights)
        ),
        threshold=threshold,
    )


def judged(rubric: Rubric, letters: str) -> Judgement:
    return judgement(
        rubric,
        [
            Verdict(criterion=criterion.id, reason="r", status=LETTERS[letter])
            for criterion, letter in zip(rubric, letters, strict=True)
        ],
    )


@pytest.mark.parametrize(
    ("weights", "letters", "score", "passed"),
    [
        ((1,), "m", 1.0, True),
        ((1,), "u", 0.0, False),
        ((1,), "p", 0.5, False),
        ((1,), "n", None, None),
        ((1,), "?", None, None),
        ((1, 1), "n?", None, None),
        ((0.3, 0.3, 0.4), "mmu", 0.6, True),
        ((0.1, 0.2, 0.3, 0.4), "mmmu", 0.6, True),
        ((0.3, 0.3, 0.4), "uum", 0.4, False),
        ((3, 1), "mu", 0.75, True),
        ((3, 1), "pm", 0.625, True),
        ((3, 1), "pp", 0.5, False),
        ((3, 1), "mn", 1.0, True),
        ((1, 3), "un", 0.0, False),
        ((6, 4), "m?", 1.0, True),
        ((5.9, 4.1), "m?", 1.0, None),
        ((4, 6), "u?", 0.0, None),
        ((4.1, 5.9), "u?", 0.0, False),
        ((2, 2, 6), "mu?", 0.5, None),
        ((1e308, 1e308, 1e308), "mmu", 0.666666666667, True),
        ((5e-324, 5e-324), "pm", 0.75, True),
        ((1e308, 5e-324), "um", 0.0, False),
        ((1e308, 5e-324), "?m", 1.0, None),
        ((1, 1, 1), "mmu", 0.666666666667, True),
    ],
)
def test_golden_numbers(
    weights: tuple[float, ...], letters: str, score: float | None, passed: bool | None
) -> None:
    found = judged(rubric_of(*weights), letters)
    assert (found.score, found.passed) == (score, passed)


@pytest.mark.parametrize(
    ("threshold", "letters", "passed"),
    [
        (0, "uu", True),
        (0, "u?", True),
        (0, "??", None),
        (1, "mm", True),
        (1, "mp", False),
        (1, "m?", None),
        (1, "mn", True),
    ],
)
def test_thresholds_at_the_ends(threshold: float, letters: str, passed: bool | None) -> None:
    assert judged(rubric_of(1, 1, threshold=threshold), letters).passed is passed


@pytest.mark.parametrize(
    ("letters", "passed"),
    [
        ("mm", True),
        ("um", False),
        ("pm", True),
        ("nm", True),
        ("?m", None),
        ("u?", False),
        ("?u", False),
    ],
)
def test_a_veto_fails_the_step_whatever_the_score(letters: str, passed: bool | None) -> None:
    assert judged(rubric_of(1, 9, c0={"veto": True}), letters).passed is passed


def test_counts_and_order_and_lock() -> None:
    rubric = rubric_of(1, 1, 1, 1, 1)
    verdicts = [Verdict(criterion=f"c{n}", reason="", status=LETTERS[s]) for n, s in enumerate("mpu?n")]
    cost = Cost(calls=1, usd=0.5)
    found = judgement(rubric, verdicts[::-1], cost=cost)
    assert (found.judged, found.total) == (3, 4)
    assert [verdict.criterion for verdict in found.verdicts] == [c.id for c in rubric]
    assert found.rubric == rubric.lock
    assert found.cost == cost
    assert judged(rubric, "mpu?n").cost == Cost()
    assert [verdict.criterion for verdict in found.met] == ["c0"]
    assert [verdict.criterion for verdict in found.unmet] == ["c1", "c2"]


@pytest.mark.parametrize(
    "ids", [[], ["c0"], ["c0", "c0"], ["c0", "c1", "c1"], ["c0", "c2"], ["c0", "c1", "c2"]]
)
def test_missing_surplus_and_double_verdicts_are_errors(ids: list[str]) -> None:
    with pytest.raises(ValueError, match="exactly one verdict"):
        judgement(rubric_of(1, 1), [Verdict(criterion=name, reason="", status="met") for name in ids])


# --- dependencies ----------------------------------------------------------------------------

CHAIN = {"c1": {"depends_on": ("c0",)}, "c2": {"depends_on": ("c1",)}}


@pytest.mark.parametrize(
    ("letters", "settled", "score", "passed"),
    [
        ("mmu", "mmu", 0.666666666667, True),
        ("umm", "unn", 0.0, False),
        ("pmm", "pnn", 0.5, False),
        ("nmm", "nnn", None, None),
        ("mum", "mun", 0.5, False),
        ("u??", "unn", 0.0, False),
        ("m?m", "m?m", 1.0, None),
        ("?mm", "?mm", 1.0, None),
        ("?uu", "?un", 0.0, None),  # None, not False: the bounds do not look at c0 and c1 together
        ("unu", "unn", 0.0, False),
    ],
)
def test_a_criterion_applies_only_when_those_it_depends_on_are_met(
    letters: str, settled: str, score: float | None, passed: bool | None
) -> None:
    found = judged(rubric_of(1, 1, 1, **CHAIN), letters)
    assert "".join(next(k for k, s in LETTERS.items() if s == v.status) for v in found.verdicts) == settled
    assert found.score == score
    assert found.passed is passed


def test_a_verdict_that_falls_away_says_why_and_blames_nobody() -> None:
    rubric = rubric_of(1, 1, **CHAIN)
    broken = Verdict(criterion="c1", reason="no reply", status="unknown", fault="instrument", decided_by="j")
    found = judgement(rubric, [Verdict(criterion="c0", reason="r", status="unmet"), broken])
    assert found.verdicts[1].reason == "it applies only when c0 holds"
    assert (found.verdicts[1].status, found.verdicts[1].fault) == ("not_applicable", "none")
    assert (found.judged, found.total) == (1, 1)
    assert found.passed is False


def test_an_unknown_can_take_a_dependent_away() -> None:
    rubric = rubric_of(1, 3, 1, c1={"depends_on": ("c0",)})
    assert judged(rubric, "?mu").passed is None  # met: 4/5 passes; unmet: c1 falls away, 0/2 fails
    rubric = rubric_of(1, 5, 5, c1={"depends_on": ("c0",)})
    assert judged(rubric, "?um").passed is None  # met: 6/11 fails; unmet: c1 falls away, 5/6 passes
    rubric = rubric_of(1, 1, 9, c1={"depends_on": ("c0",), "veto": True})
    assert judged(rubric, "?um").passed is None  # a veto that may not apply
    assert judged(rubric, "mum").passed is False


# --- laws ------------------------------------------------------------------------------------

WEIGHTS = st.floats(1e-6, 1e6) | st.sampled_from([0.1, 0.2, 0.3, 1.0, 2.0])
STATUSES = st.sampled_from(list(LETTERS))
THRESHOLDS = st.sampled_from([0.0, 0.25, 0.5, 0.6, 0.8, 1.0]) | st.floats(0, 1)


@st.composite
def cases(draw: st.DrawFn, *, dependent: bool = False, most: int = 6) -> tuple[Rubric, str]:
    size = draw(st.integers(1, most))
    criteria = []
    for n in range(size):
        earlier = [f"c{m}" for m in range(n)]
        depends = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2)) if dependent and n else []
        criteria.append(
            Criterion(
                id=f"c{n}",
                text="t",
                weight=draw(WEIGHTS),
                veto=draw(st.sampled_from([False, False, True])),
                depends_on=tuple(depends),
            )
        )
    letters = "".join(draw(st.lists(STATUSES, min_size=size, max_size=size)))
    return Rubric(criteria=tuple(criteria), threshold=draw(THRESHOLDS)), letters


def test_every_status_has_a_letter_here() -> None:
    assert sorted(LETTERS.values()) == sorted(get_args(Status))


@given(cases(dependent=True))
def test_score_is_a_share_and_nothing_judged_is_no_score(case: tuple[Rubric, str]) -> None:
    found = judged(*case)
    assert found.score is None or 0 <= found.score <= 1
    assert (found.score is None) == (found.judged == 0)
    if found.judged == 0:
        assert found.passed is None
    assert found.judged <= found.total <= len(case[0])


@given(cases())
def test_without_unknowns_pass_is_score_against_threshold_and_veto(case: tuple[Rubric, str]) -> None:
    rubric, letters = case
    assume("?" not in letters)
    found = judged(rubric, letters)
    if found.score is not None:
        vetoed = any(c.veto and letter == "u" for c, letter in zip(rubric, letters, strict=True))
        assert found.passed is (found.score >= rubric.threshold and not vetoed)


def completions(rubric: Rubric, letters: str) -> set[bool | None]:
    """What could come out, whatever the unknowns turn out to be."""
    places = [place for place, letter in enumerate(letters) if letter == "?"]
    outcomes = set()
    for turned in product("mpun", repeat=len(places)):
        whole = list(letters)
        for place, letter in zip(places, turned, strict=True):
            whole[place] = letter
        outcomes.add(judged(rubric, "".join(whole)).passed)
    return outcomes


@given(cases(most=5))
def test_pass_is_exactly_what_no_unknown_can_change(case: tuple[Rubric, str]) -> None:
    rubric, letters = case
    assume(letters.count("?") <= 4 and any(letter in "mpu" for letter in letters))
    outcomes = completions(rubric, letters)
    expected = outcomes.pop() if len(outcomes) == 1 else None
    assert judged(rubric, letters).passed is expected


@given(cases(dependent=True, most=5))
def test_with_dependencies_pass_never_claims_what_an_unknown_could_change(case: tuple[Rubric, str]) -> None:
    rubric, letters = case
    assume(letters.count("?") <= 4)
    found = judged(rubric, letters).passed
    if found is not None:
        assert completions(rubric, letters) - {None} == {found}


@given(cases(dependent=True), st.integers(-30, 30))
def test_scaling_all_weights_changes_nothing(case: tuple[Rubric, str], power: int) -> None:
    rubric, letters = case
    scaled = rubric.model_copy(
        update={
            "criteria": tuple(c.model_copy(update={"weight": c.weight * 2.0**power}) for c in rubric.criteria)
        }
    )
    before, after = judged(rubric, letters), judged(scaled, letters)
    assert (before.score, before.passed) == (after.score, after.passed)


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_criteria_changes_nothing(case: tuple[Rubric, str], random: Any) -> None:
    rubric, letters = case
    pairs = list(zip(rubric.criteria, letters, strict=True))
    random.shuffle(pairs)
    shuffled = rubric.model_copy(update={"criteria": tuple(criterion for criterion, _ in pairs)})
    before, after = judged(rubric, letters), judged(shuffled, "".join(letter for _, letter in pairs))
    assert (before.score, before.passed) == (after.score, after.passed)


@given(cases(), st.data())
def test_a_better_verdict_never_hurts(case: tuple[Rubric, str], data: st.DataObject) -> None:
    rubric, letters = case
    worse = [place for place, letter in enumerate(letters) if letter in "up"]
    assume(worse)
    place = data.draw(st.sampled_from(worse))
    better = data.draw(st.sampled_from("pm" if letters[place] == "u" else "m"))
    before, after = judged(rubric, letters), judged(rubric, letters[:place] + better + letters[place + 1 :])
    assert before.score is not None
    assert after.score is not None
    assert after.score >= before.score
    rank = {False: 0, None: 1, True: 2}
    assert rank[after.passed] >= rank[before.passed]


# --- records ---------------------------------------------------------------------------------


def test_costs_add_up_and_unknown_money_stays_unknown() -> None:
    left = Cost(calls=1, input_tokens=2, output_tokens=3, seconds=0.5)
    assert left.tokens == 5
    assert (left + left) == Cost(calls=2, input_tokens=4, output_tokens=6, seconds=1.0)
    assert (left + Cost(usd=0.25)).usd == 0.25
    assert (Cost(usd=0.5) + Cost(usd=0.25)).usd == 0.75
    for wrong in ({"calls": -1}, {"usd": -0.1}, {"seconds": float("nan")}):
        with pytest.raises(ValidationError):
            Cost(**wrong)


def test_a_judgement_cannot_claim_more_than_applied() -> None:
    with pytest.raises(ValidationError, match="more criteria judged than applied"):
        Judgement(rubric="x", verdicts=(), score=None, passed=None, judged=2, total=1)
    with pytest.raises(ValidationError):
        Judgement(rubric="x", verdicts=(), score=1.1, passed=None, judged=0, total=0)


def test_a_model_writes_the_reason_before_the_status() -> None:
    fields = list(Verdict.model_json_schema()["properties"])
    assert fields.index("reason") < fields.index("status")
