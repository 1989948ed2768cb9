"""Data by diagnosis: counts, proportions, and that nothing unverified comes in."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from coreact.judge.records import Status, Verdict
from coreact.judge.scoring import judgement
from coreact.rubric import Criterion, Rubric, Stops, ToolIs
from coreact.train.distill.targeting import Diagnosis, Sample, by_check, diagnose, quotas, targeted

RUBRIC = Rubric(
    criteria=(
        Criterion(id="tool", text="Use `search`.", check=ToolIs(tools=("search",))),
        Criterion(id="stop", text="Answer now.", check=Stops()),
        Criterion(id="cite", text="Cite a source.", kind="hard"),
        Criterion(id="tone", text="Be plain.", kind="style"),
    )
)


def judged(**statuses: Status) -> tuple[Rubric, object]:
    verdicts = [Verdict(criterion=one.id, reason="", status=statuses.get(one.id, "met")) for one in RUBRIC]
    return RUBRIC, judgement(RUBRIC, tuple(verdicts))


def sample(code: str, at: int, verified: bool | None = True) -> Sample:
    return Sample(code=code, row={"n": at}, verified=verified)


def test_failures_are_counted_by_code() -> None:
    work = [
        judged(tool="unmet", cite="partial"),
        judged(tool="unmet", tone="unknown"),
        judged(stop="not_applicable"),
    ]
    found = diagnose(work)  # type: ignore[arg-type]
    assert found.counts == {"tool_is": 2, "hard": 1}
    assert found.unknown == 1
    assert found.shares == {"tool_is": 2 / 3, "hard": 1 / 3}
    only = diagnose(work, lambda one: "missing_citation" if one.id == "cite" else None)  # type: ignore[arg-type]
    assert only.counts == {"missing_citation": 1}
    assert by_check(RUBRIC.criteria[1]) == "stops"


def test_seventy_per_cent_of_the_failures_are_seventy_per_cent_of_the_samples() -> None:
    found = Diagnosis({"missing_citation": 70, "wrong_tool": 20, "premature": 10}, 0)
    pool = [
        sample(code, at, verified)
        for code in ("missing_citation", "wrong_tool", "premature", "unasked")
        for at in range(200)
        for verified in (True, False, None)
    ]
    chosen = targeted(found, pool, 50, seed=1)
    assert Counter(one.code for one in chosen.samples) == {
        "missing_citation": 35,
        "wrong_tool": 10,
        "premature": 5,
    }
    assert all(one.verified for one in chosen.samples)
    assert chosen.unverified == 2 * 4 * 200
    assert not chosen.short
    assert chosen == targeted(found, pool, 50, seed=1)
    assert chosen != targeted(found, pool, 50, seed=2)


def test_a_code_without_samples_is_reported_and_not_replaced() -> None:
    found = Diagnosis({"a": 3, "b": 1}, 0)
    chosen = targeted(found, [sample("a", 1), sample("a", 2, None), sample("b", 3)], 4, seed=0)
    assert sorted(one.code for one in chosen.samples) == ["a", "b"]
    assert chosen.short == {"a": 2}
    assert chosen.unverified == 1


def test_where_nothing_fails_nothing_is_chosen() -> None:
    assert targeted(Diagnosis({}, 3), [sample("a", 1)], 4, seed=0).samples == ()
    assert quotas(Diagnosis({"a": 0}, 0), 4) == {}


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(0, 50), max_size=8), st.integers(0, 200))
def test_quotas_add_up_and_are_within_one(counts: dict[str, int], n: int) -> None:
    found = quotas(Diagnosis(counts, 0), n)
    whole = sum(counts.values())
    if not whole:
        assert found == {}
        return
    assert sum(found.values()) == n
    assert all(abs(found[code] - n * counts[code] / whole) < 1 + 1e-9 for code in found)
    assert found == quotas(Diagnosis(dict(reversed(counts.items())), 0), n)
