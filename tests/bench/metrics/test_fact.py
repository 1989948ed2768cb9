from __future__ import annotations

import pytest

from coreact.bench.metrics import Citations, CitedPair, Share, fact, without_repeats


def report(*statuses: str) -> Citations:
    return Citations(tuple(CitedPair(f"s{at}", "u", status) for at, status in enumerate(statuses)))


def test_repeats_go_and_other_sources_stay():
    pairs = [
        CitedPair("The dam is tall.", "a"),
        CitedPair("the DAM is tall", "a"),
        CitedPair("The dam is tall.", "b"),
        CitedPair("The dam is old.", "a"),
    ]
    assert [(p.statement, p.source) for p in without_repeats(pairs)] == [
        ("The dam is tall.", "a"),
        ("The dam is tall.", "b"),
        ("The dam is old.", "a"),
    ]


def test_one_report():
    one = report("met", "partial", "unmet", "unknown")
    assert (one.effective, one.unsupported, one.unknown, one.uncited) == (2, 1, 1, False)
    assert one.accuracy == Share(pytest.approx(2 / 3), 3, 4)
    assert report().accuracy == Share(None, 0, 0)
    assert report().uncited


def test_many_reports():
    found = fact([report("met", "met", "unmet"), report("unmet"), report(), report("unknown")])
    assert found.accuracy == Share(0.5, 4, 5)  # pooled over pairs; the unknown one is apart
    assert found.effective == Share(pytest.approx(2 / 3), 3, 4)  # 2, 0 and 0; the unknown one cannot be told
    assert found.effective_where_cited == Share(1.0, 2, 3)  # 2 and 0: FACT does not see the uncited one
    assert found.skip_rate == Share(0.25, 4, 4)
    assert fact([]).accuracy == Share(None, 0, 0)
