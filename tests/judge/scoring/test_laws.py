"""Laws that hold for every rule, every rubric and all verdicts."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import logsumexp

from coreact.judge.records import Status, Verdict
from coreact.judge.scoring import (
    RULES,
    Score,
    abstaining,
    binary,
    capped,
    judgement,
    soft_minimum,
)
from coreact.rubric import Criterion, Provenance, Rubric

Case = tuple[Rubric, list[Verdict]]

STATUSES: tuple[Status, ...] = ("met", "partial", "unmet", "not_applicable", "unknown")
RANK = {"unmet": 0, "partial": 1, "met": 2}
WITH_POINTS = ("points", "healthbench", "researchrubrics")
SKIPPING_LIES_BETWEEN = ("weighted_mean", "credit_absence", "points", "soft_min")


@st.composite
def cases(draw: st.DrawFn, *, dependent: bool = False, statuses: tuple[Status, ...] = STATUSES) -> Case:
    size = draw(st.integers(1, 6))
    criteria, verdicts = [], []
    for n in range(size):
        earlier = [f"c{m}" for m in range(n)]
        depends = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2)) if dependent and n else []
        parent = draw(st.sampled_from([None, "A", "B", "c0"]))
        status = draw(st.sampled_from(statuses))
        criteria.append(
            Criterion(
                id=f"c{n}",
                text="t",
                weight=draw(st.floats(1e-6, 1e6) | st.sampled_from([0.1, 0.2, 0.3, 1.0, 2.0])),
                polarity=draw(st.sampled_from(["require", "forbid"])),
                veto=draw(st.booleans()),
                depends_on=tuple(depends),
                provenance=Provenance(source="s", parent=parent),
            )
        )
        broken = status == "unknown" and draw(st.booleans())
        verdicts.append(
            Verdict(criterion=f"c{n}", reason="", status=status, fault="instrument" if broken else "none")
        )
    return Rubric(criteria=tuple(criteria)), verdicts


def a_rounding(score: Score) -> float:
    """Twice what rounding to 12 digits may move."""
    return 2e-12 * max(1.0, abs(score.value or 0.0), abs(score.low), abs(score.high))


@given(case=cases(dependent=True))
def test_a_value_lies_on_its_scale_and_is_missing_only_where_nothing_was_judged(case: Case) -> None:
    rubric, verdicts = case
    for name, rule in RULES.items():
        found = rule(rubric, verdicts)
        assert 0 <= found.broken <= found.total - found.judged, name
        assert found.total <= len(rubric), name
        if found.value is not None:
            assert found.low <= found.value <= found.high, name
            assert found.judged > 0, name
        elif name in WITH_POINTS:
            required = [v for c, v in zip(rubric, verdicts, strict=True) if c.polarity == "require"]
            settled = {v.criterion: v.status for v in judgement(rubric, verdicts).verdicts}
            assert all(settled[v.criterion] not in RANK for v in required), name
        else:
            assert found.judged == 0, name


@given(case=cases(), random=st.randoms(use_true_random=False))
def test_neither_the_order_of_criteria_nor_of_verdicts_matters(case: Case, random: Any) -> None:
    rubric, verdicts = case
    criteria = list(rubric)
    random.shuffle(criteria)
    shuffled = random.sample(verdicts, len(verdicts))
    for name, rule in RULES.items():
        assert rule(Rubric(criteria=tuple(criteria)), shuffled) == rule(rubric, verdicts), name


@given(case=cases(dependent=True), power=st.integers(-30, 30))
def test_scaling_all_weights_scales_points_and_moves_nothing_else(case: Case, power: int) -> None:
    rubric, verdicts = case
    factor = 2.0**power
    scaled = Rubric(criteria=tuple(c.model_copy(update={"weight": c.weight * factor}) for c in rubric))
    for name, rule in RULES.items():
        before, after = rule(rubric, verdicts), rule(scaled, verdicts)
        if name != "points":
            assert after == before, name
            continue
        assert after.high == before.high * factor
        assert (after.value is None) == (before.value is None)
        if after.value is not None and before.value is not None:
            assert after.value == pytest.approx(before.value * factor, rel=1e-11)


@given(case=cases(), data=st.data())
def test_a_better_verdict_never_hurts(case: Case, data: st.DataObject) -> None:
    rubric, verdicts = case
    worse = [place for place, verdict in enumerate(verdicts) if verdict.status in ("unmet", "partial")]
    assume(worse)
    place = data.draw(st.sampled_from(worse))
    status = data.draw(st.sampled_from([s for s in RANK if RANK[s] > RANK[verdicts[place].status]]))
    improved = [*verdicts]
    improved[place] = verdicts[place].model_copy(update={"status": status})
    for name, rule in RULES.items():
        for variant in (rule, capped(rule, cap=0.3), binary(rule), abstaining(rule, "zero")):
            before, after = variant(rubric, verdicts), variant(rubric, improved)
            if before.value is None:
                assert after.value is None, name
            elif after.value is None:  # only a veto gives a value where a rule has no scale
                assert rule(rubric, verdicts).value is None, name
            else:
                assert after.value >= before.value - a_rounding(before), name


@given(case=cases(dependent=True))
def test_fail_closed_is_never_above_fail_open(case: Case) -> None:
    rubric, verdicts = case
    for name, rule in RULES.items():
        zero, skip, full, refused = (
            abstaining(rule, policy)(rubric, verdicts) for policy in ("zero", "skip", "full", "refuse")
        )
        assert skip == rule(rubric, verdicts), name
        assert len({(s.judged, s.total, s.broken) for s in (zero, skip, full, refused)}) == 1, name
        assert (zero.value is None) == (full.value is None), name
        if zero.value is not None and full.value is not None:
            assert zero.value <= full.value + a_rounding(full), name
        if skip.value is not None and full.value is not None:
            assert skip.value <= full.value + a_rounding(full), name
        if skip.value is not None and zero.value is not None and name in SKIPPING_LIES_BETWEEN:
            assert zero.value <= skip.value + a_rounding(full), name
        assert refused.value == (skip.value if skip.judged == skip.total else None), name


@given(case=cases(dependent=True), cap=st.floats(-2, 2))
def test_a_cap_only_lowers_and_only_the_vetoed(case: Case, cap: float) -> None:
    rubric, verdicts = case
    settled = judgement(rubric, verdicts).verdicts
    vetoed = any(c.veto and v.status == "unmet" for c, v in zip(rubric, settled, strict=True))
    for name, rule in RULES.items():
        plain, found = rule(rubric, verdicts), capped(rule, cap=cap)(rubric, verdicts)
        if vetoed:
            assert found.value is not None, name
            assert found.value <= cap, name
            assert plain.value is None or found.value == min(plain.value, cap), name
        else:
            assert found.value == plain.value, name
        assert found.value is None or found.low <= found.value <= found.high, name


@given(case=cases(dependent=True))
def test_the_running_score_is_the_weighted_mean(case: Case) -> None:
    rubric, verdicts = case
    found = judgement(rubric, verdicts)
    assert (found.score, found.judged, found.total) == RULES["weighted_mean"](rubric, verdicts)[:3]


# --- soft minimum ----------------------------------------------------------------------------

NUMBERS = st.lists(st.tuples(st.floats(-50, 50), st.floats(1e-3, 1e3)), min_size=1, max_size=8)
SHARPNESS = st.floats(0, 1e6) | st.sampled_from([0.0, 1e-300, 1e-12, 1e-6, math.inf])


@given(NUMBERS, SHARPNESS, SHARPNESS)
def test_soft_minimum_lies_between_and_falls_with_sharpness(
    numbers: list[tuple[float, float]], one: float, other: float
) -> None:
    values, weights = [value for value, _ in numbers], [weight for _, weight in numbers]
    mean = math.fsum(v * w for v, w in numbers) / math.fsum(weights)
    softer, sharper = (soft_minimum(values, k=k, weights=weights) for k in sorted((one, other)))
    assert min(values) <= sharper <= softer + 1e-12 * max(map(abs, values))
    assert softer <= mean + 1e-12 * max(1.0, *map(abs, values))
    assert soft_minimum(values, k=0, weights=weights) == pytest.approx(mean, abs=1e-12)
    assert soft_minimum(values, k=math.inf, weights=weights) == min(values)


@given(NUMBERS, st.floats(1e-3, 1e3))
def test_soft_minimum_is_scipys(numbers: list[tuple[float, float]], k: float) -> None:
    values, weights = [value for value, _ in numbers], [weight for _, weight in numbers]
    shares = [weight / math.fsum(weights) for weight in weights]
    expected = -logsumexp([-k * value for value in values], b=shares) / k
    assert soft_minimum(values, k=k, weights=weights) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(NUMBERS)
def test_both_ends_are_reached_and_not_only_claimed(numbers: list[tuple[float, float]]) -> None:
    values, weights = [value for value, _ in numbers], [weight for _, weight in numbers]
    mean, least = (
        soft_minimum(values, k=0, weights=weights),
        soft_minimum(values, k=math.inf, weights=weights),
    )
    spread = max(values) - min(values)
    for k in (1e-3, 1e-6, 1e-9, 1e-15, 1e-300):
        assert mean - soft_minimum(values, k=k, weights=weights) <= k * spread**2 / 8 + 1e-12
    floor = math.log(math.fsum(weights) / min(weights))
    for k in (1e3, 1e6, 1e300):
        assert soft_minimum(values, k=k, weights=weights) - least <= floor / k + 1e-12
