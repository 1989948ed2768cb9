"""Parts that never share a question, and an order whose every beginning is mixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from coreact.bench.qualify.cases import JudgeCase
from coreact.bench.qualify.sampling import ordered, split
from coreact.rubric import Criterion

MakeCases = Callable[..., tuple[JudgeCase, ...]]
ONE = (Criterion(id="a", text="T."),)


def grouped(cases: tuple[JudgeCase, ...], size: int) -> list[JudgeCase]:
    return [case.model_copy(update={"group": f"g{at // size}"}) for at, case in enumerate(cases)]


def test_no_question_stands_in_both_parts_and_a_quarter_is_for_fitting(make_cases: MakeCases) -> None:
    cases = grouped(make_cases(1200), 3)
    fitting, evaluation = split(cases)
    assert sorted(case.id for case in (*fitting, *evaluation)) == sorted(case.id for case in cases)
    assert not {case.cluster for case in fitting} & {case.cluster for case in evaluation}
    assert 0.2 < len(fitting) / len(cases) < 0.3
    assert split(cases[::-1]).fitting == fitting[::-1]  # no order, seed or machine moves a case


@pytest.mark.parametrize("n", [20, 40, 100])
def test_every_beginning_is_mixed_like_the_whole(make_cases: MakeCases, n: int) -> None:
    cases = make_cases(400, criteria=ONE)
    whole = Counter(case.labels["a"] for case in cases)
    start = Counter(case.labels["a"] for case in ordered(cases)[:n])
    for label, count in whole.items():
        assert start[label] == pytest.approx(count * n / 400, abs=1)


def test_an_order_is_drawn_by_the_seed_and_loses_nothing(make_cases: MakeCases) -> None:
    cases = make_cases(60)
    ids = [case.id for case in ordered(cases)]
    assert sorted(ids) == sorted(case.id for case in cases)
    assert ids == [case.id for case in ordered(cases[::-1])]
    assert ids != [case.id for case in ordered(cases, seed=1)]


def test_few_cases_come_from_many_groups(make_cases: MakeCases) -> None:
    met = [case.model_copy(update={"labels": {"a": "met"}}) for case in make_cases(200, criteria=ONE)]
    start = ordered(grouped(tuple(met), 10))[:20]
    assert len({case.cluster for case in start}) == 20


def test_strata_are_interleaved_too(make_cases: MakeCases) -> None:
    cases = [
        case.model_copy(update={"stratum": "rare" if at % 10 == 0 else "common", "labels": {"a": "met"}})
        for at, case in enumerate(make_cases(200, criteria=ONE))
    ]
    assert Counter(case.stratum for case in ordered(cases)[:50]) == {"common": 45, "rare": 5}
